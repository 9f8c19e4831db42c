/* http/request.h - a request on its way through the server; for the files of the server only.
 * Rules: a request belongs to the polling thread, then (suspended, handed over under the server's
 * lock) to the loop, then (resumed) to the polling thread again, which answers and recycles it. So
 * its fields need no lock. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <pthread.h>

#include "base/list.h"
#include "http/server.h"
#include "wire/http1.h"

struct MHD_Connection;
struct hangup;

#define METHOD_MAX_BYTES 31

struct http_request {
    struct list_node node; /* in one of the server's lists */
    struct http_server *server;
    const char *url; /* of the server, as its options say; NULL = none */
    bool is_tls;
    struct MHD_Connection *connection; /* NULL until its head was seen */
    uint64_t discarded_bytes;          /* of a body that is too large */
    int refused_status;                /* 0, or what the server answers by itself */
    bool is_live;                      /* counted in server->live */
    bool is_answered;                  /* by the handler */
    bool is_cut;    /* the server closed while the handler held it: both threads have it now */
    bool is_let_go; /* one of the two is done with a cut one; under the server's lock */

    char method[METHOD_MAX_BYTES + 1];
    struct buf target; /* as sent */
    struct buf text;   /* what the slices below point into, and path into target */
    struct slice path;
    size_t segment_count;
    size_t parameter_count;
    struct slice segments[HTTP_SEGMENTS_MAX];
    struct http_header parameters[HTTP_PARAMETERS_MAX];
    struct buf body;

    struct hangup *hangup; /* the loop's, while the handler watches; NULL = nobody does */

    int status;
    struct buf fields; /* of the answer: name NUL value NUL ... */
    char *reply;       /* malloc()ed */
    size_t reply_bytes;
    struct http_stream *stream; /* instead of reply */
};

struct http_request *request_new(struct http_server *server,
                                 const struct http_server_options *options);
/* request_reset makes a used one new again, keeping small buffers. */
void request_reset(struct http_request *request);
void request_free(struct http_request *request);

/* request_set_target copies and splits what stood in the request line. E_BAD_INPUT, E_LIMIT. */
enum err request_set_target(struct http_request *request, struct slice target);

#endif
