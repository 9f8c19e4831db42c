/* http/request.h - a request on its way through the server; for the files of the server only.
 * Rules: its slices point into the caller's buffer while that reads the body and while the handler
 * runs, then into `bytes`, which the request has taken from the caller: so it stays what it is
 * while the caller reads on, and when the caller has gone. Answered ones are used again. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/list.h"
#include "http/server.h"
#include "wire/http1.h"

struct caller;

struct http_request {
    struct list_node node; /* in one of the server's lists */
    struct http_server *server;
    struct caller *caller; /* NULL: nobody waits for the answer any more */
    bool is_held;          /* in the handler's hands */
    bool is_head;          /* of a HEAD: the answer has no body */

    struct http1_request head;
    const char *parsed_at; /* where the head lay when it was read */
    struct buf bytes;      /* of a request that is not answered at once: all of it */
    struct buf text;       /* what was unescaped, for the slices below */
    struct slice path;
    size_t segment_count;
    size_t parameter_count;
    struct slice segments[HTTP_SEGMENTS_MAX];
    struct http_header parameters[HTTP_PARAMETERS_MAX];
    struct slice body;
    size_t reserved_bytes; /* of server->bodies_bytes */

    void (*gone)(void *ctx); /* NULL = nobody watches */
    void *gone_ctx;
    struct buf fields; /* of the answer, as they are sent */
};

struct http_request *request_new(struct http_server *server, size_t bytes_max);
/* request_reset makes a used one new again, keeping small buffers. */
void request_reset(struct http_request *request);
void request_free(struct http_request *request);

/* request_read reads a whole head, which the request points into from now on. E_OK; or an error,
 * and *ret_status is what tells it to the client; is_framed: the body's end is known all the same.
 */
enum err request_read(struct http_request *request, struct slice head, int *ret_status,
                      bool *ret_is_framed);

#endif
