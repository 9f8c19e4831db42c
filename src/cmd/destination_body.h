/* cmd/destination_body.h - where a subscription's events go: options, and the JSON that they make.
 * To add a kind of destination: a row in kinds[], and the option in subscription_body.c. */
#ifndef CMD_DESTINATION_BODY_H
#define CMD_DESTINATION_BODY_H

#include "cmd/cmdline.h"

/* destination_is_named: do the options say where events go? */
bool destination_is_named(const struct cmdline *line);

/* destination_body_write appends the member `destination` with what was given, if anything was.
 * EXIT_OK; or it complained and gives the exit code. */
int destination_body_write(struct buf *out, const struct cmdline *line);

#endif
