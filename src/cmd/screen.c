#include "cmd/screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#define HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"

struct screen screen_now(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return (struct screen){0};
    return (struct screen){.columns = size.ws_col, .rows = size.ws_row};
}

/* The bytes of a line that take so many places: those of UTF-8 that go on take none. */
static struct slice cut(struct slice line, size_t places)
{
    size_t at = 0;

    for (; at < line.len; at++)
        if (((unsigned char)line.data[at] & 0xc0) != 0x80 && places-- == 0)
            break;
    return slice_first(line, at);
}

void screen_clear(struct buf *out)
{
    buf_add(out, SLICE(HOME CLEAR_BELOW));
}

void screen_draw(struct buf *out, const struct screen *screen, struct slice page, const char *foot)
{
    size_t rows = 1, hidden = 0; /* the foot is a row too */
    struct slice line;

    buf_add(out, SLICE(HOME));
    while (slice_cut(&page, '\n', &line) && (page.len > 0 || line.len > 0)) {
        if (screen->rows != 0 && ++rows > screen->rows) {
            hidden++;
            continue;
        }
        /* Cleared first: behind a line as wide as the screen it would take its last letter. */
        buf_add(out, SLICE(CLEAR_LINE));
        buf_add(out, screen->columns != 0 ? cut(line, screen->columns) : line);
        buf_add_byte(out, '\n');
    }
    buf_add(out, SLICE(CLEAR_BELOW));
    if (hidden > 0)
        buf_addf(out, "%s; %zu more line%s", foot, hidden, hidden == 1 ? "" : "s");
    else
        buf_addf(out, "%s", foot);
    buf_add_byte(out, '\r'); /* what is said next takes its place */
}
