#include <redgrid/function.h>

/* redis-cli PUBLISH channel hello */
int PubSubTrigger(struct redgrid_invocation *run)
{
    struct redgrid_slice message = redgrid_message(run);

    redgrid_log(run, REDGRID_INFO, "%.*s", REDGRID_ARG(message));
    return REDGRID_OK;
}
