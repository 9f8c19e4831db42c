/* functions/acks.h - runs that have ended well, until the server has been told.
 * Rules: those of one source leave together at the end of a turn. What could not leave, or was
 * refused, is told again ACK_RETRY_MS later. What to say, and what an answer means, is the kind's.
 * A listener embeds one; its jobs know their source and how many messages they hold. */
#ifndef FUNCTIONS_ACKS_H
#define FUNCTIONS_ACKS_H

#include "functions/listener.h"
#include "functions/slots.h"

#define ACKS_MAX 500           /* messages in one acknowledgement, unless one job holds more */
#define ACKS_WAITING_MAX 10000 /* jobs that wait to be acknowledged; above it nothing is taken */

/* After an answer, or the loss of one. */
enum ack_verdict {
    ACK_ENDED, /* it is done, or there is nothing left to do */
    ACK_AGAIN, /* nothing was done: say it again */
    ACK_LOST,  /* done or not, nobody knows, and it must not be said twice */
};

struct acks_kind {
    size_t head; /* arguments that go ahead of the messages; `send` fills them */
    /* Writes how the job's messages are named: job->count slices, valid as long as the job. */
    void (*name)(struct job *job, struct slice *ret);
    enum err (*send)(struct listener *listener, size_t source, struct slice *args, size_t count,
                     struct redis_call *call);
    enum ack_verdict (*judge)(const struct redis_call *call, enum err err);
    void (*release)(struct job *job); /* the job is the kind's again, and is in no list */
    void (*ended)(struct listener *listener, enum ack_verdict verdict);
};

struct acks {
    const struct acks_kind *kind;
    struct listener *listener;
    struct list waiting; /* of jobs */
    size_t waiting_count;
    size_t owed;      /* jobs that wait, or are in an acknowledgement under way */
    size_t under_way; /* acknowledgements */
    struct timer *timer;
};

void acks_init(struct acks *acks, const struct acks_kind *kind, struct listener *listener);
/* acks_add takes a job that has ended and is in no list; it leaves with the next acks_send(). */
void acks_add(struct acks *acks, struct job *job);
/* acks_send tells the server of all that wait, unless it refused a moment ago. */
void acks_send(struct acks *acks);
/* acks_done after the last acknowledgement ended; what still waits must have been taken out. */
void acks_done(struct acks *acks);

#endif
