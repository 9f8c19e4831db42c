/* redis/testing_fake.h - a server that says what a test tells it, in the test's own process and
 * loop, for what a real one says rarely or never. Rules: the handshake is answered as a 7.0 does
 * it. Every other command is noted as a line of words in `heard` and answered by the first rule
 * that its line begins with; one that no rule knows fails the test. A script is noted by the last
 * command it calls: "EVAL:XGROUP 1 s f n1". A rule that answers FAKE_WAIT blocks that client until
 * fake_say(); FAKE_DROP closes its connection.
 *
 * Replies are written as words: +OK, -ERR why, :5, nil, text, [text [1-0 [a b]] :5]; one that ends
 * with a line end is sent as it is. */
#ifndef REDIS_TESTING_FAKE_H
#define REDIS_TESTING_FAKE_H

#include "redis/testing.h"
#include "wire/resp.h"

#define FAKE_CLIENTS_MAX 16
#define FAKE_RULES_MAX 64
#define FAKE_WAIT "(wait)"
#define FAKE_DROP "(drop)"

struct fake_client {
    int fd; /* 0 = none */
    struct buf in, out;
    struct resp_parser parser;
    char *held;         /* the command that waits for fake_say() */
    bool is_subscribed; /* gets what fake_publish() says */
    bool is_dripping;   /* `out` leaves in drops */
    uint64_t next_drop_ms;
};

struct fake_rule {
    const char *words, *reply;
    bool is_once;
    bool is_used_up;
};

struct fake_server {
    struct timer *timer;
    int listener;
    struct test_server place; /* place.conn: the connection string */
    struct fake_client clients[FAKE_CLIENTS_MAX];
    struct fake_rule rules[FAKE_RULES_MAX];
    size_t rule_count;
    struct buf heard;    /* "XACK s f 1-0\n" .. */
    size_t words;        /* of the last command heard: its arguments and one */
    uint32_t drip_ms;    /* between the bytes of a reply; 0 = all at once */
    bool is_flooding;    /* what drips begins again at its end */
    bool is_silent;      /* accepts and says nothing */
    const char *version; /* as INFO tells it */
};

/* ---- replies ---- */

static inline void fake_write_word(struct buf *out, struct slice word)
{
    if (slice_eq(word, SLICE("nil")))
        buf_add(out, SLICE("$-1\r\n"));
    else if (word.len > 0 && (word.data[0] == ':' || word.data[0] == '+'))
        buf_addf(out, "%.*s\r\n", SLICE_ARG(word));
    else
        resp_write_bulk(out, word);
}

/* One word or one [array]; returns what is behind it. */
static inline const char *fake_write_one(struct buf *out, const char *at)
{
    struct buf children;
    size_t count = 0;

    if (*at != '[') {
        size_t len = strcspn(at, " ]");
        fake_write_word(out, (struct slice){at, len});
        return at + len;
    }
    buf_init(&children, 1 << 20);
    for (at++; *at != ']'; count++) {
        assert_true(*at != '\0');
        at = fake_write_one(&children, at);
        at += strspn(at, " ");
    }
    resp_write_array(out, count);
    buf_add(out, buf_slice(&children));
    buf_done(&children);
    return at + 1;
}

static inline void fake_write(struct buf *out, const char *reply)
{
    size_t len = strlen(reply);

    if (len > 0 && reply[len - 1] == '\n')
        buf_add(out, slice_of(reply));
    else if (reply[0] == '-' || reply[0] == '+')
        buf_addf(out, "%s\r\n", reply); /* of many words */
    else
        fake_write_one(out, reply);
}

/* ---- what is heard ---- */

/* The word after the last "redis.call('". */
static inline struct slice fake_script_name(struct slice script)
{
    const struct slice mark = SLICE("redis.call('");
    struct slice name = SLICE("?");

    for (size_t at; (at = slice_find(script, mark)) < script.len;) {
        script = slice_from(script, at + mark.len);
        name = slice_first(script, slice_find_byte(script, '\''));
    }
    return name;
}

static inline char *fake_line(const struct resp *command)
{
    struct buf line;
    uint32_t at = 0;

    buf_init(&line, 1 << 20);
    if (slice_eq(command[1].text, SLICE("EVAL"))) {
        struct slice name = fake_script_name(command[2].text);
        buf_addf(&line, "EVAL:%.*s", SLICE_ARG(name));
        at = 2;
    }
    for (; at < command->count; at++) {
        buf_add(&line, line.len > 0 ? SLICE(" ") : SLICE(""));
        buf_add(&line, command[1 + at].text);
    }
    return buf_detach(&line);
}

static inline bool fake_begins(const char *line, const char *words)
{
    return strncmp(line, words, strlen(words)) == 0;
}

/* How many commands were heard that begin with these words. */
static inline size_t fake_heard(struct fake_server *fake, const char *words)
{
    struct slice rest = buf_slice(&fake->heard), line;
    size_t count = 0;

    while (slice_cut(&rest, '\n', &line))
        count += line.len > 0 && slice_has_prefix(line, slice_of(words));
    return count;
}

/* ---- clients ---- */

static inline void fake_drop(struct fake_client *client)
{
    if (client->fd == 0)
        return;
    close(client->fd);
    buf_done(&client->in);
    buf_done(&client->out);
    resp_parser_done(&client->parser);
    free(client->held);
    *client = (struct fake_client){0};
}

static inline bool fake_shakes_hands(struct fake_server *fake, struct fake_client *client,
                                     const char *line)
{
    static const char *const fine[] = {"HELLO", "AUTH", "CLIENT SET", "SELECT"};

    for (size_t i = 0; i < COUNT_OF(fine); i++)
        if (fake_begins(line, fine[i])) {
            fake_write(&client->out, "+OK");
            return true;
        }
    if (fake_begins(line, "INFO server")) {
        buf_addf(&client->out, "$%zu\r\nredis_version:%s\r\n", strlen(fake->version) + 14,
                 fake->version);
        return true;
    }
    if (fake_begins(line, "COMMAND INFO"))
        fake_write(&client->out, "-ERR unknown command"); /* the version must do */
    else if (strcmp(line, "PING") == 0)
        fake_write(&client->out, "+PONG");
    else if (strcmp(line, "EVAL:? 0") == 0)
        fake_write(&client->out, ":1"); /* scripts are allowed */
    else
        return false;
    return true;
}

static inline struct fake_rule *fake_rule_for(struct fake_server *fake, const char *line)
{
    struct fake_rule *found = NULL;

    for (size_t i = 0; i < fake->rule_count; i++) {
        struct fake_rule *rule = &fake->rules[i];
        if (rule->is_used_up || !fake_begins(line, rule->words))
            continue;
        if (rule->is_once)
            return rule; /* the oldest of these; of the lasting ones the newest */
        found = rule;
    }
    return found;
}

static inline void fake_answer(struct fake_server *fake, struct fake_client *client,
                               const struct resp *command)
{
    char *line = fake_line(command);

    if (fake_shakes_hands(fake, client, line)) {
        free(line);
        return;
    }
    bool is_subscription = fake_begins(line, "SUBSCRIBE") || fake_begins(line, "PSUBSCRIBE");
    buf_addf(&fake->heard, "%s\n", line);
    fake->words = command->count;
    struct fake_rule *rule = fake_rule_for(fake, line);
    if (rule == NULL)
        fail_msg("the fake server has no rule for: %s", line);
    rule->is_used_up = rule->is_once;
    if (strcmp(rule->reply, FAKE_WAIT) == 0) {
        client->held = line;
        return;
    }
    free(line);
    if (strcmp(rule->reply, FAKE_DROP) == 0) {
        fake_drop(client);
        return;
    }
    client->is_dripping = fake->drip_ms > 0;
    client->is_subscribed = client->is_subscribed || is_subscription;
    fake_write(&client->out, rule->reply);
}

static inline void fake_hear(struct fake_server *fake, struct fake_client *client)
{
    const struct resp_limits limits = {64 << 20, 100000, 2};
    size_t used;

    while (client->fd != 0 && client->held == NULL &&
           resp_parse(&client->parser, buf_slice(&client->in), &limits, &used, NULL) == E_OK) {
        struct resp *command = resp_parser_detach(&client->parser);
        fake_answer(fake, client, command);
        free(command);
        if (client->fd == 0)
            return;
        resp_parser_next(&client->parser);
        buf_consume(&client->in, used);
    }
}

static inline void fake_read(struct fake_client *client)
{
    for (;;) {
        char *room = buf_reserve(&client->in, 65536);
        ssize_t got = recv(client->fd, room, 65536, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            fake_drop(client);
            return;
        }
        buf_grow(&client->in, (size_t)got);
    }
}

static inline void fake_send(struct fake_server *fake, struct fake_client *client)
{
    size_t len = client->out.len;

    if (len == 0 || (client->is_dripping && clock_now_ms() < client->next_drop_ms))
        return;
    if (client->is_dripping)
        len = 1;
    ssize_t sent = send(client->fd, client->out.data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        fake_drop(client);
        return;
    }
    if (sent > 0 && fake->is_flooding && client->is_dripping)
        buf_add_byte(&client->out, client->out.data[0]);
    buf_consume(&client->out, sent > 0 ? (size_t)sent : 0);
    client->next_drop_ms = clock_now_ms() + fake->drip_ms;
}

/* Serves everybody; the loop does it each millisecond, a test that keeps the loop busy may too. */
static inline void fake_serve(void *ctx)
{
    struct fake_server *fake = ctx;
    int fd = accept(fake->listener, NULL, NULL);

    for (size_t i = 0; fd >= 0 && i < FAKE_CLIENTS_MAX; i++) {
        struct fake_client *client = &fake->clients[i];
        if (client->fd != 0)
            continue;
        client->fd = fd;
        fd = -1;
        buf_init(&client->in, 64 << 20);
        buf_init(&client->out, 64 << 20);
    }
    assert_true(fd < 0);
    for (size_t i = 0; i < FAKE_CLIENTS_MAX; i++) {
        struct fake_client *client = &fake->clients[i];
        if (client->fd != 0 && !fake->is_silent)
            fake_read(client);
        if (client->fd != 0 && !fake->is_silent)
            fake_hear(fake, client);
        if (client->fd != 0)
            fake_send(fake, client);
    }
}

/* ---- what a test does with it ---- */

static inline void fake_start(struct fake_server *fake)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *fake = (struct fake_server){.version = "7.0.0"};
    buf_init(&fake->heard, 16 << 20);
    test_server_place(&fake->place);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", fake->place.path);
    fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fake->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fake->listener, FAKE_CLIENTS_MAX), 0);
    fake->timer = timer_new(loop, fake_serve, fake);
    timer_every(fake->timer, 1);
}

/* fake_cut closes every connection. */
static inline void fake_cut(struct fake_server *fake)
{
    for (size_t i = 0; i < FAKE_CLIENTS_MAX; i++)
        fake_drop(&fake->clients[i]);
}

static inline void fake_stop(struct fake_server *fake)
{
    fake_cut(fake);
    timer_free(fake->timer);
    close(fake->listener);
    test_server_stop(&fake->place);
    buf_done(&fake->heard);
}

static inline void fake_rule(struct fake_server *fake, const char *words, const char *reply,
                             bool is_once)
{
    size_t kept = 0;

    for (size_t i = 0; i < fake->rule_count; i++)
        if (!fake->rules[i].is_used_up)
            fake->rules[kept++] = fake->rules[i];
    fake->rule_count = kept;
    assert_true(fake->rule_count < FAKE_RULES_MAX);
    fake->rules[fake->rule_count++] = (struct fake_rule){words, reply, is_once, false};
}

/* fake_on answers from now on; fake_once the next one only, and goes first. The texts are borrowed.
 */
static inline void fake_on(struct fake_server *fake, const char *words, const char *reply)
{
    fake_rule(fake, words, reply, false);
}

static inline void fake_once(struct fake_server *fake, const char *words, const char *reply)
{
    fake_rule(fake, words, reply, true);
}

static inline struct fake_client *fake_holds(struct fake_server *fake, const char *words)
{
    for (size_t i = 0; i < FAKE_CLIENTS_MAX; i++)
        if (fake->clients[i].held != NULL && fake_begins(fake->clients[i].held, words))
            return &fake->clients[i];
    return NULL;
}

struct fake_question {
    struct fake_server *fake;
    const char *words;
    size_t count;
};

static inline bool fake_has_heard(void *ctx)
{
    const struct fake_question *q = ctx;
    return fake_heard(q->fake, q->words) >= q->count;
}

static inline bool fake_is_held(void *ctx)
{
    const struct fake_question *q = ctx;
    return fake_holds(q->fake, q->words) != NULL;
}

/* fake_await: until so many commands that begin with these words were heard, ever. */
static inline void fake_await(struct fake_server *fake, const char *words, size_t count)
{
    struct fake_question q = {fake, words, count};

    if (!test_wait_ms(loop, fake_has_heard, &q, TEST_DEADLINE_MS)) {
        fputs(buf_text(&fake->heard), stderr);
        fail_msg("'%s' was not heard %zu times", words, count);
    }
}

/* fake_publish says it to all that have subscribed: [message c hello] */
static inline void fake_publish(struct fake_server *fake, const char *message)
{
    for (size_t i = 0; i < FAKE_CLIENTS_MAX; i++)
        if (fake->clients[i].is_subscribed)
            fake_write(&fake->clients[i].out, message);
}

/* fake_say answers a command that waits, and waits until there is one. */
static inline void fake_say(struct fake_server *fake, const char *words, const char *reply)
{
    struct fake_question q = {fake, words, 0};

    if (!test_wait_ms(loop, fake_is_held, &q, TEST_DEADLINE_MS)) {
        fputs(buf_text(&fake->heard), stderr);
        fail_msg("no '%s' waits", words);
    }
    struct fake_client *client = fake_holds(fake, words);
    free(client->held);
    client->held = NULL;
    fake_write(&client->out, reply);
}

#endif
