/* caches/testing_handover.h - a handover in a test, and who records what it does: prepare() names
 * its members, hand_over() runs it to its end. */
#ifndef CACHES_TESTING_HANDOVER_H
#define CACHES_TESTING_HANDOVER_H

#include "caches/handover.h"
#include "caches/testing_fleet.h"
#include "caches/testing_load.h"

#define STANDARD TEST_SKU("Standard", 0)

static inline struct test_load *fleet_load(const struct test_cache *cache, size_t count,
                                           bool is_tls)
{
    const struct test_place place = {.address = cache->address,
                                     .key = TEST_KEY,
                                     .port = (uint16_t)(cache->port + is_tls),
                                     .is_tls = is_tls};
    return test_load_start(&place, count);
}

/* ---- a handover, and who records what it does ---- */

struct play {
    struct handover handover;
    struct handover_options options;
    struct turn turn;
    char marks[8];            /* F, P, D in the order of their coming */
    char refuses;             /* this one is not stored; 0 = none */
    uint32_t kills_at, stage; /* the stage in which the victim dies; the last that was seen */
    struct member *victim;
    bool is_done;
    enum err err;
    char why[CAUSE_MAX_BYTES];
};

static inline void record(void *ctx, struct handover *handover, enum handover_mark mark,
                          struct op *op)
{
    struct play *play = ctx;
    char letter = "FPD"[mark];

    assert_ptr_equal(handover, &play->handover);
    bool is_refused = letter == play->refuses;
    if (!is_refused)
        play->marks[strlen(play->marks)] = letter;
    loop_later(loop, op, is_refused ? E_CLOSED : E_OK);
}

static inline void on_played(struct op *op, enum err err)
{
    struct play *play = container_of(op, struct play, handover.routine.op);

    play->is_done = true;
    play->err = err;
    snprintf(play->why, sizeof play->why, "%s", op->why.text);
}

static inline bool is_played(void *ctx)
{
    return ((struct play *)ctx)->is_done;
}

static inline void prepare(struct play *play, const struct test_cache *cache, size_t from,
                           size_t to)
{
    *play = (struct play){.options = {.loop = loop,
                                      .from = test_member(cache, from),
                                      .to = test_member(cache, to),
                                      .door = test_door(cache),
                                      .is_by_tls = !cache->spec.has_plain_port,
                                      .sync_timeout_ms = PATIENCE_MS / 2,
                                      .record = record,
                                      .ctx = play}};
    play->handover.routine.op.done = on_played;
}

static inline void play_to_end(struct play *play)
{
    test_until(is_played, play);
    assert_false(play->handover.routine.op.is_busy);
}

static inline void hand_over(struct play *play)
{
    handover_start(&play->handover, &play->options);
    play_to_end(play);
}

static inline void assert_handed_over(const struct play *play)
{
    if (play->err)
        fail_msg("%s", play->why);
    assert_ptr_equal(play->handover.opens, play->options.to);
    assert_true(play->handover.is_open && play->handover.has_all && play->handover.is_promoted);
}

/* Nothing is promoted, and `from` serves. */
static inline void assert_given_back(const struct play *play, enum err err, const char *why)
{
    assert_int_equal(play->err, err);
    if (strstr(play->why, why) == NULL)
        fail_msg("no '%s' in '%s'", why, play->why);
    assert_ptr_equal(play->handover.opens, play->options.from);
    assert_true(play->handover.is_open && play->handover.has_all);
    assert_false(play->handover.is_promoted);
}

/* What the owner of a cache does with how it ended. */
static inline void obey(const struct play *play, const struct test_cache *cache)
{
    assert_non_null(play->handover.opens);
    if (!play->handover.is_open)
        test_admit(cache, play->handover.opens);
}

#endif
