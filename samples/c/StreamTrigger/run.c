#include <redgrid/function.h>

/* redis-cli XADD streamTest '*' name Clippy field2 value2 */
int StreamTrigger(struct redgrid_invocation *run)
{
    struct redgrid_slice entry = redgrid_message(run);
    struct redgrid_slice id = redgrid_metadata(run, "Id");

    redgrid_log(run, REDGRID_INFO, "%.*s (entry %.*s)", REDGRID_ARG(entry), REDGRID_ARG(id));
    return REDGRID_OK;
}
