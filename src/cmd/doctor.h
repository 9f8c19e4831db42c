/* cmd/doctor.h - what `redgrid doctor` found, and the checks that find it.
 * To add a check: a function that notes findings, and a row in checks[] of doctor.c. */
#ifndef CMD_DOCTOR_H
#define CMD_DOCTOR_H

#include "base/buf.h"
#include "config/settings.h"

enum finding_level { FINDING_OK, FINDING_HINT, FINDING_BAD };

struct finding {
    enum finding_level level;
    char *text;
    char *advice; /* what to do; NULL = nothing */
};

struct doctor {
    const struct settings *settings;
    struct finding *findings;
    size_t count;
};

/* note adds a finding. `advice` may be NULL. */
void note(struct doctor *doctor, enum finding_level level, const char *advice, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

void check_programs(struct doctor *doctor);
void check_places(struct doctor *doctor);
void check_apps(struct doctor *doctor);
/* check_runtime looks for the compiler, the interpreter or the handler of an app without error. */
struct app;
void check_runtime(struct doctor *doctor, const struct app *app);

/* check_redis asks the server behind one connection string. `functions` names who uses it;
 * needs_events: it must publish keyspace events. */
struct redis_question {
    const char *connection;
    const char *functions;
    bool needs_events;
};
void check_redis(struct doctor *doctor, const struct redis_question *question);

#endif
