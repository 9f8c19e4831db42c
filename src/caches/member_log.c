#include "caches/member_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/datadir.h"

#define LINE_MAX_BYTES 2048
#define READ_MAX_BYTES                                                                             \
    (256u * 1024)                 /* at once: a server that logs more is read in several turns     \
                                   */
#define WORDS_BYTES 2048          /* looked at for the last words of another run */
#define FILE_MAX_BYTES (4u << 20) /* longer, and read to its end, it begins anew */
#define HEAD_WORDS 5              /* "4711:M 21 Nov 2026 22:22:53.123 * " */

void member_log_init(struct member_log *log, const char *name)
{
    *log = (struct member_log){.name = name, .fd = -1};
    buf_init(&log->part, LINE_MAX_BYTES);
}

void member_log_done(struct member_log *log)
{
    member_log_close(log);
    buf_done(&log->part);
}

void member_log_close(struct member_log *log)
{
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
    buf_clear(&log->part);
}

/* Process and time say nothing that our line does not say; the loader's words have no such head. */
static struct slice without_head(struct slice line)
{
    struct slice rest = line, word = SLICE_NONE;

    for (int i = 0; i < HEAD_WORDS; i++)
        if (!slice_cut(&rest, ' ', &word))
            return line;
    struct slice text = rest;
    return slice_cut(&text, ' ', &word) && word.len == 1 ? text : line;
}

/* The first line of the report of a crash, which goes on for hundreds. */
static bool is_crash(struct slice text)
{
    return slice_find(text, SLICE("crashed by signal")) < text.len ||
           slice_find(text, SLICE("ASSERTION FAILED")) < text.len;
}

static void copy_line(struct member_log *log, struct slice line, bool is_told)
{
    struct slice text = without_head(slice_trim(line));

    if (text.len == 0)
        return;
    if (!log->has_crashed)
        last_words_add(&log->words, text);
    log->has_crashed = log->has_crashed || is_crash(text);
    if (is_told)
        log_debug("MEMBER-SAYS", "%s: %.*s", log->name, SLICE_ARG(text));
}

static void copy_lines(struct member_log *log, struct slice bytes, bool is_told)
{
    struct slice piece;

    for (;;) {
        size_t end = slice_find_byte(bytes, '\n');
        if (end >= bytes.len)
            break;
        piece = slice_first(bytes, end);
        bytes = slice_from(bytes, end + 1);
        buf_add(&log->part, piece); /* what does not fit is cut off */
        copy_line(log, log->part.missed ? piece : buf_slice(&log->part), is_told);
        buf_clear(&log->part);
    }
    buf_add(&log->part, bytes);
}

/* Reads on the loop's thread: a file that was written just now is in memory. */
static size_t read_some(struct member_log *log, bool is_told)
{
    char bytes[4096];
    ssize_t len = pread(log->fd, bytes, sizeof bytes, (off_t)log->at);

    if (len <= 0)
        return 0;
    log->at += (uint64_t)len;
    copy_lines(log, (struct slice){bytes, (size_t)len}, is_told);
    return (size_t)len;
}

static void read_all(struct member_log *log, bool is_told)
{
    size_t len, sum = 0;

    while (sum < READ_MAX_BYTES && (len = read_some(log, is_told)) > 0)
        sum += len;
}

void member_log_forget(struct member_log *log)
{
    log->words = (struct last_words){0};
    log->has_crashed = false;
}

enum err member_log_open(struct member_log *log, const char *folder, struct cause *why)
{
    char path[DATADIR_PATH_MAX_BYTES];
    struct stat found;

    member_log_close(log);
    member_log_forget(log);
    snprintf(path, sizeof path, "%s/" MEMBER_LOG_FILE, folder);
    log->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log->fd < 0 || fstat(log->fd, &found) != 0)
        return cause_set(why, err_from_errno(errno), "%s: %s", path, strerror(errno));
    uint64_t size = (uint64_t)found.st_size;
    log->at = size > WORDS_BYTES ? size - WORDS_BYTES : 0;
    read_all(log, false);
    buf_clear(&log->part);
    log->has_crashed = false;
    return E_OK;
}

void member_log_read(struct member_log *log, bool is_last)
{
    struct stat found;

    if (log->fd < 0)
        return;
    read_all(log, true);
    if (is_last && log->part.len > 0) {
        copy_line(log, buf_slice(&log->part), true);
        buf_clear(&log->part);
    }
    /* All that write to it do so at its end, wherever that is. */
    if (log->at > FILE_MAX_BYTES && fstat(log->fd, &found) == 0 &&
        (uint64_t)found.st_size == log->at && ftruncate(log->fd, 0) == 0)
        log->at = 0;
}
