#include "loop/routine.h"

#include <assert.h>

#include "base/mem.h"
#include "loop/loop.h"

static void run(struct routine *routine, enum err err)
{
    for (;;) {
        if (routine->is_aborted && err == E_OK)
            err = cause_set(&routine->why, E_CANCELED, "canceled");
        routine->is_aborted = false;
        routine->err = E_OK;
        if (err == E_OK)
            routine->why.text[0] = '\0';
        enum stage stage = routine->run(routine, routine->stage++, err);
        if (stage == STAGE_ENDS) {
            assert(routine->wait_count == 0);
            routine->op.why = routine->why;
            op_end(&routine->op, routine->err);
            return;
        }
        if (routine->wait_count > 0)
            return;
        err = routine->err; /* nothing could be started, or there was nothing to */
    }
}

static void note_end(struct routine *routine, enum err err, const struct cause *why)
{
    if (err == E_OK || routine->err != E_OK)
        return;
    routine->err = err;
    if (why != NULL)
        routine->why = *why;
}

static void on_waited(struct op *op, enum err err)
{
    struct routine *routine = op->owner;
    uint32_t at = 0;

    while (routine->waits[at] != op)
        at++;
    routine->waits[at] = routine->waits[--routine->wait_count];
    note_end(routine, err, &op->why);
    if (routine->wait_count == 0)
        run(routine, routine->err);
}

static void on_abort(struct op *op)
{
    struct routine *routine = container_of(op, struct routine, op);

    routine->is_aborted = true;
    for (uint32_t i = routine->wait_count; i > 0; i--)
        op_abort(routine->waits[i - 1]);
}

void routine_start(struct routine *routine, struct loop *loop,
                   enum stage (*run_stage)(struct routine *routine, uint32_t stage, enum err err))
{
    op_begin(&routine->op, on_abort, routine);
    routine->run = run_stage;
    routine->stage = 0;
    routine->wait_count = 0;
    routine->err = E_OK;
    routine->is_aborted = false;
    routine->why.text[0] = '\0';
    routine->begin = (struct op){0};
    loop_later(loop, &routine->begin, E_OK);
    (void)routine_wait(routine, &routine->begin, E_OK);
}

enum stage routine_wait(struct routine *routine, struct op *op, enum err started)
{
    if (started != E_OK) {
        note_end(routine, started, NULL);
        return STAGE_WAITS;
    }
    assert(op->is_busy && routine->wait_count < ROUTINE_WAITS_MAX);
    op->done = on_waited;
    op->owner = routine;
    routine->waits[routine->wait_count++] = op;
    return STAGE_WAITS;
}

enum stage routine_go(struct routine *routine, uint32_t stage)
{
    routine->stage = stage;
    return STAGE_GOES_ON;
}

enum stage routine_end(struct routine *routine, enum err err)
{
    routine->err = err;
    if (err == E_OK)
        routine->why.text[0] = '\0';
    return STAGE_ENDS;
}
