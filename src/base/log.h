/* base/log.h - what the operator reads: one event a line, human or JSON.
 * Rules: who ends an error's way logs it, once, with an id that operators search and tests count.
 * Lines are gathered and written by log_flush(), which the loop calls once a turn; nothing is
 * flushed in the middle of an event's path. Secrets are never passed to this file. One thread. Ids
 * are upper case with dashes, subject first: "REDIS-LOST". */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/str.h"

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

/* One line before it is formatted. Absent slices are left out. */
struct log_record {
    enum log_level level;
    struct slice id; /* "REDIS-LOST" */
    struct slice
        category; /* "Function.orders"; filtered by log_category_level() of the host, not here */
    struct slice function;   /* name of the function the line is about */
    struct slice invocation; /* id of the run */
    struct slice text;       /* may hold several lines: written as that many records */
    uint64_t unix_us;        /* 0 = now */
};

/* log_open chooses where lines go (a descriptor that stays the caller's), the lowest level that is
 * written, and JSON or human form. Before the first call: standard error, LOG_INFO, human. */
void log_open(int fd, enum log_level lowest, bool is_json);

/* log_level_parse knows trace debug info(rmation) warn(ing) error critical none, any case. */
bool log_level_parse(struct slice text, enum log_level *ret);
const char *log_level_name(enum log_level level);

/* log_is_on: would a line of this level be written? For lines that are costly to make. */
bool log_is_on(enum log_level level);

/* log_tap shows every written record to `tap` too (the ring behind `redgrid function logs`); NULL
 * ends it. */
void log_tap(void (*tap)(void *ctx, const struct log_record *record), void *ctx);

void log_write(const struct log_record *record);
void log_at(enum log_level level, const char *id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_trace(...) (log_is_on(LOG_TRACE) ? log_at(LOG_TRACE, NULL, __VA_ARGS__) : (void)0)
#define log_debug(id, ...) (log_is_on(LOG_DEBUG) ? log_at(LOG_DEBUG, id, __VA_ARGS__) : (void)0)
#define log_info(id, ...) log_at(LOG_INFO, id, __VA_ARGS__)
#define log_warn(id, ...) log_at(LOG_WARN, id, __VA_ARGS__)
#define log_error(id, ...) log_at(LOG_ERROR, id, __VA_ARGS__)

/* log_flush writes what was gathered; blocks while the reader of the descriptor is slow. */
void log_flush(void);

#endif
