#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BUF_FIRST_BYTES 64

void buf_init(struct buf *buf, size_t max_bytes)
{
    *buf = (struct buf){.max_bytes = max_bytes};
}

void buf_done(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

/* Makes room for `need` bytes in all; the caller has asked the limit. */
static void make_room(struct buf *buf, size_t need)
{
    if (need <= buf->cap && buf->data != NULL)
        return;
    size_t cap = buf->cap < BUF_FIRST_BYTES ? BUF_FIRST_BYTES : buf->cap;
    while (cap < need)
        cap = cap > buf->max_bytes / 2 ? need : cap * 2;
    buf->data = mem_resize(buf->data, cap, 1);
    buf->cap = cap;
}

char *buf_reserve(struct buf *buf, size_t len)
{
    if (buf->missed || len > buf->max_bytes - buf->len) {
        buf->missed = true;
        return NULL;
    }
    make_room(buf, buf->len + len);
    return buf->data + buf->len;
}

void buf_grow(struct buf *buf, size_t len)
{
    buf->len += len;
}

void buf_add_slowly(struct buf *buf, struct slice bytes)
{
    char *to = buf_reserve(buf, bytes.len);
    if (to == NULL || bytes.len == 0)
        return;
    memcpy(to, bytes.data, bytes.len);
    buf->len += bytes.len;
}

void buf_add_lower(struct buf *buf, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        buf_add_byte(buf, lower_of(bytes.data[i]));
}

void buf_add_upper(struct buf *buf, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        buf_add_byte(buf, upper_of(bytes.data[i]));
}

void buf_add_u64(struct buf *buf, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    buf_add(buf, (struct slice){digits + at, sizeof digits - at});
}

void buf_add_i64(struct buf *buf, int64_t number)
{
    if (number < 0)
        buf_add_byte(buf, '-');
    buf_add_u64(buf, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void buf_add_f64(struct buf *buf, double number)
{
    char text[40];

    for (int digits = 15; digits <= 17; digits++) {
        double back;
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (slice_to_f64(slice_of(text), &back) &&
            back - number == 0) /* == without the warning about it */
            break;
    }
    buf_add(buf, slice_of(text));
}

void buf_addf(struct buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0 || buf_reserve(buf, (size_t)len) == NULL) {
        buf->missed = true;
        return;
    }
    make_room(buf, buf->len + (size_t)len + 1); /* the NUL does not count */
    va_start(args, fmt);
    vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, args);
    va_end(args);
    buf->len += (size_t)len;
}

enum err buf_err(const struct buf *buf)
{
    return buf->missed ? E_LIMIT : E_OK;
}

struct slice buf_slice(const struct buf *buf)
{
    return (struct slice){buf->data, buf->len};
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->missed = false;
}

void buf_consume(struct buf *buf, size_t n)
{
    if (n < buf->len)
        memmove(buf->data, buf->data + n, buf->len - n);
    buf->len -= n < buf->len ? n : buf->len;
}

static void terminate(struct buf *buf)
{
    make_room(buf, buf->len + 1); /* the NUL does not count */
    buf->data[buf->len] = '\0';
}

const char *buf_text(struct buf *buf)
{
    terminate(buf);
    return buf->data;
}

char *buf_detach(struct buf *buf)
{
    size_t max_bytes = buf->max_bytes;
    char *data = NULL;

    if (!buf->missed) {
        terminate(buf);
        data = buf->data;
        buf->data = NULL;
    }
    buf_done(buf);
    buf_init(buf, max_bytes);
    return data;
}
