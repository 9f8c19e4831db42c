/* A stream is written by the loop and read by the polling thread, which suspends its connection
 * when there is nothing to read. Both hold it; who lets go last frees it. */
#include <assert.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/server_internal.h"

#define BLOCK_BYTES 16384

static void stream_free(struct http_stream *stream)
{
    buf_done(&stream->pending);
    free(stream);
}

/* Polling thread: libmicrohttpd asks for more. */
static ssize_t on_read(void *ctx, uint64_t at, char *to, size_t max)
{
    struct http_stream *stream = ctx;
    ssize_t result = 0;

    (void)at;
    pthread_mutex_lock(&stream->server->lock);
    struct slice ready = slice_first(slice_from(buf_slice(&stream->pending), stream->sent), max);
    if (ready.len > 0) {
        memcpy(to, ready.data, ready.len);
        stream->sent += ready.len;
        result = (ssize_t)ready.len;
        if (stream->sent == stream->pending.len) {
            buf_clear(&stream->pending);
            stream->sent = 0;
        }
    } else if (stream->is_ended) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        stream->is_suspended = true;
        MHD_suspend_connection(stream->connection);
    }
    pthread_mutex_unlock(&stream->server->lock);
    return result;
}

void stream_client_left(void *ctx)
{
    struct http_stream *stream = ctx;
    struct http_server *server = stream->server;

    pthread_mutex_lock(&server->lock);
    bool is_ended = stream->is_ended;
    bool is_first = list_is_empty(&server->left);
    stream->is_gone = true;
    if (!is_ended)
        list_push(&server->left, &stream->left_node);
    pthread_mutex_unlock(&server->lock);
    if (is_ended)
        stream_free(stream);
    else if (is_first)
        wake_send(server->wake);
}

struct MHD_Response *stream_response(struct http_stream *stream)
{
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, stream,
                                             stream_client_left);
}

void stream_tell(struct http_stream *stream)
{
    if (stream->is_told)
        return;
    stream->is_told = true;
    if (stream->options.gone != NULL)
        stream->options.gone(stream->options.ctx);
}

struct http_stream *http_respond_stream(struct http_request *request, int status,
                                        const struct http_stream_options *options)
{
    struct http_server *server = request->server;
    struct http_stream *stream = mem_new(struct http_stream);

    stream->server = server;
    stream->options = *options;
    if (stream->options.buffer_max_bytes == 0)
        stream->options.buffer_max_bytes = HTTP_STREAM_MAX_BYTES;
    buf_init(&stream->pending, stream->options.buffer_max_bytes);
    stream->connection = request->connection;
    stream->is_gone = request->is_cut; /* then nobody reads it */
    list_push(&server->streams, &stream->node);
    server->owned++;
    if (!request->is_cut)
        request->stream = stream;
    if (server->closing != NULL && server->wake != NULL)
        wake_send(server->wake); /* tells it */
    http_respond(request, status, options->content_type, NULL);
    return stream;
}

enum err http_stream_write(struct http_stream *stream, struct slice bytes)
{
    enum err err = E_OK;

    pthread_mutex_lock(&stream->server->lock);
    if (stream->is_gone) {
        err = E_CLOSED;
    } else if (bytes.len >
               stream->options.buffer_max_bytes - (stream->pending.len - stream->sent)) {
        err = E_LIMIT;
    } else {
        buf_consume(&stream->pending, stream->sent);
        stream->sent = 0;
        buf_add(&stream->pending, bytes);
        if (stream->is_suspended)
            MHD_resume_connection(stream->connection);
        stream->is_suspended = false;
    }
    pthread_mutex_unlock(&stream->server->lock);
    return err;
}

void http_stream_end(struct http_stream *stream)
{
    struct http_server *server = stream->server;

    list_remove(&stream->node);
    pthread_mutex_lock(&server->lock);
    bool is_gone = stream->is_gone;
    stream->is_ended = true;
    list_remove(&stream->left_node);
    if (!is_gone && stream->is_suspended)
        MHD_resume_connection(stream->connection);
    stream->is_suspended = false;
    pthread_mutex_unlock(&server->lock);
    if (is_gone)
        stream_free(stream);
    server_let_go(server);
}
