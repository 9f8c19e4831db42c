#include <redgrid/function.h>

/* redis-cli CONFIG SET notify-keyspace-events KEA, once; then redis-cli DEL anyKey */
int KeyeventTrigger(struct redgrid_invocation *run)
{
    struct redgrid_slice key = redgrid_message(run);

    redgrid_log(run, REDGRID_INFO, "%.*s", REDGRID_ARG(key));
    return REDGRID_OK;
}
