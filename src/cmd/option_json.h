/* cmd/option_json.h - options of a command as members of the JSON object that it sends. Each writes
 * a comma before its member if need be, and nothing if the option was not given. */
#ifndef CMD_OPTION_JSON_H
#define CMD_OPTION_JSON_H

#include "cmd/cmdline.h"

void option_add_text(struct buf *out, const struct cmdline *line, const char *flag,
                     const char *name);
/* These: EXIT_OK; or they complained about the value, and give the exit code. */
int option_add_bool(struct buf *out, const struct cmdline *line, const char *flag,
                    const char *name);
int option_add_number(struct buf *out, const struct cmdline *line, const char *flag,
                      const char *name);
/* option_add_texts writes an array of all words of all lists of the option. */
void option_add_texts(struct buf *out, const struct cmdline *line, const char *flag,
                      const char *name);
/* option_add_filters writes advancedFilters, one of each list: KEY OPERATOR VALUE.. */
int option_add_filters(struct buf *out, const struct cmdline *line, const char *flag);

#endif
