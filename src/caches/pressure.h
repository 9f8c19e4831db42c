/* caches/pressure.h - when a server that fills up is told of: as soon as it has been above 90
 * percent of its memory for 10 s; and again only when it was below 80 meanwhile. Pure. */
#ifndef CACHES_PRESSURE_H
#define CACHES_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

struct pressure {      /* of one server; zeroed at first */
    uint64_t since_ms; /* monotonic: it is above; 0 = it is not */
    bool was_told;
};

/* pressure_note: so much is used now, of max_bytes (0 = no limit). True: tell it. */
bool pressure_note(struct pressure *pressure, uint64_t used_bytes, uint64_t max_bytes,
                   uint64_t now_ms);

#endif
