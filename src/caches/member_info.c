#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "caches/member_internal.h"

/* ---- the text ---- */

enum kind {
    NUMBER, /* uint64_t */
    FLAG,   /* bool: 1 */
    WORD,   /* bool: `word` */
};

#define AT(field) offsetof(struct member_info, field)

static const struct {
    struct slice name;
    enum kind kind;
    size_t at;
    struct slice word;
} fields[] = {
    {SLICE_INIT("role"), WORD, AT(is_primary), SLICE_INIT("master")},
    {SLICE_INIT("loading"), FLAG, AT(is_loading), {0}},
    {SLICE_INIT("async_loading"), FLAG, AT(is_loading), {0}},
    {SLICE_INIT("master_link_status"), WORD, AT(is_link_up), SLICE_INIT("up")},
    {SLICE_INIT("master_sync_in_progress"), FLAG, AT(is_syncing), {0}},
    {SLICE_INIT("used_memory"), NUMBER, AT(used_bytes), {0}},
    {SLICE_INIT("maxmemory"), NUMBER, AT(maxmemory_bytes), {0}},
    {SLICE_INIT("evicted_keys"), NUMBER, AT(evicted_keys), {0}},
    {SLICE_INIT("connected_clients"), NUMBER, AT(clients), {0}},
    {SLICE_INIT("rdb_bgsave_in_progress"), FLAG, AT(is_saving), {0}},
    {SLICE_INIT("rdb_last_bgsave_status"), WORD, AT(is_save_ok), SLICE_INIT("ok")},
    {SLICE_INIT("rdb_last_save_time"), NUMBER, AT(saved_unix_s), {0}},
    {SLICE_INIT("aof_enabled"), FLAG, AT(has_aof), {0}},
    {SLICE_INIT("aof_rewrite_in_progress"), FLAG, AT(is_rewriting), {0}},
    {SLICE_INIT("aof_rewrite_scheduled"), FLAG, AT(is_rewriting), {0}},
    {SLICE_INIT("aof_last_bgrewrite_status"), WORD, AT(is_rewrite_ok), SLICE_INIT("ok")},
    {SLICE_INIT("cluster_enabled"), FLAG, AT(is_cluster), {0}},
};

static void read_field(struct slice name, struct slice value, struct member_info *info)
{
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        char *at = (char *)info + fields[i].at;
        if (!slice_eq(name, fields[i].name))
            continue;
        if (fields[i].kind == NUMBER)
            (void)slice_to_u64(value, (uint64_t *)(void *)at);
        else /* two fields may say the same */
            *(bool *)at |= slice_eq(value, fields[i].kind == FLAG ? SLICE("1") : fields[i].word);
    }
}

static void copy_text(char *to, size_t size, struct slice text)
{
    snprintf(to, size, "%.*s", SLICE_ARG(text));
}

/* The value of `name` in "calls=1,usec=2"; nothing if it is not there. */
static struct slice part_of(struct slice list, struct slice name)
{
    struct slice part;

    while (slice_cut(&list, ',', &part)) {
        size_t equals = slice_find_byte(part, '=');
        if (slice_eq(slice_first(part, equals), name))
            return slice_from(part, equals + 1);
    }
    return SLICE_NONE;
}

static uint64_t number_of(struct slice list, struct slice name)
{
    uint64_t number = 0;

    return slice_to_u64(part_of(list, name), &number) ? number : 0;
}

/* ip=127.77.0.2,port=6379,state=online,offset=14,lag=0 */
static void read_replica(struct slice value, struct member_info *info)
{
    if (info->replica_count == MEMBER_REPLICAS_MAX)
        return;
    struct member_replica *replica = &info->replicas[info->replica_count++];
    copy_text(replica->address, sizeof replica->address, part_of(value, SLICE("ip")));
    replica->port = (uint16_t)number_of(value, SLICE("port"));
    replica->is_online = slice_eq(part_of(value, SLICE("state")), SLICE("online"));
    replica->offset = number_of(value, SLICE("offset"));
}

static bool is_numbered(struct slice name, struct slice prefix)
{
    uint64_t number;

    return slice_has_prefix(name, prefix) && slice_to_u64(slice_from(name, prefix.len), &number);
}

struct offsets {
    uint64_t primary, replica;
};

static void read_line(struct slice name, struct slice value, struct member_info *info,
                      struct offsets *offsets)
{
    uint64_t port;

    read_field(name, value, info);
    if (slice_eq(name, SLICE("master_repl_offset")))
        (void)slice_to_u64(value, &offsets->primary);
    else if (slice_eq(name, SLICE("slave_repl_offset")))
        (void)slice_to_u64(value, &offsets->replica);
    else if (slice_eq(name, SLICE("master_replid")))
        copy_text(info->replid, sizeof info->replid, value);
    else if (slice_eq(name, SLICE("master_host")))
        copy_text(info->primary_address, sizeof info->primary_address, value);
    else if (slice_eq(name, SLICE("master_port")) && slice_to_u64(value, &port))
        info->primary_port = (uint16_t)port;
    else if (is_numbered(name, SLICE("slave")))
        read_replica(value, info);
    else if (is_numbered(name, SLICE("db")))
        info->keys += number_of(value, SLICE("keys"));
    else if (slice_eq(name, SLICE("cmdstat_flushall")))
        info->flush_calls = number_of(value, SLICE("calls"));
}

void member_info_read(struct slice text, struct member_info *ret)
{
    struct member_info info = {0};
    struct offsets offsets = {0};
    struct slice line;

    while (slice_cut(&text, '\n', &line)) {
        size_t colon = slice_find_byte(line, ':');
        if (colon < line.len)
            read_line(slice_first(line, colon), slice_trim(slice_from(line, colon + 1)), &info,
                      &offsets);
    }
    info.offset = info.is_primary ? offsets.primary : offsets.replica;
    *ret = info;
}

/* ---- the question ---- */

struct info_ask {
    struct member_talk talk;
    struct member_info *ret;
    struct op *op;
};

static void on_told(struct op *op, enum err err)
{
    struct info_ask *ask = container_of(op, struct info_ask, talk.op);
    struct op *owner = ask->op;

    if (err == E_OK)
        member_info_read(member_talk_reply(&ask->talk, 0)->text, ask->ret);
    else
        owner->why = op->why;
    member_talk_done(&ask->talk);
    free(ask);
    op_end(owner, err);
}

static void on_abort(struct op *op)
{
    struct info_ask *ask = op->runner;

    op->abort = NULL;
    op_abort(&ask->talk.op);
}

void member_info(struct member *member, struct member_info *ret, struct op *op)
{
    const struct member_command commands[] = {
        COMMAND(SLICE("INFO"), SLICE("clients"), SLICE("memory"), SLICE("persistence"),
                SLICE("stats"), SLICE("replication"), SLICE("commandstats"), SLICE("cluster"),
                SLICE("keyspace")),
    };
    struct info_ask *ask = mem_new(struct info_ask);

    ask->ret = ret;
    ask->op = op;
    ask->talk.op.done = on_told;
    op_begin(op, on_abort, ask);
    member_talk(member, commands, COUNT_OF(commands), &ask->talk);
}
