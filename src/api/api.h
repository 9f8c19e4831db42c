/* api/api.h - what the daemon answers over HTTP: health, metrics, and what the commands ask.
 * Rules: a table of routes (api.c); to add one, a row and a handler. Every answer but /metrics and
 * the logs is one JSON value. With a token, all but /healthz and /readyz demand it. */
#ifndef API_API_H
#define API_API_H

#include "base/buf.h"

struct api;
struct host;
struct http_request;
struct log_ring;
struct loop;
struct metrics;
struct router;

/* What the API asks of the program around it. */
struct api_program {
    /* Why it is not ready, one reason a line; nothing when it is. */
    void (*reasons)(void *ctx, struct buf *ret);
    /* Members of the status page besides the functions, as member_text() and the like write them.
     */
    void (*describe)(void *ctx, struct buf *out);
    void (*refresh)(void *ctx); /* sets the metrics that are true only when looked at */
    void (*reload)(void *ctx);
    void *ctx;
};

struct api_options {
    struct loop *loop;
    struct metrics *metrics;
    struct log_ring *logs;
    const char *token; /* NULL or "" = none is demanded */
    struct api_program program;
    /* Answers what no route here does; NULL = 404. */
    void (*rest)(void *ctx, struct http_request *request);
    void *rest_ctx;
};

struct api *api_new(const struct api_options *options);
/* api_host tells which host there is now; NULL before it is made and after it is gone. */
void api_host(struct api *api, struct host *host);
/* api_token changes what callers must send. */
void api_token(struct api *api, const char *token);
/* api_router: the same for the event router. */
void api_router(struct api *api, struct router *router);
/* api_end_streams ends the answers that go on, about events and of the log, whose connections would
 * stay open: before the HTTP server is closed. */
void api_end_streams(struct api *api);
/* api_begin refuses a request that may not go on, before its body is read; the begin of one. */
void api_begin(void *ctx, struct http_request *request);
/* api_handle answers one request; the handler of an http_server, with the api as its ctx. */
void api_handle(void *ctx, struct http_request *request);
/* api_free: runs that were asked for must have ended (the host drained). NULL is fine. */
void api_free(struct api *api);

/* api_write_docs writes a Markdown table of the routes. */
void api_write_docs(struct buf *out);

#endif
