#include <redgrid/function.h>

/* redis-cli RPUSH listTest hello */
int ListTrigger(struct redgrid_invocation *run)
{
    struct redgrid_slice entry = redgrid_message(run);

    redgrid_log(run, REDGRID_INFO, "%.*s", REDGRID_ARG(entry));
    return REDGRID_OK;
}
