/* Asks the Sentinels of the connection string, in turn, which server is the primary of the group:
 *
 *   ask --> connect --> sent AUTH, SENTINEL get-master-addr-by-name --> answered: done
 *              ^  any failure: the next Sentinel, until all were asked   |
 *              +---------------------------------------------------------+
 *
 * The one that answered is asked first the next time. That its answer is true, the client finds out
 * by ROLE. */
#include <stdio.h>
#include <stdlib.h>

#include "loop/timer.h"
#include "redis/internal.h"

#define HOST_MAX_BYTES 256

struct sentinel {
    struct loop *loop;
    struct redis_server *server; /* outlives us */
    struct op *asker;            /* who waits, or NULL */
    struct op connect;           /* also ends the asker after an abort */
    struct timer *timer;         /* while somebody waits */
    struct connection *connection;
    struct stream_target target;
    size_t endpoint;
    size_t tried;
    uint32_t awaited;
    bool is_aborted;
    char host[HOST_MAX_BYTES];
    uint16_t port;
};

static void try_next(struct sentinel *sentinel);

static void tear_down(struct sentinel *sentinel)
{
    connection_free(sentinel->connection);
    sentinel->connection = NULL;
    timer_free(sentinel->timer);
    sentinel->timer = NULL;
}

static void end(struct sentinel *sentinel, enum err err)
{
    struct op *asker = sentinel->asker;
    tear_down(sentinel);
    sentinel->asker = NULL;
    op_end(asker, err);
}

static void fail(struct sentinel *sentinel, enum err err, const struct cause *why)
{
    const struct redis_options *options = sentinel->server->options;

    sentinel->asker->why = *why;
    err = cause_wrap(&sentinel->asker->why, err, "Sentinel");
    sentinel->endpoint = (sentinel->endpoint + 1) % options->endpoint_count;
    if (++sentinel->tried >= options->endpoint_count) {
        end(sentinel, err);
        return;
    }
    tear_down(sentinel);
    try_next(sentinel);
}

static void take_address(struct sentinel *sentinel, const struct resp *reply)
{
    struct cause why = {0};
    int64_t port = 0;
    const char *group = sentinel->server->options->service_name;

    if (reply->type == RESP_ERROR) {
        bool is_denied =
            resp_is_error(reply, SLICE("NOAUTH")) || resp_is_error(reply, SLICE("NOPERM"));
        fail(sentinel,
             cause_set(&why, is_denied ? E_DENIED : E_REDIS, "%.*s", SLICE_ARG(reply->text)), &why);
    } else if (reply->type != RESP_ARRAY || reply->count != 2) {
        fail(sentinel, cause_set(&why, E_NOT_FOUND, "knows no group '%s'", group), &why);
    } else if (reply[1].text.len >= HOST_MAX_BYTES || reply[1].text.len == 0 ||
               !resp_int(&reply[2], &port) || port < 1 || port > UINT16_MAX) {
        fail(sentinel, cause_set(&why, E_BAD_WIRE, "a bad address for '%s'", group), &why);
    } else {
        snprintf(sentinel->host, sizeof sentinel->host, "%.*s", SLICE_ARG(reply[1].text));
        sentinel->port = (uint16_t)port;
        end(sentinel, E_OK);
    }
}

static void on_reply(void *ctx, struct reply *reply)
{
    struct sentinel *sentinel = ctx;
    struct cause why = {0};

    if (sentinel->awaited-- == 1)
        take_address(sentinel, reply->root);
    else if (reply->root->type == RESP_ERROR)
        fail(sentinel, cause_set(&why, E_DENIED, "%.*s", SLICE_ARG(reply->root->text)), &why);
}

static void on_wrote(void *ctx)
{
    (void)ctx;
}

static void on_broken(void *ctx, enum err err, const struct cause *why)
{
    fail(ctx, err, why);
}

static const struct connection_events events = {on_reply, on_wrote, NULL, on_broken};

static void on_timeout(void *ctx)
{
    struct cause why;
    fail(ctx, cause_set(&why, E_TIMEOUT, "no answer in time"), &why);
}

static enum err send_question(struct sentinel *sentinel)
{
    const struct redis_options *options = sentinel->server->options;
    struct slice sign_in[2];
    size_t count = 0;
    uint64_t until;
    enum err err = E_OK;

    if (options->sentinel_user != NULL)
        sign_in[count++] = slice_of(options->sentinel_user);
    if (options->sentinel_password != NULL) {
        sign_in[count++] = slice_of(options->sentinel_password);
        err = connection_add(sentinel->connection, SLICE("AUTH"), sign_in, count, &until);
    }
    sentinel->awaited = options->sentinel_password != NULL ? 2 : 1;
    if (err)
        return err;
    struct slice question[] = {SLICE("GET-MASTER-ADDR-BY-NAME"), slice_of(options->service_name)};
    return connection_add(sentinel->connection, SLICE("SENTINEL"), question, 2, &until);
}

static void on_connected(struct op *op, enum err err)
{
    struct sentinel *sentinel = container_of(op, struct sentinel, connect);
    struct cause why = op->why;

    if (sentinel->is_aborted) {
        end(sentinel, E_CANCELED);
        return;
    }
    if (err == E_OK) {
        timer_set(sentinel->timer, sentinel->server->options->connect_timeout_ms);
        connection_begin(sentinel->connection);
        err = send_question(sentinel);
    }
    if (err)
        fail(sentinel, err, &why);
}

static enum err start(struct sentinel *sentinel)
{
    const struct redis_options *options = sentinel->server->options;
    const struct redis_endpoint *at = &options->endpoints[sentinel->endpoint];

    sentinel->target = (struct stream_target){.path = at->path,
                                              .host = at->host,
                                              .port = at->port,
                                              .server_name = options->tls_host,
                                              .timeout_ms = options->connect_timeout_ms};
    sentinel->timer = timer_new(sentinel->loop, on_timeout, sentinel);
    enum err err = server_tls(sentinel->server, &sentinel->target.tls, &sentinel->connect.why);
    if (err)
        return err;
    sentinel->connection = connection_new(sentinel->loop, &events, sentinel);
    return connection_start(sentinel->connection, &sentinel->target, &sentinel->connect);
}

static void try_next(struct sentinel *sentinel)
{
    sentinel->connect.why.text[0] = '\0';
    enum err err = start(sentinel);
    if (err)
        loop_later(sentinel->loop, &sentinel->connect, err);
}

static void abort_ask(struct op *op)
{
    struct sentinel *sentinel = op->runner;

    op->abort = NULL;
    sentinel->is_aborted = true;
    tear_down(sentinel);
    if (!sentinel->connect.is_busy)
        loop_later(sentinel->loop, &sentinel->connect, E_CANCELED);
}

struct sentinel *sentinel_new(struct loop *loop, struct redis_server *server)
{
    struct sentinel *sentinel = mem_new(struct sentinel);
    sentinel->loop = loop;
    sentinel->server = server;
    sentinel->connect.done = on_connected;
    return sentinel;
}

enum err sentinel_ask(struct sentinel *sentinel, struct op *op)
{
    op_begin(op, abort_ask, sentinel);
    sentinel->asker = op;
    sentinel->tried = 0;
    sentinel->is_aborted = false;
    try_next(sentinel);
    return E_OK;
}

const char *sentinel_host(const struct sentinel *sentinel)
{
    return sentinel->host;
}

uint16_t sentinel_port(const struct sentinel *sentinel)
{
    return sentinel->port;
}

void sentinel_free(struct sentinel *sentinel)
{
    if (sentinel == NULL)
        return;
    tear_down(sentinel);
    free(sentinel);
}
