/* cmd/arm.h - what the commands about caches ask of the control plane, which is the one of Azure
 * Resource Manager: there is no second API. */
#ifndef CMD_ARM_H
#define CMD_ARM_H

#include "cmd/client.h"

#define ARM_PATH_MAX_BYTES 8192

/* The options of those that begin an operation. */
#define ARM_WAIT_OPTION                                                                            \
    {                                                                                              \
        .flag = "--no-wait", .description = "Return when it has begun, not when it has ended."     \
    }
#define ARM_GROUP_OPTION                                                                           \
    {                                                                                              \
        .flag = "--resource-group", .takes = "NAME",                                               \
        .description = "The group of the cache [redgrid for a new one, else whichever has it]."    \
    }

/* arm_add_group appends the path of the resource group of a new cache; arm_add_caches that of all
 * caches, or those of the group that was named. Both with what stands behind them. */
void arm_add_group(struct buf *path, const struct cmdline *line, const char *tail);
void arm_add_caches(struct buf *path, const struct cmdline *line);
/* arm_add_cache appends the path of the cache that the first word names, and `tail` ("/flush"). It
 * asks the server where the cache is: EXIT_OK, or it complained, and the exit code. */
int arm_add_cache(struct buf *path, const struct cmdline *line, const char *tail);

/* arm_run asks, and waits for the operation that this begins, unless --no-wait is there. EXIT_OK,
 * and *ret has the answer to the question (answer_done() ends it); or it complained. */
int arm_run(const struct cmdline *line, const struct question *question, struct answer *ret);

#endif
