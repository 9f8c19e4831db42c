#include <redgrid/function.h>

int Noop(struct redgrid_invocation *run)
{
    (void)run;
    return REDGRID_OK;
}
