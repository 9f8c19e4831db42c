/* loop/watch.h - tells when something in a directory changes (not in its sub-directories).
 * Rules: changes are gathered; the callback comes once, `quiet_ms` after the last of them. */
#ifndef LOOP_WATCH_H
#define LOOP_WATCH_H

#include "loop/op.h"

struct loop;
struct watch;

#include <stdint.h>

enum err watch_new(struct loop *loop, const char *path, uint32_t quiet_ms,
                   void (*changed)(void *ctx), void *ctx, struct watch **ret, struct cause *why);
void watch_free(struct watch *watch); /* NULL is fine. In callbacks: yes. */

#endif
