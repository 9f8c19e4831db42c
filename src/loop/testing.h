/* loop/testing.h - what the tests of this folder share: one loop with a deadline, and ops to wait
 * for. Included by one test file per program. */
#ifndef LOOP_TESTING_H
#define LOOP_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "loop/stream.h"
#include "loop/timer.h"

#define DEADLINE_MS 20000
#define BIG_BYTES (8u << 20)
#define CHUNK_BYTES (64u << 10)

static struct loop *loop;
static struct timer *deadline;

/* An op that a test waits for. */
struct wait {
    struct op op;
    int ended;
    enum err err;
};

static inline void on_waited(struct op *op, enum err err)
{
    struct wait *wait = container_of(op, struct wait, op);
    wait->ended++;
    wait->err = err;
    loop_stop(loop);
}

#define WAIT ((struct wait){.op.done = on_waited})

static inline enum err wait_for(struct wait *wait)
{
    while (wait->ended == 0)
        loop_run(loop);
    assert_int_equal(wait->ended, 1);
    return wait->err;
}

static inline void turns(int count) /* lets happen what can happen at once */
{
    for (int i = 0; i < count; i++) {
        struct wait wait = WAIT;
        loop_later(loop, &wait.op, E_OK);
        assert_int_equal(wait_for(&wait), E_OK);
    }
}

static inline void on_deadline(void *ctx)
{
    (void)ctx;
    fprintf(stderr, "the test waits for something that does not come\n");
    abort();
}

static inline void world_begin(void)
{
    loop = loop_new();
    deadline = timer_new(loop, on_deadline, NULL);
    timer_set(deadline, DEADLINE_MS);
}

static inline void world_end(void)
{
    timer_free(deadline);
    loop_free(loop);
}

static inline struct buf big_payload(void)
{
    struct buf payload;
    buf_init(&payload, BIG_BYTES);
    char *to = buf_reserve(&payload, BIG_BYTES);
    for (size_t i = 0; i < BIG_BYTES; i++)
        to[i] = (char)(i * 2654435761u >> 13);
    buf_grow(&payload, BIG_BYTES);
    return payload;
}

static inline void echo_big(struct stream *client)
{
    struct buf payload = big_payload(), back;
    struct slice parts[] = {slice_first(buf_slice(&payload), 1), SLICE_NONE,
                            slice_first(slice_from(buf_slice(&payload), 1), 5000000),
                            slice_from(buf_slice(&payload), 5000001)};
    struct wait write = WAIT;

    buf_init(&back, BIG_BYTES);
    assert_int_equal(stream_write(client, parts, COUNT_OF(parts), &write.op), E_OK);
    while (back.len < BIG_BYTES) {
        struct wait read = WAIT;
        assert_int_equal(stream_read(client, &back, CHUNK_BYTES, &read.op), E_OK);
        assert_int_equal(wait_for(&read), E_OK);
    }
    assert_int_equal(wait_for(&write), E_OK);
    assert_true(slice_eq(buf_slice(&back), buf_slice(&payload)));
    buf_done(&payload);
    buf_done(&back);
}

#endif
