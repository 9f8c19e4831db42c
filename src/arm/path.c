#include "arm/path.h"

#include <string.h>

#include "base/mem.h"
#include "wire/url.h"

#define PROVIDERS "providers"
#define SUBSCRIPTIONS "subscriptions"
#define GROUPS "resourceGroups"
#define EVENT_GRID "Microsoft.EventGrid"
#define EVENT_SUBSCRIPTIONS "eventSubscriptions"

/* As Azure spells them. */
static const char *const words[] = {
    SUBSCRIPTIONS,     GROUPS,
    PROVIDERS,         EVENT_GRID,
    "Microsoft.Cache", "Microsoft.Resources",
    "Microsoft.Web",   "Microsoft.Storage",
    "Redis",           "topics",
    "systemTopics",    EVENT_SUBSCRIPTIONS,
    "topicTypes",      "eventTypes",
    "deployments",     "locations",
    "storageAccounts", "sites",
    "functions",
};

/* What is to come next in an id: TYPE NAME TYPE NAME .. providers NAMESPACE TYPE NAME .. */
enum next { TYPE, NAME, NAMESPACE };

/* The id so far. */
struct reader {
    struct buf *text;
    enum next next;
    bool is_id;         /* of Azure; else segments stay as they are */
    bool is_event_grid; /* the namespace now */
    bool is_topic;      /* the type now is that of a topic */
    size_t count;
};

static struct slice spell(struct slice word)
{
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (slice_eq_nocase(word, slice_of(words[i])))
            return slice_of(words[i]);
    return word;
}

static void add_segment(struct reader *reader, struct slice segment)
{
    buf_add_byte(reader->text, '/');
    buf_add(reader->text, segment);
    reader->count++;
}

static void take_type(struct reader *reader, struct slice word)
{
    if (slice_eq(word, SLICE(PROVIDERS))) {
        reader->next = NAMESPACE;
        reader->is_topic = false;
    } else {
        if (reader->is_topic && slice_eq(word, SLICE(EVENT_SUBSCRIPTIONS))) {
            add_segment(reader, SLICE(PROVIDERS));
            add_segment(reader, SLICE(EVENT_GRID));
        }
        reader->is_topic = reader->is_event_grid && (slice_eq(word, SLICE("topics")) ||
                                                     slice_eq(word, SLICE("systemTopics")));
        reader->next = NAME;
    }
    add_segment(reader, word);
}

static void take(struct reader *reader, struct slice segment)
{
    if (reader->count == 0)
        reader->is_id = slice_eq_nocase(segment, SLICE(SUBSCRIPTIONS)) ||
                        slice_eq_nocase(segment, SLICE(PROVIDERS));
    if (!reader->is_id) {
        add_segment(reader, segment);
    } else if (reader->next == TYPE) {
        take_type(reader, spell(segment));
    } else if (reader->next == NAMESPACE) {
        reader->is_event_grid = slice_eq_nocase(segment, SLICE(EVENT_GRID));
        add_segment(reader, spell(segment));
        reader->next = TYPE;
    } else {
        add_segment(reader, segment);
        reader->next = TYPE;
    }
}

static bool is_plain(struct slice segment)
{
    for (size_t i = 0; i < segment.len; i++) {
        unsigned char c = (unsigned char)segment.data[i];
        if (c < 0x20 || c == 0x7f || c == '/')
            return false;
    }
    return true;
}

static void split(struct arm_path *path)
{
    struct slice rest = slice_from(buf_slice(&path->text), 1), segment;

    path->count = 0;
    while (rest.len > 0 && slice_cut(&rest, '/', &segment))
        path->segments[path->count++] = segment;
}

enum err arm_path_read(struct arm_path *path, struct slice sent)
{
    struct reader reader = {.text = &path->text};
    struct slice segment;
    struct buf decoded;
    enum err err = E_OK;

    *path = (struct arm_path){0};
    buf_init(&path->text, ARM_PATH_MAX_BYTES);
    buf_init(&decoded, ARM_PATH_MAX_BYTES);
    while (err == E_OK && slice_cut(&sent, '/', &segment)) {
        if (segment.len == 0)
            continue;
        buf_clear(&decoded);
        err = url_decode(&decoded, segment);
        if (err == E_OK && !is_plain(buf_slice(&decoded)))
            err = E_BAD_INPUT;
        if (err == E_OK && reader.count + 3 > ARM_SEGMENTS_MAX)
            err = E_LIMIT;
        if (err == E_OK)
            take(&reader, buf_slice(&decoded));
    }
    buf_done(&decoded);
    if (err == E_OK)
        err = buf_err(&path->text);
    if (err == E_OK)
        split(path);
    return err;
}

void arm_path_done(struct arm_path *path)
{
    buf_done(&path->text);
    *path = (struct arm_path){0};
}

/* ---- patterns ---- */

static size_t count_segments(const char *pattern)
{
    size_t count = 0;

    for (; *pattern != '\0'; pattern++)
        count += *pattern == '/';
    return count;
}

static void note(struct arm_match *match, struct slice braces, struct slice value)
{
    match->parts[match->count].name = slice_from(slice_first(braces, braces.len - 1), 1);
    match->parts[match->count++].value = value;
}

/* Do the segments from `at` on say what `rest` says? */
static bool match_rest(const struct arm_path *path, size_t at, struct slice rest,
                       struct arm_match *match)
{
    struct slice part;

    for (; slice_cut(&rest, '/', &part); at++) {
        if (part.data[0] == '{')
            note(match, part, path->segments[at]);
        else if (!slice_eq_nocase(part, path->segments[at]))
            return false;
    }
    return true;
}

bool arm_path_match(const struct arm_path *path, const char *pattern, struct arm_match *ret)
{
    size_t count = count_segments(pattern);
    struct slice rest = slice_of(pattern);

    *ret = (struct arm_match){0};
    if (pattern[0] == '/')
        return path->count == count && match_rest(path, 0, slice_from(rest, 1), ret);
    if (path->count <= count || !slice_eq(path->segments[0], SLICE(SUBSCRIPTIONS)))
        return false;
    size_t first = path->count - count;
    size_t len = (size_t)(path->segments[first].data - path->text.data) - 1;
    size_t slash = slice_find_byte(rest, '/');
    note(ret, slice_first(rest, slash), slice_first(buf_slice(&path->text), len));
    return match_rest(path, first, slice_from(rest, slash + 1), ret);
}

struct slice arm_match_name(const struct arm_match *match, const char *name)
{
    for (size_t i = 0; i < match->count; i++)
        if (slice_eq(match->parts[i].name, slice_of(name)))
            return match->parts[i].value;
    return SLICE_NONE;
}

/* ---- ids ---- */

/* The segment behind `word`, which is the first of the id or stands right behind `*at` bytes of it;
 * `*at` moves behind what is given. */
static struct slice named(struct slice id, struct slice word, size_t *at)
{
    struct slice rest = slice_from(id, *at);

    if (rest.len <= word.len + 2 || rest.data[0] != '/' || rest.data[word.len + 1] != '/' ||
        !slice_has_prefix_nocase(slice_from(rest, 1), word))
        return SLICE_NONE;
    rest = slice_from(rest, word.len + 2);
    rest = slice_first(rest, slice_find_byte(rest, '/'));
    *at += word.len + 2 + rest.len;
    return rest;
}

struct slice arm_id_subscription(struct slice id)
{
    size_t at = 0;
    return named(id, SLICE(SUBSCRIPTIONS), &at);
}

struct slice arm_id_group(struct slice id)
{
    size_t at = 0;

    (void)named(id, SLICE(SUBSCRIPTIONS), &at);
    return named(id, SLICE(GROUPS), &at);
}

struct slice arm_id_group_id(struct slice id)
{
    size_t at = 0;

    (void)named(id, SLICE(SUBSCRIPTIONS), &at);
    (void)named(id, SLICE(GROUPS), &at);
    return at > 0 ? slice_first(id, at) : SLICE_NONE;
}

struct slice arm_id_name(struct slice id)
{
    size_t at = id.len;

    while (at > 0 && id.data[at - 1] != '/')
        at--;
    return at > 0 ? slice_from(id, at) : SLICE_NONE;
}

/* Where the last "/providers/" begins; or its length. */
static size_t find_provider(struct slice id)
{
    static const struct slice providers = SLICE_INIT("/" PROVIDERS "/");

    for (size_t at = id.len; at-- > 0;)
        if (slice_has_prefix_nocase(slice_from(id, at), providers))
            return at;
    return id.len;
}

void arm_id_add_type(struct buf *out, struct slice id)
{
    struct slice rest = slice_from(id, find_provider(id) + sizeof PROVIDERS + 1), part;

    for (size_t i = 0; rest.len > 0 && slice_cut(&rest, '/', &part); i++) {
        if (i > 0 && i % 2 == 0)
            continue; /* a name */
        if (i > 0)
            buf_add_byte(out, '/');
        buf_add(out, part);
    }
}

void arm_id_add_folded(struct buf *out, struct slice id)
{
    size_t at = find_provider(id);
    struct slice rest = slice_from(id, at + sizeof PROVIDERS + 1), part;

    buf_add(out, slice_first(id, at + sizeof PROVIDERS + 1));
    for (size_t i = 0; rest.len > 0 && slice_cut(&rest, '/', &part); i++) {
        if (i > 0)
            buf_add_byte(out, '/');
        if (i > 0 && i % 2 == 0)
            buf_add(out, part);
        else
            buf_add_lower(out, part);
    }
}
