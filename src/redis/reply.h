/* redis/reply.h - bytes from a server and the replies in them; private to this folder.
 * Rules: a chunk is one read buffer that never moves, counted: the connection that fills it holds
 * one reference and every kept reply one. A reply box is the counted object behind struct reply;
 * the connection lends it to each callback and gets a new one only when somebody kept it. Both come
 * from small free lists, so that the steady state allocates nothing. One thread. */
#ifndef REDIS_REPLY_H
#define REDIS_REPLY_H

#include "redis/client.h"

#define CHUNK_BYTES (64 * 1024)

struct chunk {
    uint32_t refs;
    size_t cap;
    struct chunk *next; /* in the free list */
    char data[];
};

/* chunk_new gives one with room for at least `bytes`; one reference. */
struct chunk *chunk_new(size_t bytes);
struct chunk *chunk_unref(struct chunk *chunk); /* NULL, always */

struct reply_box {
    struct reply reply;
    struct chunk *chunk; /* what the texts point into; NULL while the connection lends it */
    struct resp *nodes;  /* owned; NULL while the parser has them */
    uint32_t cap;
    struct reply_box *next; /* in the free list */
};

/* box_new gives one with one reference; its nodes may be an empty array to use again. */
struct reply_box *box_new(void);

#endif
