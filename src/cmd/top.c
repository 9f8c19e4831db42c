#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cmd/client.h"
#include "cmd/commands.h"
#include "cmd/status_page.h"

#define EVERY_MS 1000

static const struct option options[] = {
    {"--count", "N", "End after N pages; 0 goes on until q is pressed [0]."},
};

static struct termios before;

static void restore(void)
{
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

/* Keys come one by one, unseen; Ctrl-C stays what it is, and leaves the terminal as it was. */
static void take_keys(void)
{
    struct termios now;

    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return;
    now = before;
    now.c_lflag &= (tcflag_t) ~(ICANON | ECHO | ISIG);
    if (tcsetattr(STDIN_FILENO, TCSANOW, &now) == 0)
        atexit(restore);
}

/* wait_for_quit: was q (or Ctrl-C) pressed within the time? */
static bool wait_for_quit(int ms)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    uint64_t until = clock_now_ms() + (uint64_t)ms;
    char key;

    while (clock_now_ms() < until) {
        if (poll(&in, 1, (int)(until - clock_now_ms())) <= 0)
            continue;
        if (read(STDIN_FILENO, &key, 1) != 1) {
            in.fd = -1; /* the input ended: wait for the time alone */
            continue;
        }
        if (key == 'q' || key == 'Q' || key == 3)
            return true;
    }
    return false;
}

static int show(const struct answer *answer, const struct answer *last, uint64_t span_ms,
                bool is_terminal)
{
    struct buf out;

    buf_init(&out, ANSWER_BYTES_MAX);
    if (is_terminal)
        buf_add(&out, SLICE("\033[H\033[2J"));
    status_page_write(&out, answer->json, last->json, span_ms);
    if (is_terminal)
        buf_add(&out, SLICE("\nq quits\n"));
    return print(&out);
}

static int run(const struct cmdline *line)
{
    bool is_terminal = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO);
    const char *text = cmdline_value(line, "--count");
    uint64_t count = is_terminal ? 0 : 1, shown = 0, last_ms = 0;
    struct answer last = {0};

    if (text != NULL && !slice_to_u64(slice_of(text), &count))
        return complain(EXIT_USAGE, "--count: '%s' is not a number", text);
    if (is_terminal)
        take_keys();
    for (;;) {
        struct answer answer;
        int code =
            client_ask(line, &(struct question){.method = "GET", .path = "/api/status"}, &answer);
        uint64_t now_ms = clock_now_ms();
        if (code == EXIT_OK) {
            code = show(&answer, &last, last_ms == 0 ? EVERY_MS : now_ms - last_ms, is_terminal);
            answer_done(&last);
            last = answer;
            last_ms = now_ms;
        }
        if (code != EXIT_OK || ++shown == count || wait_for_quit(EVERY_MS)) {
            answer_done(&last);
            return code;
        }
    }
}

const struct command top_command = {
    .name = "top",
    .takes = "",
    .summary = "Show the status page live, with rates; q quits.",
    .options = options,
    .option_count = COUNT_OF(options),
    .asks_server = true,
    .run = run,
};
