/* caches/notice.h - what clients are told of maintenance, on the channel AzureRedisEvents
 * (caches.md 10): names and values in turn, with '|' between them. Pure. */
#ifndef CACHES_NOTICE_H
#define CACHES_NOTICE_H

#include "base/buf.h"

#define NOTICE_CHANNEL "AzureRedisEvents"

enum notice_kind {
    NOTICE_SCHEDULED, /* has a start time, as the next one has; the others have none */
    NOTICE_STARTING,
    NOTICE_START,
    NOTICE_FAILOVER_COMPLETE,
    NOTICE_ENDED,
    NOTICE_SCALE_COMPLETE,
    NOTICE_KINDS
};

struct notice {
    enum notice_kind kind;
    uint64_t start_unix_ms;  /* when the work begins */
    bool is_replica;         /* the server that is worked on */
    const char *address;     /* for clients */
    uint16_t tls_port, port; /* 0 = none */
};
void notice_write(struct buf *out, const struct notice *notice);

#endif
