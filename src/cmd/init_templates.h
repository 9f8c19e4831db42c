/* cmd/init_templates.h - the files of a new app.
 * In a path and in a text, @ stands for the function's name. To add a language or a trigger: a row.
 */
#ifndef CMD_INIT_TEMPLATES_H
#define CMD_INIT_TEMPLATES_H

#include <stdbool.h>
#include <stddef.h>

struct template_file {
    const char *path;
    const char *text;
    bool is_program;
};

struct template_language {
    const char *name;
    struct template_file files[4]; /* ends at a NULL path */
    const char *script;            /* "scriptFile" of function.json; NULL = none */
};
extern const struct template_language template_languages[];
extern const size_t template_language_count;

struct template_trigger {
    const char *name;
    const char *binding; /* members of the trigger's binding */
    const char *source;  /* for people */
    const char *send;    /* what starts the function; $ is the program, ^ is APP/FUNCTION */
    bool is_redis;
};
extern const struct template_trigger template_triggers[];
extern const size_t template_trigger_count;

#endif
