#include "event/connection.h"

#define HIDDEN "Hidden"

/* The user's part of a URL up to its password; SLICE_NONE if it has none, or is no URL: what stands
 * behind a comma or an equals sign may be part of a password. */
static struct slice before_password(struct slice url)
{
    size_t start = slice_find(url, SLICE("://"));
    struct slice rest = slice_from(url, start + 3);
    struct slice user = slice_first(rest, slice_find_byte(rest, '@'));
    size_t colon = slice_find_byte(user, ':');

    if (start > slice_find_byte(url, ',') || start > slice_find_byte(url, '='))
        return SLICE_NONE;
    return start == url.len || user.len == rest.len || colon == user.len
               ? SLICE_NONE
               : slice_first(url, start + 3 + colon + 1);
}

/* A password ends at the last '@' that the host may follow: what is in doubt is hidden. */
static size_t at_sign(struct slice url)
{
    size_t last = url.len;

    for (size_t i = 0; i < url.len && url.data[i] != '?'; i++)
        if (url.data[i] == '@')
            last = i;
    return last;
}

static void write_part(struct buf *out, struct slice part)
{
    size_t equals = slice_find_byte(part, '=');

    buf_add(out, slice_first(part, equals));
    if (equals == part.len)
        return;
    bool is_secret =
        slice_has_suffix_nocase(slice_trim(slice_first(part, equals)), SLICE("password"));
    buf_add_byte(out, '=');
    buf_add(out, is_secret ? SLICE(HIDDEN) : slice_from(part, equals + 1));
}

void connection_write_hidden(struct buf *out, struct slice connection)
{
    struct slice user = before_password(connection);

    if (user.data != NULL) {
        buf_add(out, user);
        buf_add(out, SLICE(HIDDEN));
        connection = slice_from(connection, at_sign(connection));
    }
    while (connection.len > 0) {
        size_t end = 0;
        while (end < connection.len && connection.data[end] != ',' && connection.data[end] != '?' &&
               connection.data[end] != '&')
            end++;
        write_part(out, slice_first(connection, end));
        buf_add(out, slice_first(slice_from(connection, end), 1));
        connection = slice_from(connection, end + 1);
    }
}
