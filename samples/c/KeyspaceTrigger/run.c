#include <redgrid/function.h>

/* redis-cli CONFIG SET notify-keyspace-events KEA, once; then redis-cli SET myKey 1 */
int KeyspaceTrigger(struct redgrid_invocation *run)
{
    struct redgrid_slice command = redgrid_message(run);

    redgrid_log(run, REDGRID_INFO, "%.*s", REDGRID_ARG(command));
    return REDGRID_OK;
}
