#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cmd/client.h"
#include "cmd/commands.h"
#include "cmd/screen.h"
#include "cmd/status_page.h"

#define EVERY_MS 1000

static const struct option options[] = {
    {"--count", "N", "End after N pages; 0 goes on until q is pressed [0].", NULL},
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

struct top {
    const struct cmdline *line;
    bool is_terminal;
    bool has_failed;    /* the last question: the screen shows why */
    struct answer last; /* what rates are counted from */
    uint64_t last_ms;   /* 0: none yet */
};

static int show(const struct top *top, const struct answer *answer, uint64_t span_ms)
{
    struct screen screen = screen_now();
    struct buf page, out;

    buf_init(&page, ANSWER_BYTES_MAX);
    if (top->line->is_json)
        buf_add(&page, buf_slice(&answer->text));
    else
        status_page_write(&page, answer->json, top->last.json, span_ms);
    if (!top->is_terminal || top->line->is_json)
        return print(&page);
    buf_init(&out, ANSWER_BYTES_MAX);
    screen_draw(&out, &screen, buf_slice(&page), "q quits");
    buf_done(&page);
    return print(&out);
}

static int ask_and_show(struct top *top)
{
    struct answer answer;
    struct buf out;

    if (top->has_failed) {
        buf_init(&out, SCREEN_CLEAR_BYTES);
        screen_clear(&out);
        (void)print(&out);
    }
    int code =
        client_ask(top->line, &(struct question){.method = "GET", .path = "/api/status"}, &answer);
    uint64_t now_ms = clock_now_ms();
    top->has_failed = code != EXIT_OK;
    if (code != EXIT_OK)
        return code;
    code = show(top, &answer, top->last_ms == 0 ? EVERY_MS : now_ms - top->last_ms);
    answer_done(&top->last);
    top->last = answer;
    top->last_ms = now_ms;
    return code;
}

static int run(const struct cmdline *line)
{
    struct top top = {.line = line, .is_terminal = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO)};
    const char *text = cmdline_value(line, "--count");
    uint64_t count = top.is_terminal ? 0 : 1, shown = 0;
    int code;

    if (text != NULL && !slice_to_u64(slice_of(text), &count))
        return complain(EXIT_USAGE, "--count: '%s' is not a number", text);
    if (top.is_terminal)
        take_keys();
    do {
        code = ask_and_show(&top);
        if (code != EXIT_OK && (!top.is_terminal || top.last_ms == 0))
            break; /* on a terminal it goes on when a server that answered is started again */
    } while (++shown != count && !wait_for_quit(EVERY_MS));
    answer_done(&top.last);
    if (top.is_terminal && !line->is_json)
        putchar('\n');
    return code;
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
