/* cmd/subscription_body.h - the settings of a subscription as options, and the JSON that they make.
 * To add one: a row in options[], and where its member is written. */
#ifndef CMD_SUBSCRIPTION_BODY_H
#define CMD_SUBSCRIPTION_BODY_H

#include "cmd/cmdline.h"

#define SUBSCRIPTION_OPTION_COUNT 35
#define SUBSCRIPTION_SCOPE_COUNT 2 /* the first of them, which say whose it is */
extern const struct option subscription_options[SUBSCRIPTION_OPTION_COUNT];

/* subscription_body_write appends {"properties":{..}} with what was given. EXIT_OK; or it
 * complained and gives the exit code. */
int subscription_body_write(struct buf *out, const struct cmdline *line);

#endif
