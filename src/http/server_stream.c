/* Answers that go on: each write is a chunk, which leaves at the end of the turn. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http/server_internal.h"

void stream_sending(struct http_stream *stream)
{
    stream->sending_bytes = stream->out_bytes;
    stream->out_bytes = 0;
}

void stream_tell(struct http_stream *stream)
{
    if (stream->is_told)
        return;
    stream->is_told = true;
    if (stream->options.gone != NULL)
        stream->options.gone(stream->options.ctx);
}

static void attach(struct http_stream *stream, struct caller *c, struct http_request *request,
                   int status)
{
    if (stream->options.content_type != NULL)
        (void)http_reply_header(request, SLICE("Content-Type"),
                                slice_of(stream->options.content_type));
    reply_head(c, request, status, NULL);
    if (!request->is_head) { /* else there is nothing more to be sent */
        stream->caller = c;
        stream->is_chunked = !request->head.is_http10;
        c->streaming = stream;
    }
    caller_answered(c);
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
    list_push(&server->streams, &stream->node);
    server->owned++;
    if (request->caller != NULL)
        attach(stream, request->caller, request, status);
    if (stream->caller == NULL || server->is_closing)
        server_look(server); /* tells it */
    server_end_request(request);
    return stream;
}

enum err http_stream_write(struct http_stream *stream, struct slice bytes)
{
    struct caller *c = stream->caller;
    char size[20];

    if (c == NULL)
        return E_CLOSED;
    if (bytes.len > stream->options.buffer_max_bytes - (stream->out_bytes + stream->sending_bytes))
        return E_LIMIT;
    if (bytes.len == 0) /* a chunk of nothing would be the end */
        return E_OK;
    if (stream->is_chunked) {
        snprintf(size, sizeof size, "%zx\r\n", bytes.len);
        reply_add(c, slice_of(size));
    }
    reply_add(c, bytes);
    if (stream->is_chunked)
        reply_add(c, SLICE("\r\n"));
    stream->out_bytes += bytes.len;
    reply_send(c);
    return E_OK;
}

void http_stream_end(struct http_stream *stream)
{
    struct http_server *server = stream->server;
    struct caller *c = stream->caller;

    if (c != NULL) {
        if (stream->is_chunked)
            reply_add(c, SLICE("0\r\n\r\n"));
        c->streaming = NULL;
        caller_answered(c);
    }
    list_remove(&stream->node);
    free(stream);
    server_let_go(server);
}
