/* json/json.h - small helpers on jansson: reading with limits, messages that name file and field,
 * and writing.
 * Rules: a json_t that a function gives is the caller's to json_decref(); what a getter gives is
 * borrowed from the object. Getters leave *ret alone when the field is absent or null, so the
 * caller sets the default first; they ignore the case of names, and take numbers and booleans
 * written as strings too, because some programming models produce them. Pure but for jx_load_file,
 * hence callable anywhere. */
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include <jansson.h>

#include "base/buf.h"
#include "json/audit.h"

#define JX_TEXT_MAX_BYTES (16u << 20)
#define JX_DEPTH_MAX 64

struct jx_limits {
    size_t text_max_bytes; /* 0 = JX_TEXT_MAX_BYTES */
    unsigned depth_max;    /* arrays and objects in each other; 0 = JX_DEPTH_MAX */
};

/* jx_parse reads one JSON value of any type; the last of equal names wins. `name` stands in front
 * of messages ("host.json"; NULL = nothing). E_OK and *ret; E_BAD_INPUT, E_LIMIT with
 * `name:line:column: text` in why. A byte order mark is skipped. `limits` NULL = the defaults. */
enum err jx_parse(struct slice text, const char *name, const struct jx_limits *limits, json_t **ret,
                  struct cause *why);

/* jx_load_file reads a file as jx_parse does, comments as in C++ allowed. E_NOT_FOUND when there is
 * no such file, E_IO. Blocks. */
enum err jx_load_file(const char *path, const char *name, const struct jx_limits *limits,
                      json_t **ret, struct cause *why);

/* jx_member finds a member, exact case first, then any case; NULL if absent, null, or `object` is
 * no object (NULL included). Borrowed. */
json_t *jx_member(const json_t *object, const char *field);
/* jx_slice is the text of a string, SLICE_NONE for anything else. Borrowed. */
struct slice jx_slice(const json_t *value);

/* A view on an object that is being read: read all of it, then ask `err` once. The first mistake
 * stays, as `<file>: <path>.<field>: is empty`. To make one: jx_view_init. */
struct jx_view {
    const json_t *json; /* borrowed; NULL or another type reads like an empty object */
    const char *file;   /* borrowed; NULL = none */
    char path[96];      /* "bindings[0]"; "" = the top */
    enum err err;       /* E_OK or E_BAD_INPUT */
    struct cause why;
    struct jx_audit *audit; /* borrowed; takes all mistakes, and what was asked for; NULL = none */
};

void jx_view_init(struct jx_view *view, const json_t *json, const char *file);
/* jx_view_down makes `child` a view on member `field` of `view`, an absent one too. A member that
 * is no object is a mistake of `view`. */
void jx_view_down(struct jx_view *view, const char *field, struct jx_view *child);
/* jx_view_inner is jx_view_down for a wrapper that may be left out: then `child` is another view on
 * the object itself. */
void jx_view_inner(struct jx_view *view, const char *field, struct jx_view *child);
/* jx_view_item makes `child` a view on an item of the array `field`, by index. */
void jx_view_item(const struct jx_view *view, const char *field, size_t index,
                  struct jx_view *child);
/* jx_view_member is jx_member() for readers: the audit learns that the name is known. */
json_t *jx_view_member(const struct jx_view *view, const char *field);
/* jx_view_error notes a mistake at `field` (NULL = the object itself) unless there is one already.
 */
void jx_view_error(struct jx_view *view, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* jx_view_join hands a mistake of `child` up to `view` (the first stays). */
void jx_view_join(struct jx_view *view, const struct jx_view *child);

/* A number outside the range is a mistake. */
struct jx_range {
    int64_t min, max;
};

/* Getters: true and *ret set if the field is there and right; else false and *ret untouched. */
bool jx_text(struct jx_view *view, const char *field, const char **ret);
bool jx_bool(struct jx_view *view, const char *field, bool *ret);
bool jx_i64(struct jx_view *view, const char *field, struct jx_range range, int64_t *ret);
bool jx_u32(struct jx_view *view, const char *field, struct jx_range range, uint32_t *ret);
/* jx_span reads a time span, "hh:mm:ss" and its other forms; text only. */
bool jx_span(struct jx_view *view, const char *field, int64_t *ret_ms);
/* jx_word reads one of the words of a NULL-terminated list, in any case, and gives its index; any
 * other is a mistake that names the list. A number is taken as its digits. */
bool jx_word(struct jx_view *view, const char *field, const char *const *words, size_t *ret);
/* jx_text_copy copies the text to an array of `size` bytes, its NUL included; one that does not fit
 * is a mistake. */
void jx_text_copy(struct jx_view *view, const char *field, char *ret, size_t size);
/* jx_text_dup replaces *ret, malloc'ed or NULL, by a copy of the text if there is one. */
void jx_text_dup(struct jx_view *view, const char *field, char **ret);

/* jx_write_string writes text as a JSON string: only the escapes that JSON demands, invalid UTF-8
 * replaced by U+FFFD. */
void jx_write_string(struct buf *out, struct slice text);
/* jx_write_inside is jx_write_string without the quotes: a part of a string. In a buf that has
 * JX_INSIDE_ROOM free for a valid UTF-8 text without control characters, such as JSON text that is
 * compact, nothing moves: the text may lie in the same buf. */
#define JX_INSIDE_ROOM(len) (2 * (len) + sizeof(uint64_t))
void jx_write_inside(struct buf *out, struct slice text);
/* jx_write_string_twice writes a JSON string that holds the JSON string that holds text: what
 * jx_write_string() of jx_write_string() would be, in one pass. */
void jx_write_string_twice(struct buf *out, struct slice text);
/* jx_dump writes a value as compact JSON, members in their order. */
void jx_dump(struct buf *out, const json_t *value);

#endif
