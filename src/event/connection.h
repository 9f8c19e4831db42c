/* event/connection.h - a Redis connection string without what is secret in it. Pure. */
#ifndef EVENT_CONNECTION_H
#define EVENT_CONNECTION_H

#include "base/buf.h"

/* connection_write_hidden appends the connection string with `Hidden` in the place of passwords, in
 * either notation; a name has none. */
void connection_write_hidden(struct buf *out, struct slice connection);

#endif
