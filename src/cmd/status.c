#include "cmd/client.h"
#include "cmd/commands.h"
#include "cmd/status_page.h"

static int run(const struct cmdline *line)
{
    struct answer answer;
    struct buf out;
    int code =
        client_ask(line, &(struct question){.method = "GET", .path = "/api/status"}, &answer);

    if (code != EXIT_OK)
        return code;
    buf_init(&out, ANSWER_BYTES_MAX);
    if (line->is_json)
        buf_add(&out, buf_slice(&answer.text));
    else
        status_page_write(&out, answer.json, NULL, 0);
    answer_done(&answer);
    return print(&out);
}

const struct command status_command = {
    .name = "status",
    .takes = "",
    .summary = "Show one page: addresses, functions, backlogs.",
    .asks_server = true,
    .run = run,
};
