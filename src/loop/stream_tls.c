#include "loop/stream_internal.h"

enum err session_start(struct stream *stream, const struct tls *tls, const char *host,
                       struct cause *why)
{
    (void)stream, (void)tls, (void)host;
    return cause_set(why, E_TLS, "not built");
}
void session_free(struct session *session)
{
    (void)session;
}
bool session_wants_bytes(const struct session *session)
{
    (void)session;
    return false;
}
void session_room(struct session *session, uv_buf_t *ret)
{
    (void)session, (void)ret;
}
void session_got(struct stream *stream, ssize_t got)
{
    (void)stream, (void)got;
}
void session_read(struct stream *stream)
{
    (void)stream;
}
void session_write(struct stream *stream, const struct slice *parts, size_t count)
{
    (void)stream, (void)parts, (void)count;
}
enum err tls_new(const struct tls_options *options, struct tls **ret, struct cause *why)
{
    (void)options, (void)ret;
    return cause_set(why, E_UNSUPPORTED, "not built");
}
void tls_free(struct tls *tls)
{
    (void)tls;
}
