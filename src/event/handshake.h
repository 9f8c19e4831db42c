/* event/handshake.h - may events be sent to a webhook? What it is asked, and what its answer means
 * (eventgrid.md 1.6, 3.3, 3.4). A webhook for CloudEvents is asked by OPTIONS, as their abuse
 * protection wants it, any other by an event with a code that it sends back. Pure. */
#ifndef EVENT_HANDSHAKE_H
#define EVENT_HANDSHAKE_H

#include "base/buf.h"

#define HANDSHAKE_ORIGIN "eventgrid.azure.net"

struct handshake {
    struct slice event_id;
    struct slice scope; /* resource id that the subscription belongs to */
    struct slice code;  /* a GUID that must not be guessed */
    struct slice url;   /* where a person or a program may confirm by GET */
};

/* handshake_write appends the array of one event to POST; handshake_write_deleted the one that
 * tells that a subscription, given by its resource id in place of the code, is no more. */
void handshake_write(struct buf *out, const struct handshake *handshake, uint64_t now_unix_us);
void handshake_write_deleted(struct buf *out, const struct handshake *handshake,
                             uint64_t now_unix_us);

enum handshake_verdict {
    HANDSHAKE_PASSED,
    HANDSHAKE_MANUAL, /* waits for a GET on the url */
    HANDSHAKE_FAILED,
};

/* Of an answer to POST; status 0 = there was none. */
enum handshake_verdict handshake_judge_post(unsigned status, struct slice body, struct slice code);
/* Of an answer to OPTIONS, with the value of WebHook-Allowed-Origin (SLICE_NONE = absent). */
enum handshake_verdict handshake_judge_options(unsigned status, struct slice allowed_origin);

#endif
