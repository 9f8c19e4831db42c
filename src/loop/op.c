#include "loop/op.h"

#include <assert.h>

void op_begin(struct op *op, void (*abort)(struct op *op), void *runner)
{
    assert(!op->is_busy);
    op->is_busy = true;
    op->abort = abort;
    op->runner = runner;
    op->why.text[0] = '\0';
}

void op_end(struct op *op, enum err err)
{
    assert(op->is_busy);
    op->is_busy = false;
    op->abort = NULL;
    op->runner = NULL;
    op->done(op, err);
}

void op_abort(struct op *op)
{
    if (op->is_busy && op->abort != NULL)
        op->abort(op);
}
