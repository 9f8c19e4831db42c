#include "caches/cluster_line.h"

#include "base/mem.h"
#include "caches/state.h"

enum field {
    FIELD_ID,
    FIELD_ADDRESS,
    FIELD_FLAGS,
    FIELD_PRIMARY,
    FIELD_PING,
    FIELD_PONG,
    FIELD_EPOCH,
    FIELD_LINK,
    FIELDS
};

/* "127.0.0.1:6379@16379,name": only the port behind the @ names a server for all of its life. */
static bool read_bus_port(struct slice address, uint16_t *ret)
{
    struct slice behind = slice_from(address, slice_find_byte(address, '@') + 1);
    uint64_t port;

    if (!slice_to_u64(slice_first(behind, slice_find_byte(behind, ',')), &port) ||
        port > UINT16_MAX)
        return false;
    *ret = (uint16_t)port;
    return true;
}

static void read_flags(struct slice flags, struct cluster_line *line)
{
    struct slice flag;

    line->is_met = true;
    while (slice_cut(&flags, ',', &flag)) {
        line->is_self |= slice_eq(flag, SLICE("myself"));
        line->is_replica |= slice_eq(flag, SLICE("slave"));
        line->is_failing |= slice_has_prefix(flag, SLICE("fail"));
        if (slice_eq(flag, SLICE("handshake")) || slice_eq(flag, SLICE("noaddr")))
            line->is_met = false;
    }
}

static bool read_line(struct slice text, struct cluster_line *ret)
{
    struct slice fields[FIELDS];

    for (size_t i = 0; i < FIELDS; i++)
        if (!slice_cut(&text, ' ', &fields[i]) || fields[i].len == 0)
            return false;
    *ret = (struct cluster_line){.id = fields[FIELD_ID], .slots = text};
    if (!read_bus_port(fields[FIELD_ADDRESS], &ret->bus_port) ||
        !slice_to_u64(fields[FIELD_EPOCH], &ret->epoch) || ret->id.len >= CLUSTER_ID_BYTES)
        return false;
    read_flags(fields[FIELD_FLAGS], ret);
    ret->primary = ret->is_replica ? fields[FIELD_PRIMARY] : SLICE_NONE;
    ret->is_connected = slice_eq(fields[FIELD_LINK], SLICE("connected"));
    return true;
}

bool cluster_line_next(struct slice *text, struct cluster_line *ret)
{
    struct slice line;

    while (slice_cut(text, '\n', &line))
        if (read_line(slice_trim(line), ret))
            return true;
    return false;
}

static bool read_slot(struct slice text, uint16_t *ret)
{
    uint64_t slot;

    if (!slice_to_u64(text, &slot) || slot >= CACHE_SLOTS)
        return false;
    *ret = (uint16_t)slot;
    return true;
}

/* "[93->-<id>]" goes away, "[77-<-<id>]" comes. */
static bool read_open(struct slice text, struct cluster_slots *ret)
{
    struct slice inside = slice_first(slice_from(text, 1), text.len > 2 ? text.len - 2 : 0);
    size_t at = slice_find_byte(inside, '-');
    struct slice arrow = slice_first(slice_from(inside, at), 3);

    *ret = (struct cluster_slots){.other = slice_from(inside, at + 3)};
    if (slice_eq(arrow, SLICE("->-")))
        ret->kind = SLOTS_MIGRATING;
    else if (slice_eq(arrow, SLICE("-<-")))
        ret->kind = SLOTS_IMPORTING;
    else
        return false;
    if (!read_slot(slice_first(inside, at), &ret->first) || ret->other.len >= CLUSTER_ID_BYTES)
        return false;
    ret->last = ret->first;
    return true;
}

static bool read_owned(struct slice text, struct cluster_slots *ret)
{
    size_t at = slice_find_byte(text, '-');

    *ret = (struct cluster_slots){.kind = SLOTS_OWNED};
    if (!read_slot(slice_first(text, at), &ret->first))
        return false;
    ret->last = ret->first;
    return at == text.len ||
           (read_slot(slice_from(text, at + 1), &ret->last) && ret->last >= ret->first);
}

bool cluster_slots_next(struct slice *slots, struct cluster_slots *ret)
{
    struct slice word;

    while (slice_cut(slots, ' ', &word)) {
        bool is_open = slice_has_prefix(word, SLICE("["));
        if (is_open ? read_open(word, ret) : read_owned(word, ret))
            return true;
    }
    return false;
}

size_t cluster_slots_count(struct slice text)
{
    struct cluster_slots slots;
    size_t count = 0;

    while (cluster_slots_next(&text, &slots))
        count += slots.kind == SLOTS_OWNED ? (size_t)(slots.last - slots.first) + 1 : 0;
    return count;
}
