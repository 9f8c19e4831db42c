/* The thread of libmicrohttpd, and what it calls. For each request, in this order:
 *
 *   on_target --> on_access (head) --> on_access (body)... --> on_access (end): suspend, hand over
 *        --> the loop answers and resumes --> on_access: queue the answer --> on_completed
 *
 * What is refused is answered at the end without the loop. on_completed may come at any point, when
 * the connection breaks; but not between suspend and resume. */
#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/server_internal.h"

#define SPARE_MAX 256
#define PEM_MAX_BYTES (64 * 1024)
#define DISCARD_MAX_BYTES                                                                          \
    (16 * 1024 * 1024) /* read and dropped, so that the client sees the 413                        \
                        */

/* --- refusals --- */

static const struct refusal {
    int status;
    const char *body; /* in the shape that Azure's services use */
} refusals[] = {
    {400, "{\"error\":{\"code\":\"BadRequest\",\"message\":\"The request is malformed.\"}}"},
    {413, "{\"error\":{\"code\":\"RequestEntityTooLarge\","
          "\"message\":\"The request's body is larger than the server accepts.\"}}"},
    {414, "{\"error\":{\"code\":\"UriTooLong\",\"message\":\"The URL has too many parts.\"}}"},
    {500, "{\"error\":{\"code\":\"InternalServerError\","
          "\"message\":\"The answer is larger than the server may make.\"}}"},
    {503, "{\"error\":{\"code\":\"ServiceUnavailable\",\"message\":\"The server is closing.\"}}"},
};

static enum MHD_Result queue(struct MHD_Connection *connection, int status,
                             struct MHD_Response *response)
{
    enum MHD_Result result = MHD_NO;

    if (response != NULL) {
        result = MHD_queue_response(connection, (unsigned int)status, response);
        MHD_destroy_response(response);
    }
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, int status, bool must_close)
{
    const struct refusal *row = &refusals[0];

    for (size_t i = 0; i < COUNT_OF(refusals); i++)
        if (refusals[i].status == status)
            row = &refusals[i];
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(row->body), (void *)(uintptr_t)row->body, MHD_RESPMEM_PERSISTENT);
    if (response != NULL) {
        MHD_add_response_header(response, "Content-Type", "application/json");
        if (must_close)
            MHD_add_response_header(response, "Connection", "close");
    }
    return queue(connection, row->status, response);
}

/* --- answers --- */

static struct MHD_Response *response_new(struct http_request *request)
{
    if (request->stream != NULL)
        return stream_response(request->stream);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        request->reply_bytes, request->reply, MHD_RESPMEM_MUST_FREE);
    if (response != NULL)
        request->reply = NULL; /* the response's now */
    return response;
}

static enum MHD_Result answer(struct http_request *request)
{
    struct MHD_Response *response = response_new(request);
    struct slice rest = buf_slice(&request->fields);

    if (response == NULL)
        return MHD_NO;
    request->stream = NULL; /* from now on the response tells it */
    while (rest.len > 0) {
        const char *name = rest.data;
        const char *value = name + strlen(name) + 1;
        MHD_add_response_header(response, name, value);
        rest = slice_from(rest, (size_t)(value - name) + strlen(value) + 1);
    }
    return queue(request->connection, request->status, response);
}

/* --- requests --- */

static struct http_request *take_spare(struct http_server *server)
{
    struct list_node *node = list_shift(&server->spare);

    if (node == NULL)
        return request_new(server, &server->options);
    server->spare_count--;
    return container_of(node, struct http_request, node);
}

static void recycle(struct http_server *server, struct http_request *request)
{
    if (server->spare_count == SPARE_MAX) {
        request_free(request);
        return;
    }
    request_reset(request);
    server->spare_count++;
    list_unshift(&server->spare, &request->node); /* the warmest first */
}

static void *on_target(void *ctx, const char *target, struct MHD_Connection *connection)
{
    struct http_server *server = ctx;
    struct http_request *request = take_spare(server);

    (void)connection;
    enum err err = request_set_target(request, slice_of(target));
    if (err)
        request->refused_status = err == E_LIMIT ? 414 : 400;
    return request;
}

/* Two lengths are how requests are smuggled past a proxy. */
static bool is_ambiguous(struct http_request *request)
{
    return http_request_header(request, SLICE("Content-Length")).data != NULL &&
           http_request_header(request, SLICE("Transfer-Encoding")).data != NULL;
}

static enum MHD_Result on_head(struct http_request *request, const char *method)
{
    size_t method_len = strlen(method);
    uint64_t length = 0;

    if (is_ambiguous(request) || method_len > METHOD_MAX_BYTES)
        return refuse(request->connection, 400, true);
    memcpy(request->method, method, method_len + 1);
    if (!slice_to_u64(http_request_header(request, SLICE("Content-Length")), &length))
        return MHD_YES;
    if (length <= request->body.max_bytes) {
        (void)buf_reserve(&request->body, (size_t)length < 65536 ? (size_t)length : 65536);
        return MHD_YES;
    }
    request->refused_status = 413;
    if (length > DISCARD_MAX_BYTES || http_request_header(request, SLICE("Expect")).data != NULL)
        return refuse(request->connection, 413, true);
    return MHD_YES;
}

static enum MHD_Result on_body(struct http_request *request, struct slice bytes)
{
    if (request->refused_status == 0) {
        buf_add(&request->body, bytes);
        if (buf_err(&request->body) == E_OK)
            return MHD_YES;
        request->refused_status = 413;
    }
    request->discarded_bytes += bytes.len;
    return request->discarded_bytes > DISCARD_MAX_BYTES ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_end(struct http_request *request)
{
    struct http_server *server = request->server;

    if (request->refused_status != 0)
        return refuse(request->connection, request->refused_status, false);
    pthread_mutex_lock(&server->lock);
    bool is_draining = server->is_draining;
    bool is_first = list_is_empty(&server->arrived);
    if (!is_draining) {
        request->is_live = true;
        server->live++;
        MHD_suspend_connection(request->connection);
        list_push(&server->arrived, &request->node);
    }
    pthread_mutex_unlock(&server->lock);
    if (is_draining)
        return refuse(request->connection, 503, true);
    if (is_first) /* else the loop was woken already and has not looked yet */
        wake_send(server->wake);
    return MHD_YES;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's */
static enum MHD_Result on_access(void *ctx, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *data_len, void **request_ctx)
{
    struct http_request *request = *request_ctx;

    (void)ctx, (void)url, (void)version;
    if (request->connection == NULL) {
        request->connection = connection;
        return on_head(request, method);
    }
    if (*data_len > 0) {
        struct slice bytes = {data, *data_len};
        *data_len = 0;
        return on_body(request, bytes);
    }
    if (request->is_cut)
        return refuse(connection, 503, true);
    return request->is_answered ? answer(request) : on_end(request);
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request_ctx,
                         enum MHD_RequestTerminationCode code)
{
    struct http_server *server = ctx;
    struct http_request *request = *request_ctx;

    (void)connection, (void)code;
    if (request == NULL)
        return;
    *request_ctx = NULL;
    if (request->stream != NULL) /* answered with it, but the connection broke first */
        stream_client_left(request->stream);
    bool is_cut = request->is_cut;
    pthread_mutex_lock(&server->lock);
    if (request->is_live)
        server->live--;
    bool is_last = server->is_draining && server->live == 0;
    bool is_free = is_cut && request->is_let_go;
    request->is_let_go = true;
    pthread_mutex_unlock(&server->lock);
    if (!is_cut)
        recycle(server, request);
    else if (is_free)
        request_free(request);
    if (is_last)
        wake_send(server->wake);
}

/* Escapes are decoded by request.c, after the path was split. */
static size_t keep_escapes(void *ctx, struct MHD_Connection *connection, char *text)
{
    (void)ctx, (void)connection;
    return strlen(text);
}

int polling_socket(const struct http_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info != NULL ? info->connect_fd : -1;
}

void polling_hand_back(struct http_request *request)
{
    MHD_resume_connection(request->connection);
}

static enum err read_pem(const char *path, char ret[static PEM_MAX_BYTES], struct cause *why)
{
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return cause_set(why, E_TLS, "%s: %s", path, strerror(errno));
    size_t len = fread(ret, 1, PEM_MAX_BYTES - 1, file);
    bool is_whole = ferror(file) == 0 && len < PEM_MAX_BYTES - 1;
    fclose(file);
    ret[len] = '\0';
    return is_whole ? E_OK : cause_set(why, E_TLS, "%s: cannot be read, or is too long", path);
}

/* What a server with TLS has more; copied by libmicrohttpd. */
struct identity {
    char cert[PEM_MAX_BYTES], key[PEM_MAX_BYTES];
};

static enum err read_identity(const struct http_server_options *options, struct identity *ret,
                              struct cause *why)
{
    enum err err = read_pem(options->cert_file, ret->cert, why);
    return err ? err : read_pem(options->key_file, ret->key, why);
}

static struct MHD_Daemon *start(struct http_server *server, int fd, unsigned flags,
                                struct MHD_OptionItem *more)
{
    return MHD_start_daemon(
        flags | MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_access,
        server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, server, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes,
        NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)server->options.connections_max,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)server->options.timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_REQUEST_HEAD_MAX_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
}

enum err polling_start(struct http_server *server, int fd, struct cause *why)
{
    bool is_tls = server->options.cert_file != NULL;
    char priorities[] = "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1";
    struct identity identity;
    sigset_t all, before;

    enum err err = is_tls ? read_identity(&server->options, &identity, why) : E_OK;
    if (err)
        return err;
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, identity.cert},
                                   {MHD_OPTION_HTTPS_MEM_KEY, 0, identity.key},
                                   {MHD_OPTION_HTTPS_PRIORITIES, 0, priorities},
                                   {MHD_OPTION_END, 0, NULL}};
    sigfillset(&all); /* signals are the loop's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    server->daemon = is_tls ? start(server, fd, MHD_USE_TLS, tls) : start(server, fd, 0, tls + 3);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    explicit_bzero(&identity, sizeof identity);
    if (server->daemon != NULL)
        return E_OK;
    return is_tls ? cause_set(why, E_TLS, "%s: cannot be used, or the HTTP thread did not start",
                              server->options.cert_file)
                  : cause_set(why, E_IO, "the HTTP thread did not start");
}
