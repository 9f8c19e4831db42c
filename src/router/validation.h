/* router/validation.h - the handshake with a webhook before it gets events, and the notice when its
 * subscription is no more (eventgrid.md 3.3, 3.4, 1.6).
 * Rules: a webhook that fails is asked once more after a while; redirects are not followed. */
#ifndef ROUTER_VALIDATION_H
#define ROUTER_VALIDATION_H

#include "event/handshake.h"
#include "loop/op.h"

struct http_client;
struct loop;

#define VALIDATION_TIMEOUT_MS 30000 /* of each attempt */
#define VALIDATION_RETRY_MS 5000
#define NOTICE_TIMEOUT_MS 5000 /* nobody wants to wait for an endpoint that is not needed */

/* All of it is copied, but for loop and http. */
struct validation_options {
    struct loop *loop;
    struct http_client *http;
    uint32_t retry_ms;
    struct slice endpoint; /* its URL */
    struct slice name;     /* of the subscription */
    struct slice scope;    /* resource id that it belongs to */
    struct slice code;     /* of a notice: the subscription's resource id */
    struct slice callback; /* where it may be confirmed by hand */
    struct slice token;    /* "Bearer .."; SLICE_NONE = none */
    bool is_cloud_event;   /* asked by OPTIONS */
};

struct validation_result {
    enum handshake_verdict verdict;
    struct cause why; /* when it failed */
};

/* validation_start asks. The op ends with E_OK and *ret, or with E_CANCELED when it is aborted. */
void validation_start(const struct validation_options *options, struct validation_result *ret,
                      struct op *op);
/* validation_notify tells the webhook, once, that its subscription is no more. The op ends with
 * E_OK, or the reason why it could not be told. */
void validation_notify(const struct validation_options *options, struct op *op);

#endif
