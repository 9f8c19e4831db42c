#include "arm/removal.h"

#include "arm/accepted.h"
#include "arm/arm_internal.h"

static void on_removed(struct op *op, enum err err)
{
    struct errand *errand = container_of(op, struct errand, change.op);
    const struct cause why = op->why;

    if (err == E_OK || err == E_NOT_FOUND)
        errand_end(errand, E_OK, NULL);
    else if (err == E_CANCELED)
        errand_end(errand, err, &why);
    else
        errand_again(errand); /* what was begun is ended */
}

static void run(struct errand *errand)
{
    errand->change = (struct change){.op.done = on_removed};
    enum err err = change_remove(router_changes(errand->arm->router),
                                 slice_of(errand->record.resource), &errand->change);
    if (err == E_OK)
        errand_record(errand);
    else if (err == E_NOT_FOUND && errand->is_recorded)
        errand_end(errand, E_OK, NULL);
    else if (err != E_CANCELED && errand->is_recorded)
        errand_again(errand); /* somebody else is at it */
    else
        errand_end(errand, err, &errand->change.op.why);
}

const struct errand_kind removal_errand = {.name = "remove", .run = run};

static void answer(struct errand *errand)
{
    accepted_answer(errand->request,
                    &(struct accepted){ACCEPTED_ACTION, 202, slice_of(errand->record.resource),
                                       slice_of(errand->record.id)},
                    NULL);
}

void removal_start(const struct arm_call *call, struct slice id)
{
    struct errand *errand = errand_new(call->arm, &removal_errand, call->request, id);

    errand->answer = answer;
    errand_start(errand);
}
