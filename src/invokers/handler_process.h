/* invokers/handler_process.h - one life of a custom handler's process: started on a free port,
 * asked until it answers, ended. Behaviour: functions.md 14.
 * Rules: as worker.h: whoever owns it makes a new one after the end. */
#ifndef INVOKERS_HANDLER_PROCESS_H
#define INVOKERS_HANDLER_PROCESS_H

#include <sys/types.h>

#include "apps/environment.h"
#include "invokers/restart.h"

struct loop;
struct http_client;
struct handler_process;

struct handler_process_options {
    struct loop *loop;
    struct http_client *http;
    const struct app *app;
    const struct environment *environment; /* without what names the port */
    void (*ready)(void *ctx);
    void (*line)(void *ctx, bool is_stderr, struct slice line);
    /* Once; then handler_process_free(), from outside of its callbacks. */
    void (*ended)(void *ctx, enum ending ending, const struct cause *why);
    void *ctx;
};

/* handler_process_start: E_OK and *ret; E_NOT_FOUND, E_DENIED, E_IO with the file named. */
enum err handler_process_start(const struct handler_process_options *options,
                               struct handler_process **ret, struct cause *why);
uint16_t handler_process_port(const struct handler_process *handler);
pid_t handler_process_id(const struct handler_process *handler);
uint64_t handler_process_started_at_ms(const struct handler_process *handler);
/* handler_process_stop ends it by SIGTERM, 2 s later by SIGKILL. */
void handler_process_stop(struct handler_process *handler);
/* handler_process_kill ends it because a run took too long: it is to be started again at once. */
void handler_process_kill(struct handler_process *handler);
void handler_process_free(struct handler_process *handler); /* kills; NULL is fine */

#endif
