/* Origins and their waiting calls, and time. A call is in one place: with a connection, in its
 * origin's waiting list, or in the client's ended list. */
#include "http/client.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/client_internal.h"
#include "loop/timer.h"

#define HOST_IN_KEY 3
#define KEY_MAX_BYTES (HOST_IN_KEY + URL_HOST_MAX_BYTES)

/* --- origins --- */

static void origin_free(struct http_origin *origin)
{
    free(origin->host - HOST_IN_KEY);
    free(origin->name);
    buf_done(&origin->host_line);
    free(origin);
}

void origin_drop(struct http_origin *origin)
{
    struct http_client *client = origin->client;

    if (origin->connections > 0 || origin->waiting_count > 0 || origin->is_delivering)
        return;
    if (client->last_origin == origin)
        client->last_origin = NULL;
    (void)map_remove(&client->origins, origin->key);
    origin_free(origin);
}

static void write_host_line(struct buf *out, const struct url *url)
{
    buf_init(out, KEY_MAX_BYTES + 64);
    buf_add(out, SLICE("Host: "));
    url_add_host(out, url);
    buf_add(out, SLICE("\r\n"));
}

static char *make_name(const struct url *url)
{
    static const char *const schemes[] = {"http", "https", "unix"};
    struct buf name;

    buf_init(&name, KEY_MAX_BYTES + 64);
    buf_addf(&name, "%s://%.*s", schemes[url->scheme], SLICE_ARG(url->host));
    if (url->scheme != URL_UNIX)
        buf_addf(&name, ":%u", (unsigned)url->port);
    return buf_detach(&name);
}

static struct http_origin *origin_new(struct http_client *client, const struct url *url,
                                      struct slice key)
{
    struct http_origin *origin = mem_new(struct http_origin);

    origin->client = client;
    char *text = mem_dup(key.data, key.len); /* a scheme, two bytes of port, the host */
    origin->key = (struct slice){text, key.len};
    origin->host = text + HOST_IN_KEY;
    origin->url = *url;
    origin->url.host = slice_of(origin->host);
    origin->name = make_name(&origin->url);
    write_host_line(&origin->host_line, &origin->url);
    list_init(&origin->idle);
    list_init(&origin->waiting);
    (void)map_set(&client->origins, key, origin);
    return origin;
}

static struct http_origin *origin_of(struct http_client *client, const struct url *url)
{
    char key[KEY_MAX_BYTES];
    struct http_origin *last = client->last_origin;

    if (last != NULL && last->url.scheme == url->scheme && last->url.port == url->port &&
        slice_eq(last->url.host, url->host))
        return last;
    key[0] = (char)url->scheme;
    key[1] = (char)(url->port >> 8);
    key[2] = (char)(url->port & 255);
    for (size_t i = 0; i < url->host.len; i++) {
        char c = url->host.data[i];
        key[HOST_IN_KEY + i] = url->scheme == URL_UNIX ? c : lower_of(c);
    }
    struct slice text = {key, HOST_IN_KEY + url->host.len};
    struct http_origin *origin = map_get(&client->origins, text);
    if (origin == NULL)
        origin = origin_new(client, url, text);
    client->last_origin = origin;
    return origin;
}

/* Whether the call got, or will soon get, a connection other than the one that is being freed. */
static bool origin_take(struct http_origin *origin, struct http_call *call)
{
    struct list_node *node = origin->idle.head.next;

    if (!list_is_empty(&origin->idle)) {
        connection_send(container_of(node, struct http_connection, idle_node), call);
        return true;
    }
    bool is_one_coming = origin->is_delivering && origin->waiting_count == 0;
    if (is_one_coming || origin->connections >= origin->client->options.connections_max)
        return false;
    http_connection_open(origin, call);
    return true;
}

void origin_pump(struct http_origin *origin)
{
    struct list_node *node;

    while (!origin->client->is_freed && (node = list_shift(&origin->waiting)) != NULL) {
        struct http_call *call = container_of(node, struct http_call, op.node);
        origin->waiting_count--;
        origin->client->stats.waiting--;
        if (origin_take(origin, call))
            continue;
        list_unshift(&origin->waiting, &call->op.node);
        origin->waiting_count++;
        origin->client->stats.waiting++;
        return;
    }
}

/* --- the end of a call --- */

void call_end(struct http_call *call, enum err err)
{
    call->connection = NULL;
    list_remove(&call->timed);
    if (err)
        (void)!cause_wrap(&call->op.why, err, "%s", call->origin->name);
    op_end(&call->op, err);
}

static void end_waiting(struct http_call *call, enum err err)
{
    struct http_origin *origin = call->origin;
    struct http_client *client = origin->client;

    list_remove(&call->op.node);
    list_remove(&call->timed);
    origin->waiting_count--;
    client->stats.waiting--;
    call->ending = cause_wrap(&call->op.why, err, "%s", origin->name);
    call->origin = NULL;
    list_push(&client->ended, &call->op.node);
    if (!client->flush.is_busy)
        loop_later(client->loop, &client->flush, E_OK);
    origin_drop(origin);
}

static void on_flush(struct op *op, enum err err)
{
    struct http_client *client = container_of(op, struct http_client, flush);
    struct list due;
    struct list_node *node;

    (void)err;
    list_move(&due, &client->ended);
    while ((node = list_shift(&due)) != NULL) {
        struct http_call *call = container_of(node, struct http_call, op.node);
        op_end(&call->op, call->ending);
    }
    client_drop(client);
}

static void call_stop(struct http_call *call, enum err err)
{
    struct http_connection *connection = call->connection;

    if (connection == NULL) {
        if (call->origin != NULL) /* else it is ending already */
            end_waiting(call, err);
    } else if (connection->stream != NULL) {
        connection_close(connection, err, NULL);
    } else if (connection->may_retry) { /* closing, to be sent once more */
        connection->may_retry = false;
        call->ending = err;
    }
}

static void call_abort(struct op *op)
{
    call_stop(container_of(op, struct http_call, op), E_CANCELED);
}

/* --- time --- */

void client_watch_time(struct http_client *client, uint64_t at_ms)
{
    uint64_t now_ms = loop_now_ms(client->loop);

    if (client->is_freed || (client->timer_at_ms != 0 && client->timer_at_ms <= at_ms))
        return;
    client->timer_at_ms = at_ms;
    timer_set(client->timer, at_ms > now_ms ? at_ms - now_ms : 1);
}

void call_limit(struct http_call *call, uint64_t at_ms)
{
    struct http_client *client = call->origin->client;

    if (list_holds(&call->timed) && call->expires_at_ms <= at_ms)
        return;
    call->expires_at_ms = at_ms;
    if (!list_holds(&call->timed))
        list_push(&client->timed, &call->timed);
    client_watch_time(client, at_ms);
}

static void expire(struct http_call *call)
{
    list_remove(&call->timed);
    call_stop(call, call->connection != NULL ? call->connection->late_err : E_TIMEOUT);
}

static void close_unused(struct http_client *client, uint64_t now_ms)
{
    struct http_connection *c;

    list_each (&client->idle, struct http_connection, unused_node, c) {
        uint64_t until_ms = c->unused_since_ms + client->options.idle_timeout_ms;
        if (until_ms > now_ms) {
            client_watch_time(client, until_ms);
            return;
        }
        connection_close(c, E_TIMEOUT, NULL);
    }
}

static void on_time(void *ctx)
{
    struct http_client *client = ctx;
    uint64_t now_ms = loop_now_ms(client->loop);
    uint64_t next_ms = UINT64_MAX;
    struct http_call *call;

    client->timer_at_ms = 0;
    list_each (&client->timed, struct http_call, timed, call) {
        if (call->expires_at_ms <= now_ms)
            expire(call);
        else if (call->expires_at_ms < next_ms)
            next_ms = call->expires_at_ms;
    }
    if (next_ms != UINT64_MAX)
        client_watch_time(client, next_ms);
    close_unused(client, now_ms);
}

/* --- calls --- */

/* Fields that decide about framing or the connection are the client's own. */
bool http_may_give(struct slice name)
{
    static const struct slice names[] = {
        SLICE_INIT("Host"),       SLICE_INIT("Content-Length"), SLICE_INIT("Transfer-Encoding"),
        SLICE_INIT("Connection"), SLICE_INIT("Expect"),         SLICE_INIT("Upgrade"),
        SLICE_INIT("TE"),
    };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (name.len == names[i].len && slice_eq_nocase(name, names[i]))
            return false;
    return http1_is_token(name);
}

static enum err check_head(const struct http_call *call, struct cause *why)
{
    size_t bytes = call->method.len + call->url.path.len + call->url.query.len;

    if (!http1_is_token(call->method))
        return cause_set(why, E_BAD_INPUT, "the method is no token");
    for (size_t i = 0; i < call->header_count; i++) {
        const struct http_header *field = &call->headers[i];
        if (!http_may_give(field->name))
            return cause_set(why, E_BAD_INPUT, "header '%.*s': not a name that may be given",
                             SLICE_ARG(field->name));
        if (!http1_is_value(field->value))
            return cause_set(why, E_BAD_INPUT, "header '%.*s': its value has a control byte",
                             SLICE_ARG(field->name));
        bytes += field->name.len + field->value.len + 4;
    }
    if (bytes > HTTP_HEAD_MAX_BYTES)
        return cause_set(why, E_LIMIT, "the head of the request is %zu bytes long", bytes);
    return E_OK;
}

static enum err check(const struct http_client *client, const struct http_call *call,
                      struct cause *why)
{
    const struct url *url = &call->url;

    if (url->host.len == 0 || url->host.len > URL_HOST_MAX_BYTES || url->path.len == 0)
        return cause_set(why, E_BAD_INPUT, "the URL was not parsed");
    if (url->scheme == URL_HTTPS && client->options.tls == NULL)
        return cause_set(why, E_UNSUPPORTED, "https without TLS settings");
    if (call->body_count > HTTP_BODY_PARTS_MAX)
        return cause_set(why, E_LIMIT, "the body has %zu parts", call->body_count);
    return check_head(call, why);
}

enum err http_send(struct http_client *client, struct http_call *call)
{
    assert(!client->is_freed);
    enum err err = check(client, call, &call->op.why);

    if (err)
        return err;
    op_begin(&call->op, call_abort, client);
    call->origin = origin_of(client, &call->url);
    call->connection = NULL;
    call->status = 0;
    call->response = SLICE_NONE;
    call->head = NULL;
    call->ending = E_OK;
    call->was_retried = false;
    if (call->response_max_bytes == 0)
        call->response_max_bytes = HTTP_RESPONSE_MAX_BYTES;
    if (call->timeout_ms > 0)
        call_limit(call, loop_now_ms(client->loop) + call->timeout_ms);
    if (origin_take(call->origin, call))
        return E_OK;
    list_push(&call->origin->waiting, &call->op.node);
    call->origin->waiting_count++;
    client->stats.waiting++;
    return E_OK;
}

struct slice http_call_header(const struct http_call *call, struct slice name)
{
    return call->head == NULL ? SLICE_NONE : http1_head_find(call->head, name);
}

/* --- life --- */

struct http_client *http_client_new(struct loop *loop, const struct http_client_options *options)
{
    struct http_client *client = mem_new(struct http_client);

    client->loop = loop;
    client->options = *options;
    if (client->options.connections_max == 0)
        client->options.connections_max = HTTP_CLIENT_CONNECTIONS;
    if (client->options.idle_timeout_ms == 0)
        client->options.idle_timeout_ms = HTTP_CLIENT_IDLE_MS;
    if (client->options.connect_timeout_ms == 0)
        client->options.connect_timeout_ms = HTTP_CLIENT_CONNECT_MS;
    list_init(&client->all);
    list_init(&client->idle);
    list_init(&client->timed);
    list_init(&client->ended);
    client->flush.done = on_flush;
    client->timer = timer_new(loop, on_time, client);
    return client;
}

void client_drop(struct http_client *client)
{
    if (!client->is_freed || client->stats.open > 0 || client->flush.is_busy ||
        client->origins.count > 0)
        return;
    map_done(&client->origins);
    free(client);
}

static void cancel_waiting(struct http_client *client)
{
    size_t at = 0;
    struct slice key;
    void *value;

    while (map_next(&client->origins, &at, &key, &value)) {
        struct http_origin *origin = value;
        struct http_call *call;
        bool was_delivering = origin->is_delivering;
        origin->is_delivering = true; /* keeps it while it is walked */
        list_each (&origin->waiting, struct http_call, op.node, call) {
            end_waiting(call, E_CANCELED);
        }
        origin->is_delivering = was_delivering;
        origin_drop(origin);
    }
}

void http_client_free(struct http_client *client)
{
    struct http_connection *c;

    if (client == NULL)
        return;
    client->is_freed = true;
    timer_free(client->timer);
    client->timer = NULL;
    cancel_waiting(client);
    list_each (&client->all, struct http_connection, node, c) {
        connection_close(c, E_CANCELED, NULL);
    }
    client_drop(client);
}

struct http_client_stats http_client_stats(const struct http_client *client)
{
    return client->stats;
}
