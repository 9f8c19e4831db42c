#include "json/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "json/plain.h"

#define BYTE_ORDER_MARK SLICE("\xef\xbb\xbf")

/* Walks over JSON text and knows only what a string, a comment and a bracket are. */
struct scan {
    const char *data;
    size_t len;
    size_t at;
    unsigned depth;
};

static void scan_string(struct scan *s)
{
    for (s->at++; s->at < s->len && s->data[s->at] != '"'; s->at++)
        if (s->data[s->at] == '\\')
            s->at++;
    s->at++;
}

/* jansson recurses up to a depth of 2048; refuse what nobody means before it starts. */
static bool depth_is_fine(struct slice text, unsigned depth_max)
{
    struct scan s = {.data = text.data, .len = text.len};

    while (s.at < s.len) {
        char c = s.data[s.at];
        if (c == '"') {
            scan_string(&s);
            continue;
        }
        if ((c == '{' || c == '[') && ++s.depth > depth_max)
            return false;
        if ((c == '}' || c == ']') && s.depth > 0)
            s.depth--;
        s.at++;
    }
    return true;
}

static size_t comment_len(const char *data, size_t len)
{
    struct slice rest = {data, len};

    if (slice_has_prefix(rest, SLICE("//")))
        return slice_find_byte(rest, '\n');
    if (!slice_has_prefix(rest, SLICE("/*")))
        return 0;
    size_t end = 2 + slice_find(slice_from(rest, 2), SLICE("*/")) + 2;
    return end < len ? end : len;
}

/* Comments become spaces, so that lines and columns of messages stay right. */
static void blank_comments(char *data, size_t len)
{
    struct scan s = {.data = data, .len = len};

    while (s.at < s.len) {
        if (data[s.at] == '"') {
            scan_string(&s);
            continue;
        }
        size_t comment = comment_len(data + s.at, len - s.at);
        for (size_t i = 0; i < comment; i++)
            if (data[s.at + i] != '\n')
                data[s.at + i] = ' ';
        s.at += comment > 0 ? comment : 1;
    }
}

enum err jx_parse(struct slice text, const char *name, const struct jx_limits *limits, json_t **ret,
                  struct cause *why)
{
    size_t max =
        limits != NULL && limits->text_max_bytes ? limits->text_max_bytes : JX_TEXT_MAX_BYTES;
    unsigned depth_max = limits != NULL && limits->depth_max ? limits->depth_max : JX_DEPTH_MAX;
    const char *colon = name != NULL ? ":" : "";
    json_error_t error;

    if (name == NULL)
        name = "";
    if (slice_has_prefix(text, BYTE_ORDER_MARK))
        text = slice_from(text, BYTE_ORDER_MARK.len);
    if (text.len > max)
        return cause_set(why, E_LIMIT, "%s%s is larger than %zu bytes", name, colon, max);
    if (!depth_is_fine(text, depth_max))
        return cause_set(why, E_LIMIT, "%s%s is nested deeper than %u", name, colon, depth_max);
    if (slice_find_byte(text, '\0') < text.len) /* jansson reads over these */
        return cause_set(why, E_BAD_INPUT, "%s%s a NUL byte is in the text", name, colon);
    json_t *value =
        json_loadb(text.data != NULL ? text.data : "", text.len, JSON_DECODE_ANY, &error);
    if (value == NULL)
        return cause_set(why, E_BAD_INPUT, "%s%s%d:%d: %s", name, colon, error.line, error.column,
                         error.text);
    *ret = value;
    return E_OK;
}

static enum err read_all(int fd, struct buf *text, struct cause *why)
{
    for (;;) {
        char *to = buf_reserve(text, 4096);
        if (to == NULL) /* the limit has a chunk to spare, so this is too much */
            return cause_set(why, E_LIMIT, "is larger than %zu bytes", text->max_bytes - 4096);
        ssize_t got = read(fd, to, 4096);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return cause_set(why, E_IO, "%s", strerror(errno));
        if (got == 0)
            return E_OK;
        buf_grow(text, (size_t)got);
    }
}

enum err jx_load_file(const char *path, const char *name, const struct jx_limits *limits,
                      json_t **ret, struct cause *why)
{
    size_t max =
        limits != NULL && limits->text_max_bytes ? limits->text_max_bytes : JX_TEXT_MAX_BYTES;
    struct buf text;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return cause_set(why, err_from_errno(errno) == E_NOT_FOUND ? E_NOT_FOUND : E_IO, "%s: %s",
                         name, strerror(errno));
    buf_init(&text, max + 4096);
    enum err err = cause_wrap(why, read_all(fd, &text, why), "%s", name);
    if (err)
        goto out;
    if (text.len > 0)
        blank_comments(text.data, text.len);
    err = jx_parse(buf_slice(&text), name, limits, ret, why);
out:
    close(fd);
    buf_done(&text);
    return err;
}

json_t *jx_member(const json_t *object, const char *field)
{
    json_t *found = json_object_get(object, field);
    const char *key;
    json_t *value;

    if (found == NULL) {
        /* jansson's iterator takes a json_t that is not const, and writes nothing */
        union {
            const json_t *in;
            json_t *out;
        } any = {.in = object};
        json_object_foreach(
            any.out, key, value) if (slice_eq_nocase(slice_of(key), slice_of(field))) found = value;
    }
    return json_is_null(found) ? NULL : found;
}

struct slice jx_slice(const json_t *value)
{
    if (!json_is_string(value))
        return SLICE_NONE;
    return (struct slice){json_string_value(value), json_string_length(value)};
}

void jx_view_init(struct jx_view *view, const json_t *json, const char *file)
{
    *view = (struct jx_view){.json = json, .file = file};
}

json_t *jx_view_member(const struct jx_view *view, const char *field)
{
    jx_audit_ask(view->audit, view->path, field);
    return jx_member(view->json, field);
}

void jx_view_down(struct jx_view *view, const char *field, struct jx_view *child)
{
    const json_t *json = jx_view_member(view, field);

    if (json != NULL && !json_is_object(json)) {
        jx_view_error(view, field, "is not an object");
        json = NULL;
    }
    jx_view_init(child, json, view->file);
    child->audit = view->audit;
    if (snprintf(child->path, sizeof child->path, "%s%s%s", view->path,
                 view->path[0] != '\0' ? "." : "", field) >= (int)sizeof child->path)
        child->path[sizeof child->path - 1] = '\0';
}

void jx_view_inner(struct jx_view *view, const char *field, struct jx_view *child)
{
    if (jx_view_member(view, field) != NULL) {
        jx_view_down(view, field, child);
        return;
    }
    *child = *view;
    child->err = E_OK;
}

void jx_view_item(const struct jx_view *view, const char *field, size_t index,
                  struct jx_view *child)
{
    jx_view_init(child, json_array_get(jx_view_member(view, field), index), view->file);
    child->audit = view->audit;
    if (snprintf(child->path, sizeof child->path, "%s%s%s[%zu]", view->path,
                 view->path[0] != '\0' ? "." : "", field, index) >= (int)sizeof child->path)
        child->path[sizeof child->path - 1] = '\0';
}

void jx_view_error(struct jx_view *view, const char *field, const char *fmt, ...)
{
    char text[CAUSE_MAX_BYTES];
    va_list args;

    if (view->err && view->audit == NULL)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (view->audit != NULL)
        jx_audit_note(view->audit, view->path, field != NULL ? field : "", text);
    if (view->err)
        return;
    bool has_path = view->path[0] != '\0';
    view->err =
        cause_set(&view->why, E_BAD_INPUT, "%s%s%s%s%s%s%s", view->file != NULL ? view->file : "",
                  view->file != NULL ? ": " : "", view->path, has_path && field != NULL ? "." : "",
                  field != NULL ? field : "", has_path || field != NULL ? ": " : "", text);
}

void jx_view_join(struct jx_view *view, const struct jx_view *child)
{
    if (view->err || !child->err)
        return;
    view->err = child->err;
    view->why = child->why;
}

bool jx_text(struct jx_view *view, const char *field, const char **ret)
{
    json_t *value = jx_view_member(view, field);

    if (value == NULL)
        return false;
    if (!json_is_string(value)) {
        jx_view_error(view, field, "is not a text");
        return false;
    }
    *ret = json_string_value(value);
    return true;
}

void jx_text_copy(struct jx_view *view, const char *field, char *ret, size_t size)
{
    const char *text;

    if (!jx_text(view, field, &text))
        return;
    if (strlen(text) >= size)
        jx_view_error(view, field, "is too long");
    else
        memcpy(ret, text, strlen(text) + 1);
}

void jx_text_dup(struct jx_view *view, const char *field, char **ret)
{
    const char *text;

    if (!jx_text(view, field, &text))
        return;
    free(*ret);
    *ret = slice_dup(slice_of(text));
}

bool jx_bool(struct jx_view *view, const char *field, bool *ret)
{
    json_t *value = jx_view_member(view, field);

    if (value == NULL)
        return false;
    if (json_is_boolean(value)) {
        *ret = json_is_true(value);
        return true;
    }
    if (json_is_string(value) && slice_to_bool(slice_trim(jx_slice(value)), ret))
        return true;
    jx_view_error(view, field, "is neither true nor false");
    return false;
}

bool jx_i64(struct jx_view *view, const char *field, struct jx_range range, int64_t *ret)
{
    json_t *value = jx_view_member(view, field);
    int64_t number = 0;

    if (value == NULL)
        return false;
    if (json_is_integer(value))
        number = json_integer_value(value);
    else if (json_is_real(value) && json_real_value(value) >= -1e15 &&
             json_real_value(value) <= 1e15 &&
             (double)(int64_t)json_real_value(value) == json_real_value(value))
        number = (int64_t)json_real_value(value);
    else if (!slice_to_i64(slice_trim(jx_slice(value)), &number)) {
        jx_view_error(view, field, "is not a whole number");
        return false;
    }
    if (number < range.min || number > range.max) {
        jx_view_error(view, field, "%lld is not between %lld and %lld", (long long)number,
                      (long long)range.min, (long long)range.max);
        return false;
    }
    *ret = number;
    return true;
}

bool jx_u32(struct jx_view *view, const char *field, struct jx_range range, uint32_t *ret)
{
    int64_t number;

    range.min = range.min < 0 ? 0 : range.min;
    range.max = range.max > UINT32_MAX ? UINT32_MAX : range.max;
    if (!jx_i64(view, field, range, &number))
        return false;
    *ret = (uint32_t)number;
    return true;
}

bool jx_span(struct jx_view *view, const char *field, int64_t *ret_ms)
{
    json_t *value = jx_view_member(view, field);

    if (value == NULL)
        return false;
    if (clock_parse_span(slice_trim(jx_slice(value)), ret_ms))
        return true;
    jx_view_error(view, field, "is not a time span as \"hh:mm:ss\"");
    return false;
}

static void word_error(struct jx_view *view, const char *field, struct slice word,
                       const char *const *words)
{
    struct buf list;

    buf_init(&list, CAUSE_MAX_BYTES);
    for (size_t i = 0; words[i] != NULL; i++)
        buf_addf(&list, "%s'%s'", i == 0 ? "" : (words[i + 1] != NULL ? ", " : " or "), words[i]);
    jx_view_error(view, field, "'%.*s' is not %s", SLICE_ARG(slice_first(word, 64)),
                  buf_text(&list));
    buf_done(&list);
}

bool jx_word(struct jx_view *view, const char *field, const char *const *words, size_t *ret)
{
    json_t *value = jx_view_member(view, field);
    char digits[24];
    struct slice word = jx_slice(value);

    if (value == NULL)
        return false;
    if (json_is_integer(value)) {
        snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(value));
        word = slice_of(digits);
    }
    for (size_t i = 0; words[i] != NULL; i++)
        if (slice_eq_nocase(slice_trim(word), slice_of(words[i]))) {
            *ret = i;
            return true;
        }
    word_error(view, field, word, words);
    return false;
}

static bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

#define COMMON_BYTES 512 /* room is taken for twice as much */

/* How many bytes from the start need no escape; *is_ascii is cleared when some are not ASCII. */
static size_t plain_len(struct slice text, bool *is_ascii)
{
    size_t at = 0;

    while ((at = plain_skip(text, at)) < text.len) {
        unsigned char c = (unsigned char)text.data[at];
        if (needs_escape(c))
            break;
        if (c >= 0x80)
            *is_ascii = false;
        at++;
    }
    return at;
}

/* What a byte becomes in a string. Within a string that holds JSON text, that is escaped again. */
static void write_escape(struct buf *out, unsigned char c, bool is_twice)
{
    static const char letters[0x20] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    static const char hex[] = "0123456789abcdef";

    buf_add(out, is_twice ? SLICE("\\\\") : SLICE("\\"));
    if (c >= 0x20) {
        if (is_twice)
            buf_add_byte(out, '\\');
        buf_add_byte(out, (char)c);
    } else if (letters[c] != 0) {
        buf_add_byte(out, letters[c]);
    } else {
        char five[] = {'u', '0', '0', hex[c >> 4], hex[c & 15]};
        buf_add(out, (struct slice){five, sizeof five});
    }
}

/* Writes from the start of `text`, in one pass, what is ASCII and no control character; returns how
 * many bytes that were (less than a word may be left over). JSON within JSON is dense with quotes,
 * so they are escaped here, and every word is stored before it is judged. */
static size_t write_common(struct buf *out, struct slice text, bool is_twice)
{
    static const char slashes[] = {'\\', '\\', '\\'};
    size_t escape_bytes = is_twice ? sizeof slashes : 1;
    size_t need = (1 + escape_bytes) * text.len + sizeof(uint64_t); /* JX_INSIDE_ROOM */
    if (out->missed || need > out->max_bytes - out->len)
        return 0; /* near the limit: run by run */
    char *first = buf_reserve(out, need);
    char *to = first;
    size_t at = 0;

    while (text.len - at >= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, text.data + at, sizeof word);
        memcpy(to, &word, sizeof word);
        uint64_t odd = plain_odd_bytes(le64toh(word));
        size_t plain = odd == 0 ? sizeof word : (size_t)__builtin_ctzll(odd) / 8;
        at += plain;
        to += plain;
        if (odd == 0)
            continue;
        char c = text.data[at];
        if (c != '"' && c != '\\')
            break;
        memcpy(to, slashes, sizeof slashes);
        to[escape_bytes] = c;
        to += escape_bytes + 1;
        at++;
    }
    buf_grow(out, (size_t)(to - first));
    return at;
}

static void write_inside(struct buf *out, struct slice text, bool is_twice)
{
    while (text.len > 0) {
        text = slice_from(text, write_common(out, slice_first(text, COMMON_BYTES), is_twice));
        bool is_ascii = true;
        size_t len = plain_len(text, &is_ascii);
        struct slice plain = slice_first(text, len);
        /* what is escaped is ASCII, so it never cuts a sequence in two */
        if (is_ascii || utf8_is_valid(plain))
            buf_add(out, plain);
        else
            utf8_add_repaired(out, plain);
        if (len < text.len)
            write_escape(out, (unsigned char)text.data[len++], is_twice);
        text = slice_from(text, len);
    }
}

void jx_write_inside(struct buf *out, struct slice text)
{
    write_inside(out, text, false);
}

void jx_write_string(struct buf *out, struct slice text)
{
    buf_add_byte(out, '"');
    write_inside(out, text, false);
    buf_add_byte(out, '"');
}

void jx_write_string_twice(struct buf *out, struct slice text)
{
    buf_add(out, SLICE("\"\\\""));
    write_inside(out, text, true);
    buf_add(out, SLICE("\\\"\""));
}

static void dump_real(struct buf *out, double number)
{
    size_t start = out->len;

    buf_add_f64(out, number);
    struct slice text = slice_from(buf_slice(out), start);
    if (slice_find_byte(text, '.') == text.len && slice_find_byte(text, 'e') == text.len)
        buf_add(out, SLICE(".0")); /* as it was no whole number to its author */
}

static void dump_array(struct buf *out, const json_t *array)
{
    buf_add_byte(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            buf_add_byte(out, ',');
        jx_dump(out, json_array_get(array, i));
    }
    buf_add_byte(out, ']');
}

static void dump_object(struct buf *out, const json_t *object)
{
    union {
        const json_t *in;
        json_t *out;
    } any = {.in = object}; /* as in jx_member() */
    const char *key, *comma = "";
    json_t *value;

    buf_add_byte(out, '{');
    json_object_foreach(any.out, key, value)
    {
        buf_add(out, slice_of(comma));
        jx_write_string(out, slice_of(key));
        buf_add_byte(out, ':');
        jx_dump(out, value);
        comma = ",";
    }
    buf_add_byte(out, '}');
}

/* Not jansson's own, which writes 0.1 as 0.10000000000000001. Values came out of jx_parse(), which
 * limits how deep they are. */
void jx_dump(struct buf *out, const json_t *value)
{
    switch (value == NULL ? JSON_NULL : json_typeof(value)) {
    case JSON_OBJECT:
        dump_object(out, value);
        break;
    case JSON_ARRAY:
        dump_array(out, value);
        break;
    case JSON_STRING:
        jx_write_string(out, jx_slice(value));
        break;
    case JSON_INTEGER:
        buf_add_i64(out, json_integer_value(value));
        break;
    case JSON_REAL:
        dump_real(out, json_real_value(value));
        break;
    case JSON_TRUE:
        buf_add(out, SLICE("true"));
        break;
    case JSON_FALSE:
        buf_add(out, SLICE("false"));
        break;
    case JSON_NULL:
        buf_add(out, SLICE("null"));
        break;
    }
}
