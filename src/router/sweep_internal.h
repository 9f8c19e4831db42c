/* router/sweep_internal.h - what the files of the sweep share. */
#ifndef ROUTER_SWEEP_INTERNAL_H
#define ROUTER_SWEEP_INTERNAL_H

#include "router/router_internal.h"
#include "router/sweep.h"

enum sweep_state { EDGE, READ, ACT, LIST, GET, APPEND, DROP, REST, DONE };

/* sweep_scope: its topic's; NULL if that has gone. */
struct scope *sweep_scope(const struct sweep *sweep);
/* sweep_take: one was found; is it meant? Then it is counted, and shown if there is room. */
bool sweep_take(struct sweep *sweep, const struct dead_found *found);
/* sweep_acts: is something to be done with what is meant? */
bool sweep_acts(const struct sweep *sweep);
/* sweep_pauses: is it to end here, and to go on later? */
bool sweep_pauses(const struct sweep *sweep);
void sweep_keep(char **text, struct slice value);
/* sweep_rest keeps the pace before `next`; sweep_gone: the topic is not there any more. */
enum sweep_state sweep_rest(struct sweep *sweep, enum sweep_state next);
enum sweep_state sweep_gone(struct sweep *sweep);
/* sweep_tell: so many were redriven, or purged. */
void sweep_tell(const struct sweep *sweep, uint64_t count);

/* The storage: sweep_blobs() is where it begins; DONE: there is none. */
enum sweep_state sweep_blobs(struct sweep *sweep);
enum err sweep_start_list(struct sweep *sweep);
enum sweep_state sweep_judge_list(struct sweep *sweep);
enum err sweep_start_get(struct sweep *sweep);
enum sweep_state sweep_judge_get(struct sweep *sweep);
enum err sweep_start_append(struct sweep *sweep);
enum sweep_state sweep_judge_append(struct sweep *sweep);
enum err sweep_start_drop(struct sweep *sweep);
enum sweep_state sweep_judge_drop(struct sweep *sweep);
/* sweep_blob_failed: what follows when one of these failed. */
enum sweep_state sweep_blob_failed(struct sweep *sweep, enum err err, const struct cause *why);
/* sweep_next_blob: the one that was looked at is done with. */
enum sweep_state sweep_next_blob(struct sweep *sweep);

#endif
