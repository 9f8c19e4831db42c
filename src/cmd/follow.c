/* CONNECT --> WRITE --> READ (head) --> READ (chunks) .. --> ended. */
#include "cmd/follow.h"

#include <stdio.h>
#include <stdlib.h>

#include "cmd/client.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "wire/http1.h"

#define REQUEST_BYTES_MAX 16384
#define LINE_BYTES_MAX (1024 * 1024)
#define HEAD_BYTES_MAX 65536
#define READ_BYTES 65536

struct follow {
    struct op op;
    struct loop *loop;
    struct stream *stream;
    struct buf in;   /* as read */
    struct buf text; /* the body, up to the next newline */
    struct buf request;
    struct slice request_part;
    struct http1_chunks chunks;
    void (*show)(struct slice line, bool is_raw);
    bool has_head, is_raw;
    int status;
    enum { CONNECT, WRITE, READ } state;
    enum err result;
};

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

void show_text(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        putchar(is_control(text.data[i]) ? '?' : text.data[i]);
    putchar('\n');
}

static void put_head(const json_t *json)
{
    const char *level = field_text(json, "level", "info");
    const char *function = field_text(json, "function", NULL);
    const char *invocation = field_text(json, "invocation", "");
    bool is_plain = slice_eq(slice_of(level), SLICE("info"));

    printf("[%s] %s%s", field_text(json, "time", "-"), is_plain ? "" : level, is_plain ? "" : ": ");
    if (function != NULL)
        printf("[%s%s%.8s] ", function, invocation[0] != '\0' ? " " : "", invocation);
}

void show_log_line(struct slice line, bool is_raw)
{
    json_t *json = NULL;
    struct slice rest, part;

    if (is_raw || jx_parse(line, NULL, NULL, &json, NULL) != E_OK) {
        printf("%.*s\n", SLICE_ARG(line));
        return;
    }
    rest = slice_of(field_text(json, "message", ""));
    while (slice_cut(&rest, '\n', &part)) {
        put_head(json);
        show_text(part);
    }
    json_decref(json);
}

static void show_lines(struct follow *follow)
{
    struct slice all = buf_slice(&follow->text);
    size_t used = 0;

    for (;;) {
        struct slice rest = slice_from(all, used);
        size_t end = slice_find_byte(rest, '\n');
        if (end == rest.len)
            break;
        if (end > 0) /* an empty line only says that the server lives */
            follow->show(slice_first(rest, end), follow->is_raw);
        used += end + 1;
    }
    buf_consume(&follow->text, used);
    fflush(stdout);
}

static enum err take_head(struct follow *follow)
{
    struct http1_head head;
    size_t scanned = 0, bytes = 0;
    enum err err = http1_head_end(buf_slice(&follow->in), HEAD_BYTES_MAX, &scanned, &bytes);

    if (err == E_OK)
        err = http1_head_parse(slice_first(buf_slice(&follow->in), bytes), false, &head);
    if (err)
        return err;
    follow->has_head = true;
    follow->status = head.status;
    buf_consume(&follow->in, bytes);
    if (head.status != 200)
        return E_FAILED;
    return head.framing == HTTP1_CHUNKED ? E_OK : E_BAD_WIRE;
}

/* take_bytes: E_MORE to go on, E_OK at the end of the answer. */
static enum err take_bytes(struct follow *follow)
{
    struct slice data;
    size_t used;
    enum err err = follow->has_head ? E_OK : take_head(follow);

    while (err == E_OK && follow->in.len > 0 && !follow->chunks.is_done) {
        err = http1_chunk_next(&follow->chunks, buf_slice(&follow->in), &data, &used);
        if (err)
            return err;
        buf_add(&follow->text, data);
        buf_consume(&follow->in, used);
        show_lines(follow);
    }
    if (err == E_OK && buf_err(&follow->text))
        return E_LIMIT;
    return err == E_OK && !follow->chunks.is_done ? E_MORE : err;
}

static void on_step(struct op *op, enum err err)
{
    struct follow *follow = container_of(op, struct follow, op);

    if (err == E_OK) {
        switch (follow->state) {
        case CONNECT:
            follow->state = WRITE;
            err = stream_write(follow->stream, &follow->request_part, 1, op);
            break;
        case READ:
            err = take_bytes(follow);
            if (err != E_MORE)
                break;
            err = stream_read(follow->stream, &follow->in, READ_BYTES, op);
            break;
        case WRITE:
            follow->state = READ;
            err = stream_read(follow->stream, &follow->in, READ_BYTES, op);
            break;
        }
    }
    if (op->is_busy)
        return;
    follow->result = err;
    loop_stop(follow->loop);
}

static enum err run(struct follow *follow, const struct place *place)
{
    const struct url *url = &place->url;
    char *host = slice_dup(url->host);
    const struct stream_target target = {.path = url->scheme == URL_UNIX ? host : NULL,
                                         .host = host,
                                         .port = url->port,
                                         .tls = place->tls};

    follow->loop = loop_new();
    follow->stream = stream_new(follow->loop);
    follow->op.done = on_step;
    enum err err = stream_connect(follow->stream, &target, &follow->op);
    if (err == E_OK) {
        loop_run(follow->loop);
        err = follow->result;
    }
    stream_free(follow->stream);
    loop_free(follow->loop);
    free(host);
    return err;
}

static void write_request(struct buf *out, const struct place *place)
{
    buf_addf(out, "GET %.*s%.*s HTTP/1.1\r\nHost: ", SLICE_ARG(place->url.path),
             SLICE_ARG(place->url.query));
    url_add_host(out, &place->url);
    if (place->bearer.len > 0)
        buf_addf(out, "\r\nAuthorization: %.*s", SLICE_ARG(buf_slice(&place->bearer)));
    buf_add(out, SLICE("\r\n\r\n"));
}

int follow_lines(const struct cmdline *line, const char *path,
                 void (*show)(struct slice line, bool is_raw))
{
    struct follow follow = {.show = show, .is_raw = line->is_json};
    struct place place;

    buf_init(&follow.request, REQUEST_BYTES_MAX);
    buf_init(&follow.in, 2 * READ_BYTES);
    buf_init(&follow.text, LINE_BYTES_MAX);
    enum err err = place_init(&place, line, path, &follow.op.why);
    if (err == E_OK) {
        write_request(&follow.request, &place);
        follow.request_part = buf_slice(&follow.request);
        err = run(&follow, &place);
    }
    int code = EXIT_OK; /* also when the server went, and with it its log */
    if (follow.status != 0 && follow.status != 200)
        code = client_complain_status(follow.status, buf_slice(&follow.in));
    else if (err && !(err == E_CLOSED && follow.has_head))
        code = client_complain(line, err, &follow.op.why);
    place_done(&place);
    buf_done(&follow.request);
    buf_done(&follow.in);
    buf_done(&follow.text);
    return code;
}
