/* http/listen.h - a listening TCP socket. */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include <stdint.h>

#include "base/err.h"

/* listen_on opens "127.0.0.1:7070", "[::1]:7070" or "localhost:7070"; port 0 takes a free one.
 * E_OK, and *ret_fd (non-blocking, the caller's) and *ret_port; or E_BAD_INPUT, E_EXISTS (in use),
 * E_DENIED, E_IO, with the address named. */
enum err listen_on(const char *address, int *ret_fd, uint16_t *ret_port, struct cause *why);

#endif
