#include "library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define CATEGORY_MAX_BYTES 4096
#define DEFAULT_SYMBOL "run" /* for names that are no C identifiers */

/* dlsym gives data and functions alike as void *. */
static void *find_symbol(void *object, const char *name)
{
    return name[0] == '\0' ? NULL : dlsym(object, name);
}

/* find_own does not look into the libraries that the object needs: a function named `send` with its
 * code in `run` must not become a call of the C library's send(). */
static void *find_own(void *object, const char *name)
{
    void *symbol = find_symbol(object, name), *abi = find_symbol(object, "redgrid_abi");
    Dl_info found, own;

    if (symbol == NULL || dladdr(symbol, &found) == 0 || dladdr(abi, &own) == 0)
        return NULL;
    return found.dli_fbase == own.dli_fbase ? symbol : NULL;
}

static enum err check_abi(void *object, const char *file, struct cause *why)
{
    void *symbol = find_symbol(object, "redgrid_abi");
    int32_t (*abi)(void);

    if (symbol == NULL)
        return cause_set(why, E_UNSUPPORTED, "%s does not include <redgrid/function.h>", file);
    memcpy(&abi, &symbol, sizeof abi);
    if (abi() != REDGRID_ABI)
        return cause_set(why, E_UNSUPPORTED,
                         "%s was compiled for version %d of <redgrid/function.h>, this is %d: "
                         "compile it again",
                         file, abi(), REDGRID_ABI);
    return E_OK;
}

static enum err find_entry(void *object, const char *file, const char *entry_point,
                           const char *name, redgrid_function **ret, struct cause *why)
{
    void *symbol =
        entry_point[0] != '\0' ? find_symbol(object, entry_point) : find_own(object, name);

    if (symbol == NULL && entry_point[0] != '\0')
        return cause_set(why, E_NOT_FOUND, "entryPoint: %s has no function '%s'", file,
                         entry_point);
    if (symbol == NULL)
        symbol = find_own(object, DEFAULT_SYMBOL);
    if (symbol == NULL)
        return cause_set(why, E_NOT_FOUND,
                         "%s has no function '%s' and no '%s': name it as entryPoint in "
                         "function.json",
                         file, name, DEFAULT_SYMBOL);
    memcpy(ret, &symbol, sizeof *ret);
    return E_OK;
}

static enum err open_entry(const char *file, const char *entry_point, const char *name,
                           redgrid_function **ret, struct cause *why)
{
    if (file[0] == '\0')
        return cause_set(why, E_BAD_INPUT, "scriptFile: is missing: name a .so or a .c file");
    void *object = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL)
        return cause_set(why, E_NOT_FOUND, "scriptFile: %s", dlerror());
    enum err err = check_abi(object, file, why);
    if (err == E_OK)
        err = find_entry(object, file, entry_point, name, ret, why);
    if (err)
        dlclose(object);
    return err;
}

static char *category_of(struct slice name)
{
    struct buf text;

    buf_init(&text, CATEGORY_MAX_BYTES);
    buf_add(&text, SLICE("Function."));
    buf_add(&text, slice_first(name, CATEGORY_MAX_BYTES / 2));
    buf_add(&text, SLICE(".User"));
    return buf_detach(&text);
}

enum err library_load(struct library *library, const struct rpc_function_load_request *request,
                      struct cause *why)
{
    char *file = slice_dup(request->function.script_file);
    char *entry_point = slice_dup(request->function.entry_point);
    char *name = slice_dup(request->function.name);
    redgrid_function *call = NULL;

    enum err err = open_entry(file, entry_point, name, &call, why);
    if (err == E_OK) {
        struct function *function = mem_new(struct function);
        *function = (struct function){
            .name = mem_dup(name, strlen(name)),
            .log_category = category_of(request->function.name),
            .call = call,
        };
        map_set(&library->functions, request->function_id, function);
    }
    free(file);
    free(entry_point);
    free(name);
    return err;
}

const struct function *library_find(const struct library *library, struct slice function_id)
{
    return map_get(&library->functions, function_id);
}
