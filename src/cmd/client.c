#include "cmd/client.h"

#include <stdlib.h>

#include "http/client.h"
#include "loop/loop.h"

#define TIMEOUT_MS 10000
#define URL_BYTES_MAX 8192

/* One call on a loop that runs for it alone. */
struct exchange {
    struct http_call call;
    struct loop *loop;
    enum err err;
    struct cause why;
    struct buf text;
    int status;
};

static void on_done(struct op *op, enum err err)
{
    struct exchange *exchange = container_of(op, struct exchange, call.op);

    exchange->err = err;
    exchange->why = op->why;
    if (err == E_OK) {
        exchange->status = exchange->call.status;
        buf_add(&exchange->text, exchange->call.response);
    }
    loop_stop(exchange->loop);
}

static enum err exchange_run(struct exchange *exchange, const struct question *question,
                             struct slice url)
{
    struct http_header header = {SLICE("Authorization"), SLICE_NONE};
    const char *token = getenv("REDGRID_TOKEN");
    struct buf value;

    enum err err = url_parse(url, &exchange->call.url, &exchange->why);
    if (err)
        return err;
    buf_init(&value, URL_BYTES_MAX);
    buf_addf(&value, "Bearer %s", token != NULL ? token : "");
    header.value = buf_slice(&value);
    exchange->loop = loop_new();
    struct http_client *client = http_client_new(exchange->loop, &(struct http_client_options){0});
    exchange->call.op.done = on_done;
    exchange->call.method = slice_of(question->method);
    exchange->call.headers = &header;
    exchange->call.header_count = token != NULL && token[0] != '\0';
    exchange->call.body = &question->body;
    exchange->call.body_count = question->body.len > 0;
    exchange->call.timeout_ms = question->timeout_ms > 0 ? question->timeout_ms : TIMEOUT_MS;
    exchange->call.response_max_bytes = ANSWER_BYTES_MAX;
    err = http_send(client, &exchange->call);
    if (err == E_OK) {
        loop_run(exchange->loop);
        err = exchange->err;
    }
    http_client_free(client);
    loop_free(exchange->loop);
    buf_done(&value);
    return err;
}

static int complain_status(const struct exchange *exchange)
{
    json_t *json = NULL;
    struct slice message = SLICE_NONE;

    if (jx_parse(buf_slice(&exchange->text), NULL, NULL, &json, NULL) == E_OK)
        message = jx_slice(jx_member(jx_member(json, "error"), "message"));
    if (exchange->status == 401)
        complain(EXIT_FAILED, "%s", TOKEN_MISSING);
    else if (message.len > 0)
        complain(EXIT_FAILED, "%.*s", SLICE_ARG(message));
    else
        complain(EXIT_FAILED, "the server answered %d", exchange->status);
    json_decref(json);
    return EXIT_FAILED;
}

int client_ask(const struct cmdline *line, const struct question *question, struct answer *ret)
{
    struct exchange exchange = {0};
    struct buf url;
    struct slice server = slice_of(line->server);
    int code = EXIT_OK;

    while (server.len > 0 && server.data[server.len - 1] == '/')
        server.len--;
    buf_init(&url, URL_BYTES_MAX);
    buf_init(&exchange.text, ANSWER_BYTES_MAX);
    buf_addf(&url, "%.*s%s", SLICE_ARG(server), question->path);
    enum err err = exchange_run(&exchange, question, buf_slice(&url));
    if (err == E_REFUSED)
        code = complain(EXIT_FAILED,
                        "nothing answers at %s: start a server with `redgrid up`, or name one with "
                        "--server",
                        line->server);
    else if (err)
        code = complain(EXIT_FAILED, "%s: %s", line->server, cause_text(&exchange.why, err));
    else if (exchange.status < 200 || exchange.status > 299)
        code = complain_status(&exchange);
    buf_done(&url);
    if (code != EXIT_OK) {
        buf_done(&exchange.text);
        return code;
    }
    *ret = (struct answer){.text = exchange.text, .status = exchange.status};
    if (jx_parse(buf_slice(&exchange.text), NULL, NULL, &ret->json, NULL) != E_OK)
        ret->json = NULL; /* lines of a log are not one value */
    return EXIT_OK;
}

void answer_done(struct answer *answer)
{
    json_decref(answer->json);
    buf_done(&answer->text);
    *answer = (struct answer){0};
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
