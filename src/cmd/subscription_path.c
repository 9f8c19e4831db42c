#include "cmd/subscription_path.h"

#include "wire/url.h"

static int add_scope(struct buf *out, const struct cmdline *line, bool needs_scope)
{
    const char *topic = cmdline_value(line, "--topic");
    const char *id = cmdline_value(line, "--source-resource-id");

    if ((topic != NULL && id != NULL) || (needs_scope && topic == NULL && id == NULL))
        return complain(EXIT_USAGE, "needs --topic or --source-resource-id");
    if (topic != NULL || id != NULL) {
        buf_addf(out, "?%s=", topic != NULL ? "topic" : "scope");
        url_add_escaped(out, slice_of(topic != NULL ? topic : id));
    }
    return EXIT_OK;
}

int subscription_path_add(struct buf *out, const struct cmdline *line, const char *name,
                          const char *tail)
{
    buf_add(out, SLICE("/api/subscriptions/"));
    url_add_escaped(out, slice_of(name));
    buf_add(out, slice_of(tail));
    return add_scope(out, line, true);
}

int subscription_path_add_all(struct buf *out, const struct cmdline *line)
{
    buf_add(out, SLICE("/api/subscriptions"));
    return add_scope(out, line, false);
}
