#include "cmd/client.h"

#include <stdlib.h>

#include "http/client.h"
#include "loop/loop.h"
#include "loop/stream.h"

#define TIMEOUT_MS 10000

/* One call on a loop that runs for it alone. */
struct exchange {
    struct http_call call;
    struct loop *loop;
    enum err err;
    struct cause why;
    struct buf text;
    int status;
    char *operation;
};

/* The header has a whole URL, whose host is ours. */
static char *operation_path(const struct http_call *call)
{
    struct slice text = http_call_header(call, SLICE("Azure-AsyncOperation"));
    struct url url;

    if (text.data == NULL || url_parse(text, &url, NULL) != E_OK)
        return NULL;
    return slice_dup(slice_from(text, (size_t)(url.path.data - text.data)));
}

static void on_done(struct op *op, enum err err)
{
    struct exchange *exchange = container_of(op, struct exchange, call.op);

    exchange->err = err;
    exchange->why = op->why;
    if (err == E_OK) {
        exchange->status = exchange->call.status;
        exchange->operation = operation_path(&exchange->call);
        buf_add(&exchange->text, exchange->call.response);
    }
    loop_stop(exchange->loop);
}

enum err place_init(struct place *place, const struct cmdline *line, const char *path,
                    struct cause *why)
{
    struct slice server = slice_of(line->server);
    const char *token = getenv("REDGRID_TOKEN");

    *place = (struct place){0};
    buf_init(&place->text, URL_MAX_BYTES);
    buf_init(&place->bearer, URL_MAX_BYTES);
    while (server.len > 0 && server.data[server.len - 1] == '/')
        server.len--;
    buf_addf(&place->text, "%.*s%s", SLICE_ARG(server), path);
    if (token != NULL && token[0] != '\0')
        buf_addf(&place->bearer, "Bearer %s", token);
    if (buf_err(&place->text) || buf_err(&place->bearer))
        return cause_set(why, E_LIMIT, "the URL or REDGRID_TOKEN is too long");
    enum err err = url_parse(buf_slice(&place->text), &place->url, why);
    if (err == E_OK && place->url.scheme == URL_HTTPS)
        err = tls_new(&(struct tls_options){0}, &place->tls, why);
    return err;
}

void place_done(struct place *place)
{
    tls_free(place->tls);
    buf_done(&place->text);
    buf_done(&place->bearer);
}

static enum err exchange_run(struct exchange *exchange, const struct question *question,
                             const struct place *place)
{
    struct http_header headers[QUESTION_HEADERS_MAX + 1];
    size_t count = 0;

    for (; count < question->header_count && count < QUESTION_HEADERS_MAX; count++)
        headers[count] = question->headers[count];
    if (place->bearer.len > 0)
        headers[count++] = (struct http_header){SLICE("Authorization"), buf_slice(&place->bearer)};
    exchange->loop = loop_new();
    struct http_client *client =
        http_client_new(exchange->loop, &(struct http_client_options){.tls = place->tls});
    exchange->call.op.done = on_done;
    exchange->call.url = place->url;
    exchange->call.method = slice_of(question->method);
    exchange->call.headers = headers;
    exchange->call.header_count = count;
    exchange->call.body = &question->body;
    exchange->call.body_count = question->body.len > 0;
    exchange->call.timeout_ms = question->timeout_ms > 0 ? question->timeout_ms : TIMEOUT_MS;
    exchange->call.response_max_bytes = ANSWER_BYTES_MAX;
    enum err err = http_send(client, &exchange->call);
    if (err == E_OK) {
        loop_run(exchange->loop);
        err = exchange->err;
    }
    http_client_free(client);
    loop_free(exchange->loop);
    return err;
}

int client_complain(const struct cmdline *line, enum err err, const struct cause *why)
{
    if (err == E_REFUSED)
        return complain(EXIT_FAILED,
                        "nothing answers at %s: start a server with `redgrid up`, or name one with "
                        "--server",
                        line->server);
    return complain(EXIT_FAILED, "%s: %s", line->server, cause_text(why, err));
}

int client_complain_status(int status, struct slice body)
{
    json_t *json = NULL;
    struct slice message = SLICE_NONE;

    if (jx_parse(body, NULL, NULL, &json, NULL) == E_OK)
        message = jx_slice(jx_member(jx_member(json, "error"), "message"));
    if (status == 401)
        complain(EXIT_FAILED,
                 "the server demands its token: set REDGRID_TOKEN to its listen.token");
    else if (message.len > 0)
        complain(EXIT_FAILED, "%.*s", SLICE_ARG(message));
    else
        complain(EXIT_FAILED, "the server answered %d", status);
    json_decref(json);
    return EXIT_FAILED;
}

int client_ask(const struct cmdline *line, const struct question *question, struct answer *ret)
{
    struct exchange exchange = {0};
    struct place place;
    int code = EXIT_OK;

    buf_init(&exchange.text, ANSWER_BYTES_MAX);
    enum err err = place_init(&place, line, question->path, &exchange.why);
    if (err == E_OK)
        err = exchange_run(&exchange, question, &place);
    place_done(&place);
    if (err)
        code = client_complain(line, err, &exchange.why);
    else if ((exchange.status < 200 || exchange.status > 299) &&
             (exchange.status != 400 || !question->takes_400))
        code = client_complain_status(exchange.status, buf_slice(&exchange.text));
    if (code != EXIT_OK) {
        buf_done(&exchange.text);
        free(exchange.operation);
        return code;
    }
    *ret = (struct answer){
        .text = exchange.text, .status = exchange.status, .operation = exchange.operation};
    if (jx_parse(buf_slice(&exchange.text), NULL, NULL, &ret->json, NULL) != E_OK)
        ret->json = NULL; /* lines of a log are not one value */
    return EXIT_OK;
}

void answer_done(struct answer *answer)
{
    json_decref(answer->json);
    buf_done(&answer->text);
    free(answer->operation);
    *answer = (struct answer){0};
}

int client_show(const struct cmdline *line, const struct question *question,
                void (*write)(struct buf *out, const json_t *answer))
{
    struct answer answer;
    struct buf out;
    int code = client_ask(line, question, &answer);

    if (code != EXIT_OK)
        return code;
    buf_init(&out, ANSWER_BYTES_MAX);
    if (line->is_json)
        buf_add(&out, buf_slice(&answer.text));
    else if (write != NULL)
        write(&out, answer.json);
    answer_done(&answer);
    return print(&out);
}

const char *field_text(const json_t *object, const char *name, const char *other)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL && text[0] != '\0' ? text : other;
}

json_int_t field_int(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

double field_real(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}
