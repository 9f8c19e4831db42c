/* loop/internal.h - what the files of this folder share. Nobody else includes it. */
#ifndef LOOP_INTERNAL_H
#define LOOP_INTERNAL_H

#include <uv.h>

#include "loop/loop.h"

uv_loop_t *loop_uv(struct loop *loop);

/* loop_end_later ends an op that is busy already, in the next turn; it cannot be aborted any more.
 * op->why is kept. */
void loop_end_later(struct loop *loop, struct op *op, enum err err);
/* loop_forget takes back what loop_later() or loop_end_later() queued: done never runs. Harmless on
 * an idle op. For ops inside objects of this folder that go away. */
void loop_forget(struct op *op);

/* err_from_uv maps a libuv status (negative). */
enum err err_from_uv(int status);
/* uv_text explains a libuv status; valid until the next call. (uv_strerror leaks for numbers that
 * it does not know, 0 among them.) */
const char *uv_text(int status);

/* process_left closes the handle of a process that process_free() killed, and takes its exit. */
void process_left(uv_process_t *uv);

#endif
