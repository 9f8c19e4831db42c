#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"

#define LOG_GATHER_BYTES (64 * 1024)
#define LOG_PENDING_MAX_BYTES (16 * 1024 * 1024)
#define LOG_TEXT_MAX_BYTES 8192

static struct {
    int fd;
    enum log_level lowest;
    bool is_json;
    struct buf pending;
    void (*tap)(void *ctx, const struct log_record *record);
    void *tap_ctx;
} out = {.fd = STDERR_FILENO, .lowest = LOG_INFO, .pending = {.max_bytes = LOG_PENDING_MAX_BYTES}};

static const struct {
    struct slice name;
    enum log_level level;
} level_names[] = {
    {SLICE_INIT("trace"), LOG_TRACE},      {SLICE_INIT("debug"), LOG_DEBUG},
    {SLICE_INIT("info"), LOG_INFO},        {SLICE_INIT("warn"), LOG_WARN},
    {SLICE_INIT("error"), LOG_ERROR},      {SLICE_INIT("none"), LOG_OFF},
    {SLICE_INIT("information"), LOG_INFO}, {SLICE_INIT("warning"), LOG_WARN},
    {SLICE_INIT("critical"), LOG_ERROR},
};

void log_open(int fd, enum log_level lowest, bool is_json)
{
    log_flush();
    out.fd = fd;
    out.lowest = lowest;
    out.is_json = is_json;
}

bool log_level_parse(struct slice text, enum log_level *ret)
{
    for (size_t i = 0; i < COUNT_OF(level_names); i++)
        if (slice_eq_nocase(text, level_names[i].name)) {
            *ret = level_names[i].level;
            return true;
        }
    return false;
}

const char *log_level_name(enum log_level level)
{
    return level_names[level].name.data;
}

bool log_is_on(enum log_level level)
{
    return level >= out.lowest;
}

void log_tap(void (*tap)(void *ctx, const struct log_record *record), void *ctx)
{
    out.tap = tap;
    out.tap_ctx = ctx;
}

static void add_json_text(struct buf *to, struct slice text)
{
    static const char hex[] = "0123456789abcdef";
    char plain[6] = {'\\', 'u', '0', '0', 0, 0};

    while (text.len > 0) {
        size_t run = 0;
        while (run < text.len && (unsigned char)text.data[run] >= 0x20 && text.data[run] != '"' &&
               text.data[run] != '\\')
            run++;
        buf_add(to, slice_first(text, run));
        text = slice_from(text, run);
        if (text.len == 0)
            return;
        unsigned char c = (unsigned char)text.data[0];
        if (c >= 0x20) {
            buf_add_byte(to, '\\');
            buf_add_byte(to, (char)c);
        } else {
            plain[4] = hex[c >> 4];
            plain[5] = hex[c & 15];
            buf_add(to, (struct slice){plain, sizeof plain});
        }
        text = slice_from(text, 1);
    }
}

static void add_member(struct buf *to, const char *name, struct slice value)
{
    if (value.data == NULL)
        return;
    buf_addf(to, ",\"%s\":\"", name);
    if (utf8_is_valid(value)) {
        add_json_text(to, value);
    } else {
        struct buf repaired;
        buf_init(&repaired, LOG_PENDING_MAX_BYTES);
        utf8_add_repaired(&repaired, value);
        add_json_text(to, buf_slice(&repaired));
        buf_done(&repaired);
    }
    buf_add_byte(to, '"');
}

static void add_json_line(struct buf *to, const struct log_record *record, struct slice line)
{
    buf_add(to, SLICE("{\"time\":\""));
    clock_add_rfc3339(to, record->unix_us, 6);
    buf_addf(to, "\",\"level\":\"%s\"", log_level_name(record->level));
    add_member(to, "id", record->id);
    add_member(to, "category", record->category);
    add_member(to, "function", record->function);
    add_member(to, "invocation", record->invocation);
    add_member(to, "message", line);
    buf_add(to, SLICE("}\n"));
}

#define EACH_BYTE(byte) (0x0101010101010101u * (uint64_t)(byte))

/* Is any byte below 0x20, or DEL? Exact where no byte below the first hit borrows, which is all
 * that the question needs. */
static bool has_control(uint64_t word)
{
    uint64_t del = word ^ EACH_BYTE(0x7f);
    uint64_t low = (word - EACH_BYTE(0x20)) & ~word;
    return ((low | ((del - EACH_BYTE(1)) & ~del)) & EACH_BYTE(0x80)) != 0;
}

/* A terminal must not be driven by what a function logs. */
static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

static void blank_controls(char *at, size_t len)
{
    char *end = at + len;
    uint64_t word;

    while (at < end) {
        if ((size_t)(end - at) >= sizeof word) {
            memcpy(&word, at, sizeof word);
            if (!has_control(word)) {
                at += sizeof word;
                continue;
            }
        }
        if (is_control(*at))
            *at = '?';
        at++;
    }
}

static void add_human_line(struct buf *to, const struct log_record *record, struct slice line)
{
    buf_add_byte(to, '[');
    clock_add_rfc3339(to, record->unix_us, 3);
    buf_add(to, SLICE("] "));
    if (record->level != LOG_INFO)
        buf_addf(to, "%s: ", log_level_name(record->level));
    if (record->id.data != NULL && record->level != LOG_INFO) {
        buf_add(to, record->id);
        buf_add(to, SLICE(": "));
    }
    if (record->category.data != NULL && record->invocation.data != NULL &&
        !slice_has_suffix_nocase(record->category, SLICE(".User")))
        ; /* the host's own lines about a run name it in their text */
    else if (record->invocation.data != NULL && record->function.data != NULL)
        buf_addf(to, "[%.*s %.*s] ", SLICE_ARG(record->function),
                 SLICE_ARG(slice_first(record->invocation, 8)));
    else if (record->function.data != NULL)
        buf_addf(to, "[%.*s] ", SLICE_ARG(record->function));
    size_t start = to->len;
    buf_add(to, line);
    if (!to->missed)
        blank_controls(to->data + start, line.len);
    buf_add_byte(to, '\n');
}

static void add_lines(struct buf *to, const struct log_record *record)
{
    struct slice rest = record->text.data == NULL ? SLICE("") : record->text;
    struct slice line;

    while (slice_cut(&rest, '\n', &line)) {
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0 && rest.data == NULL && record->text.len > 0)
            break; /* a newline at the end opens no further line */
        if (out.is_json)
            add_json_line(to, record, line);
        else
            add_human_line(to, record, line);
    }
}

void log_write(const struct log_record *record)
{
    if (!log_is_on(record->level))
        return;
    struct log_record stamped = *record;

    if (stamped.unix_us == 0)
        stamped.unix_us = clock_unix_us();
    if (out.tap != NULL)
        out.tap(out.tap_ctx, &stamped);
    add_lines(&out.pending, &stamped);
    if (out.pending.len >= LOG_GATHER_BYTES || out.pending.missed)
        log_flush();
}

void log_at(enum log_level level, const char *id, const char *fmt, ...)
{
    char text[LOG_TEXT_MAX_BYTES];
    va_list args;

    if (!log_is_on(level))
        return;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (len < 0)
        return;
    size_t shown = (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    log_write(&(struct log_record){.level = level, .id = slice_of(id), .text = {text, shown}});
}

void log_flush(void)
{
    size_t at = 0;

    while (at < out.pending.len) {
        ssize_t wrote = write(out.fd, out.pending.data + at, out.pending.len - at);
        if (wrote > 0)
            at += (size_t)wrote;
        else if (wrote < 0 && errno == EAGAIN)
            (void)poll(&(struct pollfd){.fd = out.fd, .events = POLLOUT}, 1, -1);
        else if (wrote < 0 && errno != EINTR)
            break; /* nobody reads any more: the program goes on without its log */
    }
    buf_clear(&out.pending);
}
