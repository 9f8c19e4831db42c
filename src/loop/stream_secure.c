/* How an adopted stream becomes the server's side of TLS. */
#include "loop/stream.h"

#include <assert.h>
#include <stdio.h>

#include "loop/stream_internal.h"

static void secure_abort(struct op *op)
{
    struct stream *stream = op->runner;

    stream->secure_op = NULL;
    session_free(stream);
    transport_drop(stream);
    loop_end_later(stream->loop, op, E_CANCELED);
}

void stream_secured(struct stream *stream, enum err err, const char *text)
{
    struct op *op = stream->secure_op;

    stream->secure_op = NULL;
    if (err != E_OK) {
        snprintf(op->why.text, sizeof op->why.text, "%s", text);
        session_free(stream);
        transport_drop(stream);
    }
    loop_end_later(stream->loop, op, err);
}

enum err stream_secure(struct stream *stream, const struct tls *tls, struct op *op)
{
    assert(stream->session == NULL && stream->read_op == NULL && stream->secure_op == NULL);
    if (stream->transport == NULL)
        return cause_set(&op->why, E_CLOSED, "not connected");
    op_begin(op, secure_abort, stream);
    stream->secure_op = op;
    enum err err = session_start(stream, tls, NULL, &op->why);
    if (err != E_OK) { /* it never began */
        stream->secure_op = NULL;
        loop_forget(op);
    }
    return err;
}
