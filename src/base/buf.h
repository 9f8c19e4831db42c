/* base/buf.h - bytes that grow, up to a limit given at birth.
 * Rules: a buf remembers a miss: write it all, then ask buf_err() once. After a miss nothing more
 * is added. A zeroed buf is valid and takes nothing (limit 0). */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <string.h>

#include "base/err.h"
#include "base/str.h"

struct buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max_bytes;
    bool missed; /* something did not fit */
};

void buf_init(struct buf *buf, size_t max_bytes);
void buf_done(struct buf *buf); /* frees; leaves zeroes */

void buf_add_slowly(struct buf *buf,
                    struct slice bytes); /* what buf_add() does when it must grow */

/* In the header because log lines and messages are made of many small pieces. */
static inline void buf_add(struct buf *buf, struct slice bytes)
{
    size_t end = buf->cap < buf->max_bytes ? buf->cap : buf->max_bytes;
    if (buf->missed || buf->len > end || bytes.len > end - buf->len) {
        buf_add_slowly(buf, bytes);
        return;
    }
    if (bytes.len > 0)
        memcpy(buf->data + buf->len, bytes.data, bytes.len);
    buf->len += bytes.len;
}

static inline void buf_add_byte(struct buf *buf, char byte)
{
    buf_add(buf, (struct slice){&byte, 1});
}

/* buf_add_lower and buf_add_upper append `bytes` with their ASCII letters in one case. */
void buf_add_lower(struct buf *buf, struct slice bytes);
void buf_add_upper(struct buf *buf, struct slice bytes);
void buf_add_u64(struct buf *buf, uint64_t number); /* decimal */
void buf_add_i64(struct buf *buf, int64_t number);
void buf_add_f64(struct buf *buf, double number); /* the shortest that reads back the same */
void buf_addf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* buf_reserve makes room for `len` more bytes and returns where they go; buf_grow(n <= len) then
 * counts n of them in. NULL if the limit forbids it, which counts as a miss. The pointer is stale
 * after any other call on the buf. */
char *buf_reserve(struct buf *buf, size_t len);
void buf_grow(struct buf *buf, size_t len);

/* buf_err is E_LIMIT if anything did not fit since buf_init or buf_clear, else E_OK. */
enum err buf_err(const struct buf *buf);
struct slice buf_slice(const struct buf *buf);
void buf_clear(struct buf *buf);             /* empties, keeps the memory, forgets a miss */
void buf_consume(struct buf *buf, size_t n); /* drops n bytes from the front, moves the rest */
/* buf_text is the content with a NUL behind it, which does not count; after a miss, what did fit.
 * Stale after any write. */
const char *buf_text(struct buf *buf);
/* buf_detach hands the bytes over as a NUL-terminated string (free() ends it) and leaves the buf
 * empty; NULL after a miss. */
char *buf_detach(struct buf *buf);

#endif
