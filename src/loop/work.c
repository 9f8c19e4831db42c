#include <stdlib.h>

#include "loop/internal.h"

struct work {
    uv_work_t uv;
    enum err (*run)(void *ctx, struct cause *why);
    void *ctx;
    struct op *op;
    enum err err;
    struct cause why; /* not op->why: that belongs to the loop's thread */
};

static void on_run(uv_work_t *uv) /* on a thread of the pool */
{
    struct work *work = container_of(uv, struct work, uv);
    work->err = work->run(work->ctx, &work->why);
}

static void on_ran(uv_work_t *uv, int status)
{
    struct work *work = container_of(uv, struct work, uv);
    struct op *op = work->op;
    enum err err = status == 0 ? work->err : err_from_uv(status);

    op->why = work->why;
    free(work);
    op_end(op, err);
}

static void work_abort(struct op *op)
{
    struct work *work = op->runner;
    uv_cancel((uv_req_t *)&work->uv); /* fails if it has begun: then it ends as it ends */
}

enum err work_run(struct loop *loop, enum err (*run)(void *ctx, struct cause *why), void *ctx,
                  struct op *op)
{
    struct work *work = mem_new(struct work);

    *work = (struct work){.run = run, .ctx = ctx, .op = op};
    op_begin(op, work_abort, work);
    uv_queue_work(loop_uv(loop), &work->uv, on_run, on_ran); /* fails only without a callback */
    return E_OK;
}
