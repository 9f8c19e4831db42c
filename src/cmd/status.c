#include "cmd/client.h"
#include "cmd/commands.h"
#include "cmd/status_page.h"

static void write_page(struct buf *out, const json_t *status)
{
    status_page_write(out, status, NULL, 0);
}

static int run(const struct cmdline *line)
{
    return client_show(line, &(struct question){.method = "GET", .path = "/api/status"},
                       write_page);
}

const struct command status_command = {
    .name = "status",
    .takes = "",
    .summary = "Show one page: addresses, functions, topics, subscriptions, backlogs.",
    .asks_server = true,
    .run = run,
};
