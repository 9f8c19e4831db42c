#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define ERR_ROW(name, text) [name] = {#name, text},
static const struct {
    const char *name;
    const char *text;
} rows[] = {ERRORS(ERR_ROW)};
#undef ERR_ROW

const char *err_name(enum err err)
{
    return (size_t)err < COUNT_OF(rows) ? rows[err].name : "E_UNKNOWN";
}

const char *err_text(enum err err)
{
    return (size_t)err < COUNT_OF(rows) ? rows[err].text : "unknown error";
}

enum err err_from_errno(int number)
{
    static const struct {
        int number;
        enum err err;
    } map[] = {
        {ENOENT, E_NOT_FOUND},  {EEXIST, E_EXISTS},        {EACCES, E_DENIED},
        {EPERM, E_DENIED},      {ECONNREFUSED, E_REFUSED}, {ECONNRESET, E_CLOSED},
        {EPIPE, E_CLOSED},      {ETIMEDOUT, E_TIMEOUT},    {ECANCELED, E_CANCELED},
        {ENOTDIR, E_NOT_FOUND}, {ENOSYS, E_UNSUPPORTED},   {EMSGSIZE, E_LIMIT},
    };

    for (size_t i = 0; i < COUNT_OF(map); i++)
        if (map[i].number == number)
            return map[i].err;
    return E_IO;
}

enum err cause_set(struct cause *why, enum err err, const char *fmt, ...)
{
    if (why == NULL)
        return err;
    va_list args;
    va_start(args, fmt);
    vsnprintf(why->text, sizeof why->text, fmt, args);
    va_end(args);
    return err;
}

enum err cause_wrap(struct cause *why, enum err err, const char *fmt, ...)
{
    if (why == NULL || err == E_OK)
        return err;
    char inner[CAUSE_MAX_BYTES];
    snprintf(inner, sizeof inner, "%s", cause_text(why, err));
    va_list args;
    va_start(args, fmt);
    vsnprintf(why->text, sizeof why->text, fmt, args);
    va_end(args);
    size_t len = strlen(why->text);
    snprintf(why->text + len, sizeof why->text - len, ": %s", inner);
    return err;
}

const char *cause_text(const struct cause *why, enum err err)
{
    return why != NULL && why->text[0] != '\0' ? why->text : err_text(err);
}
