/* store/server_find.h - what is there to start a server with: its program, and a port. */
#ifndef STORE_SERVER_FIND_H
#define STORE_SERVER_FIND_H

#include <stdint.h>

/* server_find looks a server program up in PATH: `name`, or redis-server and valkey-server when it
 * is
 * "" or NULL. The path, free() ends it; NULL if there is none. */
char *server_find(const char *name);
/* program_find looks any program up in PATH. The path, free() ends it; NULL if there is none. */
char *program_find(const char *name);

/* port_free finds a port of 127.0.0.1 that nobody listens on, from `first` on, 100 of them; 0 if
 * none. */
uint16_t port_free(uint16_t first);

#endif
