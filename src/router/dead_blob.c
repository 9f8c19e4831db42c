#include "router/dead_blob.h"

#include "base/sha1.h"
#include "event/date.h"

#define KEY_MAX_BYTES 256

void dead_blob_add_folder(struct buf *out, struct slice subscription)
{
    buf_add_upper(out, subscription);
    buf_add_byte(out, '/');
}

/* A UUID that is made of a name (RFC 9562, version 5, but for the name space). */
static void add_guid(struct buf *out, struct slice queue, struct slice entry)
{
    static const char variants[] = "89ab";
    char room[KEY_MAX_BYTES], hex[SHA1_HEX_BYTES];
    struct buf key = {.data = room, .cap = sizeof room, .max_bytes = sizeof room};

    buf_add(&key, queue);
    buf_add_byte(&key, ' ');
    buf_add(&key, entry);
    sha1_hex(buf_slice(&key), hex);
    hex[12] = '5';
    hex[16] = variants[(unsigned char)hex[16] % 4];
    buf_addf(out, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

void dead_blob_add_name(struct buf *out, struct slice subscription, struct slice queue,
                        struct slice entry)
{
    struct date died = date_of(queue_dead_time(entry));

    dead_blob_add_folder(out, subscription);
    buf_addf(out, "%u/%u/%u/%u/", died.year, died.month, died.day, died.hour);
    add_guid(out, queue, entry);
    buf_add(out, SLICE(".json"));
}

bool dead_blob_is_name(struct slice text)
{
    if (text.len > DEAD_BLOB_NAME_MAX_BYTES || slice_find_byte(text, '/') == text.len ||
        !slice_has_suffix_nocase(text, SLICE(".json")))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = lower_of(text.data[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '/' && c != '.')
            return false;
    }
    return slice_find(text, SLICE("..")) == text.len;
}

void dead_blob_write(struct buf *out, const struct subscription *subscription,
                     const struct event *event, const struct dead_letter *dead)
{
    if (subscription->is_queue)
        event_write_dead_pull(out, event, dead);
    else
        event_write(out, event, subscription->delivery, dead);
}
