#include "json/scan.h"

#include <string.h>

#include "json/plain.h"

struct cursor {
    const char *at;
    const char *end;
};

static bool skip_value(struct cursor *c, unsigned depth);

static bool is_at(const struct cursor *c, char byte)
{
    return c->at < c->end && *c->at == byte;
}

static bool skip_byte(struct cursor *c, char byte)
{
    if (!is_at(c, byte))
        return false;
    c->at++;
    return true;
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static void skip_space(struct cursor *c)
{
    while (c->at < c->end && is_space(*c->at))
        c->at++;
}

static bool read_hex(const char *at, uint32_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)at[i];
        unsigned digit = c - '0';
        if (digit > 9)
            digit = (c | 0x20u) - 'a' < 6 ? (c | 0x20u) - 'a' + 10 : 16;
        if (digit > 15)
            return false;
        *ret = *ret << 4 | digit;
    }
    return true;
}

/* The character behind `\u`: four digits, or twice four for a surrogate pair. Halves of a pair
 * alone stand for nothing. */
static bool read_unicode(struct cursor *c, uint32_t *ret)
{
    uint32_t low;

    if (c->end - c->at < 4 || !read_hex(c->at, ret))
        return false;
    c->at += 4;
    if (*ret < 0xd800 || *ret > 0xdfff)
        return true;
    if (*ret > 0xdbff || c->end - c->at < 6 || c->at[0] != '\\' || c->at[1] != 'u' ||
        !read_hex(c->at + 2, &low) || low < 0xdc00 || low > 0xdfff)
        return false;
    c->at += 6;
    *ret = 0x10000 + ((*ret - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static bool skip_escape(struct cursor *c)
{
    uint32_t character;

    if (c->at == c->end)
        return false;
    char byte = *c->at++;
    if (byte == 'u')
        return read_unicode(c, &character);
    return byte != '\0' && strchr("\"\\/bfnrt", byte) != NULL;
}

static bool skip_string(struct cursor *c)
{
    if (!skip_byte(c, '"'))
        return false;
    for (;;) {
        c->at += plain_skip((struct slice){c->at, (size_t)(c->end - c->at)}, 0);
        if (c->at == c->end)
            return false;
        unsigned char byte = (unsigned char)*c->at++;
        if (byte == '"')
            return true;
        if (byte < 0x20 || (byte == '\\' && !skip_escape(c)))
            return false;
    }
}

static bool skip_digits(struct cursor *c)
{
    const char *start = c->at;

    while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
        c->at++;
    return c->at > start;
}

static bool skip_number(struct cursor *c)
{
    (void)skip_byte(c, '-');
    if (!skip_byte(c, '0') && !skip_digits(c))
        return false;
    if (skip_byte(c, '.') && !skip_digits(c))
        return false;
    if (!skip_byte(c, 'e') && !skip_byte(c, 'E'))
        return true;
    if (!skip_byte(c, '+'))
        (void)skip_byte(c, '-');
    return skip_digits(c);
}

static bool skip_word(struct cursor *c, struct slice word)
{
    if (!slice_has_prefix((struct slice){c->at, (size_t)(c->end - c->at)}, word))
        return false;
    c->at += word.len;
    return true;
}

static bool skip_member(struct cursor *c, unsigned depth)
{
    if (!skip_string(c))
        return false;
    skip_space(c);
    if (!skip_byte(c, ':'))
        return false;
    skip_space(c);
    return skip_value(c, depth);
}

/* Arrays and objects: both are items between commas. `depth` bounds the recursion. */
static bool skip_items(struct cursor *c, char close, unsigned depth)
{
    c->at++;
    skip_space(c);
    if (skip_byte(c, close))
        return true;
    for (;;) {
        if (!(close == '}' ? skip_member(c, depth) : skip_value(c, depth)))
            return false;
        skip_space(c);
        if (skip_byte(c, close))
            return true;
        if (!skip_byte(c, ','))
            return false;
        skip_space(c);
    }
}

static bool skip_value(struct cursor *c, unsigned depth)
{
    if (c->at == c->end)
        return false;
    switch (*c->at) {
    case '{':
        return depth > 0 && skip_items(c, '}', depth - 1);
    case '[':
        return depth > 0 && skip_items(c, ']', depth - 1);
    case '"':
        return skip_string(c);
    case 't':
        return skip_word(c, SLICE("true"));
    case 'f':
        return skip_word(c, SLICE("false"));
    case 'n':
        return skip_word(c, SLICE("null"));
    default:
        return skip_number(c);
    }
}

static struct cursor cursor_at(struct slice text)
{
    struct cursor c = {text.data, text.data != NULL ? text.data + text.len : NULL};
    skip_space(&c);
    return c;
}

bool jx_scan_is_value(struct slice text, unsigned depth_max)
{
    struct cursor c = cursor_at(text);

    if (!skip_value(&c, depth_max < JX_SCAN_DEPTH_MAX ? depth_max : JX_SCAN_DEPTH_MAX))
        return false;
    skip_space(&c);
    return c.at == c.end;
}

bool jx_scan_is_object(struct slice text)
{
    struct cursor c = cursor_at(text);

    return is_at(&c, '{') && jx_scan_is_value(text, JX_SCAN_DEPTH_MAX);
}

static struct slice between(const char *start, const char *end)
{
    return (struct slice){start, (size_t)(end - start)};
}

struct slice jx_scan_trim(struct slice text)
{
    struct cursor c = cursor_at(text);

    while (c.end > c.at && is_space(c.end[-1]))
        c.end--;
    return between(c.at, c.end);
}

bool jx_scan_item(struct slice *rest, struct slice *ret)
{
    struct cursor c = cursor_at(*rest);

    if (!skip_byte(&c, '[') && !skip_byte(&c, ','))
        return false;
    skip_space(&c);
    const char *value = c.at;
    if (!skip_value(&c, JX_SCAN_DEPTH_MAX))
        return false;
    *ret = between(value, c.at);
    skip_space(&c);
    *rest = between(c.at, c.end);
    return true;
}

bool jx_scan_next(struct slice *rest, struct jx_field *ret)
{
    struct cursor c = cursor_at(*rest);

    if (c.at == c.end || !(skip_byte(&c, '{') || skip_byte(&c, ',')))
        return false;
    skip_space(&c);
    const char *name = c.at;
    if (!skip_string(&c))
        return false;
    ret->name = between(name, c.at);
    skip_space(&c);
    c.at++; /* ':' */
    skip_space(&c);
    const char *value = c.at;
    if (!skip_value(&c, JX_SCAN_DEPTH_MAX))
        return false;
    ret->value = between(value, c.at);
    skip_space(&c);
    *rest = between(c.at, c.end);
    return true;
}

static size_t write_character(char utf8[4], uint32_t c)
{
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char heads[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = len; i-- > 1; c >>= 6)
        utf8[i] = (char)(0x80 | (c & 0x3f));
    utf8[0] = (char)(heads[len] | c);
    return len;
}

static size_t read_escape(struct cursor *c, char utf8[4])
{
    static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    uint32_t character = 0;
    char byte = *c->at++;

    if (byte == 'u')
        return read_unicode(c, &character) ? write_character(utf8, character) : 0;
    utf8[0] = bytes[strchr(letters, byte) - letters];
    return 1;
}

/* The next run of plain bytes, or the character of one escape, which then is in `utf8`. */
static bool next_piece(struct cursor *c, char utf8[4], struct slice *ret)
{
    if (c->at == c->end)
        return false;
    if (*c->at == '\\') {
        c->at++;
        *ret = (struct slice){utf8, read_escape(c, utf8)};
        return true;
    }
    const char *start = c->at;
    const char *escape = memchr(start, '\\', (size_t)(c->end - start));
    c->at = escape != NULL ? escape : c->end;
    *ret = between(start, c->at);
    return true;
}

static struct cursor inside(struct slice string)
{
    return (struct cursor){string.data + 1, string.data + string.len - 1};
}

void jx_scan_add_string(struct buf *out, struct slice string)
{
    struct cursor c = inside(string);
    struct slice piece;
    char utf8[4];

    while (next_piece(&c, utf8, &piece))
        buf_add(out, piece);
}

size_t jx_scan_copy_string(char *to, struct slice string)
{
    struct cursor c = inside(string);
    struct slice piece;
    char utf8[4];
    size_t len = 0;

    for (; next_piece(&c, utf8, &piece); len += piece.len)
        if (piece.len > 0)
            memcpy(to + len, piece.data, piece.len);
    return len;
}

static bool is_text(struct slice string, struct slice text, bool (*eq)(struct slice, struct slice))
{
    struct cursor c = inside(string);
    struct slice piece;
    char utf8[4];

    while (next_piece(&c, utf8, &piece)) {
        if (piece.len > text.len || !eq(piece, slice_first(text, piece.len)))
            return false;
        text = slice_from(text, piece.len);
    }
    return text.len == 0;
}

bool jx_scan_is_text(struct slice string, struct slice text)
{
    return is_text(string, text, slice_eq);
}

bool jx_scan_is_text_nocase(struct slice string, struct slice text)
{
    return is_text(string, text, slice_eq_nocase);
}

struct slice jx_scan_member(struct slice object, struct slice name)
{
    struct slice exact = SLICE_NONE, any_case = SLICE_NONE;
    struct jx_field field;

    while (jx_scan_next(&object, &field)) {
        if (!jx_scan_is_text_nocase(field.name, name))
            continue;
        any_case = field.value;
        if (jx_scan_is_text(field.name, name))
            exact = field.value;
    }
    return exact.data != NULL ? exact : any_case;
}
