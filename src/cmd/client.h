/* cmd/client.h - one question to a server. Blocks until it is answered.
 * A server is http://, https:// (certificates are checked against the system's; SSL_CERT_FILE names
 * others) or unix:///PATH/OF.SOCK: and may have a path in front of ours. REDGRID_TOKEN is sent. */
#ifndef CMD_CLIENT_H
#define CMD_CLIENT_H

#include "base/buf.h"
#include "cmd/cmdline.h"
#include "wire/http1.h"
#include "wire/url.h"
#include "json/json.h"

struct tls;

#define QUESTION_HEADERS_MAX 4
#define ANSWER_BYTES_MAX (64u * 1024 * 1024)

struct question {
    const char *method; /* "GET" */
    const char *path;   /* escaped, with its query */
    struct slice body;
    uint32_t timeout_ms;               /* 0 = 10 s */
    const struct http_header *headers; /* besides the token's; at most QUESTION_HEADERS_MAX */
    size_t header_count;
    bool takes_400; /* such an answer is given back too */
};

struct answer {
    struct buf text;
    json_t *json; /* NULL if it is none */
    int status;
    char *operation; /* path of the long-running operation that it began; NULL */
};

/* Where a question goes. */
struct place {
    struct buf text; /* the whole URL */
    struct url url;
    struct tls *tls;   /* for https, else NULL */
    struct buf bearer; /* value of the Authorization header; empty without a token */
};
/* place_init; place_done() ends it, also after a failure: E_BAD_INPUT, E_LIMIT, E_UNSUPPORTED or
 * E_TLS, with the reason in `why`. `path` is escaped, with its query. */
enum err place_init(struct place *place, const struct cmdline *line, const char *path,
                    struct cause *why);
void place_done(struct place *place);

/* client_ask: EXIT_OK and *ret (answer_done() ends it) when the server answered 2xx; else it
 * complained and gives the exit code, *ret untouched. */
int client_ask(const struct cmdline *line, const struct question *question, struct answer *ret);
void answer_done(struct answer *answer);

/* client_show asks and prints the answer, with --output json as it came, else as `write` writes
 * it; NULL = not at all. The exit code. */
int client_show(const struct cmdline *line, const struct question *question,
                void (*write)(struct buf *out, const json_t *answer));

/* What to say, and EXIT_FAILED, when there was no answer, and when its status is not 2xx. */
int client_complain(const struct cmdline *line, enum err err, const struct cause *why);
int client_complain_status(int status, struct slice body);

/* Members of a JSON object, with a stand-in for what is absent. */
const char *field_text(const json_t *object, const char *name, const char *other);
json_int_t field_int(const json_t *object, const char *name);
double field_real(const json_t *object, const char *name);

#endif
