/* cmd/subscription_path.h - where the API has event subscriptions, by the options --topic and
 * --source-resource-id, of which one says whose they are. */
#ifndef CMD_SUBSCRIPTION_PATH_H
#define CMD_SUBSCRIPTION_PATH_H

#include "cmd/cmdline.h"

/* subscription_path_add appends /api/subscriptions/NAME, `tail`, and ?topic=NAME;
 * subscription_path_add_all the path of all of them, or of those of one topic. EXIT_OK; or they
 * complained and give the exit code. */
int subscription_path_add(struct buf *out, const struct cmdline *line, const char *name,
                          const char *tail);
int subscription_path_add_all(struct buf *out, const struct cmdline *line);

#endif
