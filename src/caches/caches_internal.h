/* caches/caches_internal.h - what caches.c, caches_request.c and caches_view.c share. */
#ifndef CACHES_CACHES_INTERNAL_H
#define CACHES_CACHES_INTERNAL_H

#include "caches/cache_internal.h"

struct caches {
    struct caches_options options;
    struct cache_host host; /* has_tls: as caches.tls says */
    struct server_tls tls;  /* owned */
    struct map map;         /* key -> struct cache, those at work here */
    struct list doubts;     /* whose documents have changed */
    struct list inquiries;
    struct turn turn;
    struct cache **gone; /* to be freed when nobody stands in them any more */
    size_t gone_count;
    bool is_stopping;
    size_t closing_count;
    struct op *stopped;
    struct timer *timer;
};

bool caches_is_cache(struct slice id); /* a document of a resource? */
/* caches_document: that of a cache with a suffix behind its id; SLICE_NONE. */
struct slice caches_document(const struct caches *caches, struct slice id, const char *suffix);
uint64_t caches_files_max(void);

/* caches_request.c: those that wait for the end of an operation look again; all end soon; and one
 * has. */
void caches_review_inquiries(struct caches *caches);
void caches_cancel_inquiries(struct caches *caches);
void caches_inquiry_ended(struct caches *caches);

/* cache.c */
void cache_cut(struct cache *cache); /* the time for closing is over */

#endif
