/* cmd/client.h - one question to a server. Blocks until it is answered. */
#ifndef CMD_CLIENT_H
#define CMD_CLIENT_H

#include "base/buf.h"
#include "cmd/cmdline.h"
#include "json/json.h"

#define ANSWER_BYTES_MAX (64u * 1024 * 1024)

struct question {
    const char *method; /* "GET" */
    const char *path;   /* escaped, with its query */
    struct slice body;
    uint32_t timeout_ms; /* 0 = 10 s */
};

struct answer {
    struct buf text;
    json_t *json; /* NULL if it is none */
    int status;
};

/* What to say to a 401. */
#define TOKEN_MISSING "the server demands its token: set REDGRID_TOKEN to its listen.token"

/* client_ask: EXIT_OK and *ret (answer_done() ends it) when the server answered 2xx; else it
 * complained and gives the exit code, *ret untouched. REDGRID_TOKEN is sent if it is set. */
int client_ask(const struct cmdline *line, const struct question *question, struct answer *ret);
void answer_done(struct answer *answer);

/* Members of a JSON object, with a stand-in for what is absent. */
const char *field_text(const json_t *object, const char *name, const char *other);
json_int_t field_int(const json_t *object, const char *name);
double field_real(const json_t *object, const char *name);

#endif
