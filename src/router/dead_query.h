/* router/dead_query.h - which dead letters of a subscription are meant.
 * JSON, every member optional; all that are given must hold:
 *   {"ids":["1700000000000-0","ES1/2030/1/1/0/<guid>.json"],
 *    "diedAfter":"2030-01-01T00:00:00Z","diedBefore":"..","reason":"TimeToLiveExceeded",
 *    "filter":{as of a subscription},
 *    "all":true, "dryRun":true,"rate":10,"limit":100,"seconds":5,"from":"<id>","until":"<id>"}
 * Those of the last line do not choose, but say how. Pure. */
#ifndef ROUTER_DEAD_QUERY_H
#define ROUTER_DEAD_QUERY_H

#include "event/filter.h"
#include "event/write.h"
#include "store/queue.h"

#define DEAD_IDS_MAX 1000
/* Begins a `from` in storage; behind it "SKIP:MARKER": so many of the page at that marker. */
#define DEAD_BLOBS "blobs:"
#define DEAD_RATE_MAX 1000000
#define DEAD_SECONDS_MAX 86400

struct dead_query {
    char **ids; /* NULL = any; those in storage behind the others */
    size_t id_count, stream_id_count;
    uint64_t since_unix_ms;  /* died then or later */
    uint64_t before_unix_ms; /* died earlier; 0 = at any time */
    char *reason;            /* in any case; NULL = any */
    struct filter filter;    /* of what can be read */
    bool has_filter;
    bool wants_all;   /* says so, since it names none of these */
    bool is_dry;      /* counts and lists only */
    uint32_t rate;    /* events a second; 0 = as fast as it goes */
    uint32_t limit;   /* dead letters; 0 = all */
    uint32_t seconds; /* ends after these, and says where to go on; 0 = when all is done */
    char *from;       /* behind this one; NULL = from the oldest */
    char *until;      /* up to this one and with it; NULL = what is dead now */
};

/* One dead letter; the slices are the reply's. */
struct dead_found {
    struct slice id;
    const char *place; /* where it is kept: "stream", "blob" */
    uint64_t died_unix_ms;
    const struct event *event; /* NULL: it cannot be read */
    struct slice body;         /* of the event, as it was published */
    struct dead_letter dead;
};

/* dead_query_read: E_OK and *ret, which dead_query_done() ends; or E_BAD_INPUT, E_LIMIT with `rate:
 * ...` in `why`, and *ret is untouched. */
enum err dead_query_read(struct slice json, struct dead_query *ret, struct cause *why);
void dead_query_done(struct dead_query *query); /* leaves zeroes, which mean all */
/* dead_query_is_narrow: does it name any condition? */
bool dead_query_is_narrow(const struct dead_query *query);

/* dead_query_wants: is this one meant? `lookup` is the caller's, without slots. */
bool dead_query_wants(const struct dead_query *query, const struct dead_found *found,
                      struct lookup *lookup);
/* dead_found_read fills in what the fields of the entry say; the event is left to the caller. */
void dead_found_read(struct dead_found *ret, const struct queue_dead_entry *entry);

#endif
