/* apps/function_json.h - function.json: the bindings of one function.
 * Rules: inner to the app loader, and to models whose functions the worker declares. */
#ifndef APPS_FUNCTION_JSON_H
#define APPS_FUNCTION_JSON_H

#include "apps/app.h"
#include "apps/host_json.h"

/* function_json_parse fills a function (zeroed but for app, name, directory) from the text of its
 * function.json. Pure. What is wrong stands in function->error, prefixed by `<name>/function.json`.
 * *ret_script is the text of scriptFile, NULL when absent; free() ends it. */
void function_json_parse(struct function *function, const struct host_json *host, struct slice text,
                         char **ret_script);

/* function_json_load reads DIRECTORY/function.json, parses it, and finds the script. Blocks. */
void function_json_load(struct function *function, const struct host_json *host);

void function_free(struct function *function);

/* function_name_is_valid: may a folder of that name hold a function? */
bool function_name_is_valid(struct slice name);

#endif
