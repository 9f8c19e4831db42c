/* loop/tls_internal.h - what a session takes from the settings that tls_new() read. */
#ifndef LOOP_TLS_INTERNAL_H
#define LOOP_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "loop/stream.h"

/* tls_open makes the client side of one connection: `host` (a name or an address) is sent as SNI if
 * it is a name, and the peer's certificate must be for it. `host` NULL: the server side. NULL and
 * the reason when OpenSSL will not. */
SSL *tls_open(const struct tls *tls, const char *host, struct cause *why);

/* tls_reason is OpenSSL's text for what just failed; X.509's own if that was the certificate. `ssl`
 * may be NULL. Valid until the next call. */
const char *tls_reason(const SSL *ssl);

#endif
