#include <redgrid/function.h>

/* The event is JSON text; what stands at its top is metadata as well, its data too. */
int OrderMade(struct redgrid_invocation *run)
{
    struct redgrid_slice subject = redgrid_metadata(run, "subject");
    struct redgrid_slice data = redgrid_metadata(run, "data");
    char *text = redgrid_copy(data);
    const char *total = text != NULL ? strstr(text, "\"total\":") : NULL;
    long amount = total != NULL ? strtol(total + strlen("\"total\":"), NULL, 10) : 0;

    free(text);
    if (amount < 0)
        return redgrid_fail(run, "a total of %ld", amount);
    redgrid_log(run, REDGRID_INFO, "%.*s: a total of %ld", REDGRID_ARG(subject), amount);
    return REDGRID_OK;
}
