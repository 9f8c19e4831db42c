/* What is said on a new connection before anybody may use it. */
#include <string.h>

#include "base/log.h"
#include "redis/internal.h"

#define CLIENT_NAME_MAX_BYTES 256

/* ---- what a server can do ---- */

static const struct {
    const char *command;
    enum redis_feature feature;
    uint32_t since; /* for servers that do not tell */
    int64_t arity;  /* what it must have; 0 = any */
} needs[] = {
    {"LMOVE", REDIS_LMOVE, 0x060200, 0},           {"BLMOVE", REDIS_LMOVE, 0x060200, 0},
    {"LPOP", REDIS_POP_COUNT, 0x060200, -2}, /* was 2 before it took a count */
    {"LMPOP", REDIS_LMPOP, 0x070000, 0},           {"BLMPOP", REDIS_LMPOP, 0x070000, 0},
    {"XADD", REDIS_STREAMS, 0x050000, 0},          {"XREADGROUP", REDIS_STREAMS, 0x050000, 0},
    {"XAUTOCLAIM", REDIS_XAUTOCLAIM, 0x060200, 0}, {"EVAL", REDIS_SCRIPTS, 0x020600, 0},
};

#define BIT(feature) (1u << (feature))
#define ALL_FEATURES (BIT(REDIS_FEATURE_COUNT) - 1)

bool redis_alias(const struct redis *redis, struct slice command, struct slice *ret)
{
    char **at = redis->server->options->renames;

    *ret = command;
    for (; at != NULL && *at != NULL; at += 2)
        if (slice_eq_nocase(command, slice_of(at[0])))
            *ret = slice_of(at[1]);
    return ret->len > 0;
}

/* ---- sending ---- */

static enum err ask(struct redis *redis, const struct slice *args, size_t count)
{
    struct slice name;
    uint64_t until;

    if (!redis_alias(redis, args[0], &name))
        return E_UNSUPPORTED;
    enum err err = connection_add(redis->connection, name, args + 1, count - 1, &until);
    if (err == E_OK)
        redis->awaited++;
    return err;
}

static enum err sign_in(struct redis *redis)
{
    const struct redis_options *options = redis->server->options;
    struct slice user = slice_of(options->user != NULL ? options->user : "default");
    struct slice password = slice_of(options->password != NULL ? options->password : "");

    if (options->protocol == 3 && !redis->has_no_hello) {
        struct slice hello[] = {SLICE("HELLO"), SLICE("3"), SLICE("AUTH"), user, password};
        return ask(redis, hello, options->password != NULL ? 5 : 2);
    }
    if (options->password == NULL)
        return E_OK;
    if (options->user == NULL)
        return ask(redis, (struct slice[]){SLICE("AUTH"), password}, 2);
    return ask(redis, (struct slice[]){SLICE("AUTH"), user, password}, 3);
}

/* Redis takes no spaces and no control bytes in a client's name. */
static struct slice clean_name(const struct redis *redis, char ret[CLIENT_NAME_MAX_BYTES])
{
    const char *name = redis->server->options->client_name;
    size_t len = 0;

    if (name == NULL)
        name = redis->client_name != NULL ? redis->client_name : "";
    for (; len < CLIENT_NAME_MAX_BYTES && name[len] != '\0'; len++)
        ret[len] = name[len] > ' ' && name[len] <= '~' ? name[len] : '_';
    return (struct slice){ret, len};
}

static enum err introduce(struct redis *redis)
{
    char room[CLIENT_NAME_MAX_BYTES];
    struct slice name = clean_name(redis, room);
    enum err err = E_OK;

    if (name.len > 0)
        err = ask(redis, (struct slice[]){SLICE("CLIENT"), SLICE("SETNAME"), name}, 3);
    if (err != E_OK || !redis->server->options->set_library_name)
        return E_OK; /* a name is not worth a connection */
    struct slice info[] = {SLICE("CLIENT"), SLICE("SETINFO"), SLICE("LIB-NAME"), SLICE("redgrid")};
    err = ask(redis, info, 4);
    info[2] = SLICE("LIB-VER");
    info[3] = SLICE(REDGRID_VERSION);
    if (err == E_OK)
        err = ask(redis, info, 4);
    return err == E_UNSUPPORTED ? E_OK : err;
}

static enum err select_database(struct redis *redis)
{
    char digits[24];
    struct buf number = {.data = digits, .cap = sizeof digits, .max_bytes = sizeof digits};

    if (redis->server->options->database == 0)
        return E_OK;
    buf_add_i64(&number, redis->server->options->database);
    return ask(redis, (struct slice[]){SLICE("SELECT"), buf_slice(&number)}, 2);
}

static enum err verify(struct redis *redis)
{
    const struct redis_options *options = redis->server->options;
    enum err err = ask(redis, (struct slice[]){SLICE("PING")}, 1);

    if (err == E_OK && (options->endpoint_count > 1 || options->service_name != NULL ||
                        redis->server->wants_primary))
        err = ask(redis, (struct slice[]){SLICE("ROLE")}, 1);
    return err == E_UNSUPPORTED ? E_OK : err;
}

/* ---- judging ---- */

static bool is_unknown(const struct resp *reply)
{
    return resp_is_error(reply, SLICE("ERR unknown command"));
}

/* Once for a server, however many connections and outages it has. */
static void without_scripts(struct redis *redis, struct slice why)
{
    struct redis_server *server = redis->server;

    redis_cannot(redis, REDIS_SCRIPTS);
    why = slice_first(why, slice_find(why, SLICE(", with args")));
    if (!server->is_without_scripts)
        log_info("REDIS-NO-SCRIPTS",
                 "%s: no scripts here (%.*s): several plain commands stand in "
                 "for each",
                 server->name, SLICE_ARG(why));
    server->is_without_scripts = true;
}

static enum err any_ok(struct redis *redis, uint32_t index, const struct resp *reply,
                       struct cause *why)
{
    (void)redis;
    (void)index;
    (void)reply;
    (void)why;
    return E_OK;
}

static enum err refused(const struct resp *reply, enum err err, struct cause *why)
{
    /* what follows may be the password: "unknown command 'AUTH', with args beginning with: ..." */
    struct slice text = slice_first(reply->text, slice_find(reply->text, SLICE(", with args")));
    return cause_set(why, err, "%.*s", SLICE_ARG(text));
}

static enum err judge_sign_in(struct redis *redis, uint32_t index, const struct resp *reply,
                              struct cause *why)
{
    (void)index;
    if (reply->type != RESP_ERROR)
        return E_OK;
    if (!redis->has_no_hello && (is_unknown(reply) || resp_is_error(reply, SLICE("NOPROTO")))) {
        redis->has_no_hello = true; /* signs in once more, the old way */
        return redis->server->options->protocol == 3 ? E_UNSUPPORTED
                                                     : refused(reply, E_DENIED, why);
    }
    /* a password for a server that needs none opens it all the same */
    if (slice_find(reply->text, SLICE("without any password")) < reply->text.len)
        return E_OK;
    return refused(reply, E_DENIED, why);
}

static enum err judge_select(struct redis *redis, uint32_t index, const struct resp *reply,
                             struct cause *why)
{
    (void)redis;
    (void)index;
    if (reply->type != RESP_ERROR)
        return E_OK;
    return refused(reply, resp_is_error(reply, SLICE("NOPERM")) ? E_DENIED : E_REDIS, why);
}

static uint32_t parse_version(struct slice text)
{
    struct slice word;
    uint32_t version = 0;

    for (int shift = 16; shift >= 0 && slice_cut(&text, '.', &word); shift -= 8) {
        uint64_t part = 0;
        if (slice_to_u64(word, &part) && part <= 255)
            version |= (uint32_t)part << shift;
    }
    return version;
}

static void read_info(struct redis *redis, struct slice info)
{
    struct slice line;
    struct slice version = SLICE("redis_version:");

    while (slice_cut(&info, '\n', &line)) {
        line = slice_trim(line);
        if (slice_has_prefix(line, version))
            redis->version = parse_version(slice_from(line, version.len));
        else if (slice_eq(line, SLICE("redis_mode:cluster")) ||
                 slice_eq(line, SLICE("server_mode:cluster"))) /* Valkey's word for it */
            redis->features |= BIT(REDIS_CLUSTER);
    }
}

static bool command_is_there(size_t i, const struct resp *row)
{
    int64_t arity = 0;
    if (row == NULL || row->type != RESP_ARRAY || row->count < 2)
        return false;
    return needs[i].arity == 0 || (resp_int(resp_child(row, 1), &arity) && arity == needs[i].arity);
}

/* `table` is what COMMAND INFO answered, or NULL if it refused: then the version must do. */
static void read_commands(struct redis *redis, const struct resp *table)
{
    uint32_t features = ALL_FEATURES & ~BIT(REDIS_CLUSTER);
    struct slice name;

    for (size_t i = 0; i < COUNT_OF(needs); i++) {
        bool is_there = table != NULL ? command_is_there(i, resp_child(table, (uint32_t)i))
                                      : redis->version >= needs[i].since;
        if (!is_there || !redis_alias(redis, slice_of(needs[i].command), &name))
            features &= ~BIT(needs[i].feature);
    }
    if (!redis->server->options->can_block)
        features &= ~BIT(REDIS_BLOCK);
    redis->features = (redis->features & BIT(REDIS_CLUSTER)) | features;
}

/* The last reply of this step is that of COMMAND INFO, if it may be asked at all. */
static enum err learn(struct redis *redis)
{
    struct slice command[COUNT_OF(needs) + 2] = {SLICE("COMMAND"), SLICE("INFO")};

    redis->version = redis->server->options->assumed_version;
    redis->features = 0;
    read_commands(redis, NULL);
    for (size_t i = 0; i < COUNT_OF(needs); i++)
        if (!redis_alias(redis, slice_of(needs[i].command), &command[i + 2]))
            command[i + 2] = SLICE("-"); /* no command has this name */
    enum err err = ask(redis, (struct slice[]){SLICE("INFO"), SLICE("server")}, 2);
    if (err == E_OK || err == E_UNSUPPORTED)
        err = ask(redis, command, COUNT_OF(command));
    return err == E_UNSUPPORTED ? E_OK : err;
}

static enum err judge_learn(struct redis *redis, uint32_t index, const struct resp *reply,
                            struct cause *why)
{
    (void)why;
    if (reply->type == RESP_BULK)
        read_info(redis, reply->text);
    if (index + 1 == redis->awaited)
        read_commands(redis, reply->type == RESP_ARRAY ? reply : NULL);
    return E_OK;
}

static enum err judge_verify(struct redis *redis, uint32_t index, const struct resp *reply,
                             struct cause *why)
{
    const struct redis_options *options = redis->server->options;

    if (index == 0 || reply->type != RESP_ARRAY || reply->count == 0)
        return E_OK; /* a server that does not tell is taken at its word */
    if (slice_eq(reply[1].text, SLICE("master"))) {
        redis->server->wants_primary = false;
        return E_OK;
    }
    redis->replicas++;
    /* when all are replicas, one that can be read is better than none */
    if (options->service_name == NULL && !redis->server->wants_primary &&
        redis->replicas >= options->endpoint_count)
        return E_OK;
    return cause_set(why, E_REDIS, "the server is a replica, not the primary");
}

/* ---- scripts ---- */

/* The command table names EVAL whether our user may use it or not. */
static enum err probe(struct redis *redis)
{
    if (redis->kind != REDIS_SHARED || !redis->server->options->can_block)
        return E_OK; /* a proxy may hang up on what it does not know */
    if (redis_can(redis, REDIS_SCRIPTS))
        return ask(redis, (struct slice[]){SLICE("EVAL"), SLICE("return 1"), SLICE("0")}, 3);
    without_scripts(redis, SLICE("it has no EVAL"));
    return E_OK;
}

static enum err judge_probe(struct redis *redis, uint32_t index, const struct resp *reply,
                            struct cause *why)
{
    (void)index;
    (void)why;
    if (resp_is_error(reply, SLICE("NOPERM")) || is_unknown(reply))
        without_scripts(redis, reply->text);
    return E_OK;
}

/* What a script in turn may not do is worded otherwise. */
void handshake_unlearn(struct redis *redis, const struct resp *error)
{
    bool names_eval = slice_find(error->text, SLICE("'eval'")) < error->text.len;

    if (redis_can(redis, REDIS_SCRIPTS) && names_eval && resp_is_error(error, SLICE("NOPERM")))
        without_scripts(redis, error->text);
}

/* ---- the table ---- */

static const struct {
    enum err (*start)(struct redis *redis);
    enum err (*judge)(struct redis *redis, uint32_t index, const struct resp *reply,
                      struct cause *why);
} steps[] = {
    [REDIS_SIGN_IN] = {sign_in, judge_sign_in},
    [REDIS_NAME] = {introduce, any_ok},
    [REDIS_SELECT] = {select_database, judge_select},
    [REDIS_LEARN] = {learn, judge_learn},
    [REDIS_PROBE] = {probe, judge_probe},
    [REDIS_VERIFY] = {verify, judge_verify},
};

bool handshake_refused(const struct resp *error)
{
    static const struct slice codes[] = {
        SLICE_INIT("LOADING"),     SLICE_INIT("READONLY"), SLICE_INIT("MASTERDOWN"),
        SLICE_INIT("CLUSTERDOWN"), SLICE_INIT("TRYAGAIN"),
    };

    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (resp_is_error(error, codes[i]))
            return true;
    return false;
}

bool redis_is_outage(const char *error)
{
    return handshake_refused(&(struct resp){.type = RESP_ERROR, .text = slice_of(error)});
}

enum err handshake_start(struct redis *redis)
{
    redis->awaited = redis->answered = 0;
    redis->step_err = E_OK;
    return steps[redis->state].start(redis);
}

enum err handshake_reply(struct redis *redis, uint32_t index, const struct resp *reply,
                         struct cause *why)
{
    if (resp_is_error(reply, SLICE("NOAUTH")))
        return refused(reply, E_DENIED, why);
    if (handshake_refused(reply) || resp_is_error(reply, SLICE("ERR max")))
        return refused(reply, E_REDIS, why);
    return steps[redis->state].judge(redis, index, reply, why);
}
