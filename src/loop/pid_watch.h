/* loop/pid_watch.h - tells when a process ends that is not our child, or not any more.
 * Rules: a number is given to another process some time after its owner has ended: the number and
 * the start time together name a process for ever. */
#ifndef LOOP_PID_WATCH_H
#define LOOP_PID_WATCH_H

#include <stdint.h>
#include <sys/types.h>

#include "loop/op.h"

struct loop;
struct pid_watch;

/* pid_start_time is when it began, in the kernel's own count, as /proc/PID/stat has it; 0 = there
 * is no such process, or it has ended and nobody has asked how. */
uint64_t pid_start_time(pid_t pid);

/* pid_watch_new: E_OK and *ret, and `ended` comes once, later, when it has ended; or E_NOT_FOUND:
 * no such process; E_IO. */
enum err pid_watch_new(struct loop *loop, pid_t pid, void (*ended)(void *ctx), void *ctx,
                       struct pid_watch **ret, struct cause *why);
void pid_watch_free(struct pid_watch *watch); /* NULL is fine. In callbacks: yes. */

#endif
