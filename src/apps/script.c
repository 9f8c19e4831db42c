#include "apps/script.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

static bool is_file(const char *directory, const char *name)
{
    char *path = NULL;
    struct stat info;

    if (asprintf(&path, "%s/%s", directory, name) < 0)
        abort();
    bool is_one = stat(path, &info) == 0 && S_ISREG(info.st_mode);
    free(path);
    return is_one;
}

static int is_candidate(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && strcasecmp(entry->d_name, "function.json") != 0;
}

/* The names tried when several files are there, best first; run.* takes any ending. */
static const char *preferred(struct dirent **entries, int count, const char *directory)
{
    static const char *const names[] = {"run.", "index.js", "index.mjs", "index.cjs",
                                        "__init__.py"};

    for (size_t n = 0; n < COUNT_OF(names); n++)
        for (int i = 0; i < count; i++) {
            const char *name = entries[i]->d_name;
            bool is_hit = n == 0 ? strncasecmp(name, names[n], strlen(names[n])) == 0
                                 : strcasecmp(name, names[n]) == 0;
            if (is_hit && is_file(directory, name))
                return name;
        }
    return NULL;
}

/* only_file tells which entry is the one file; -1 if there are several, or none. */
static int only_file(struct dirent **entries, int count, const char *directory)
{
    int found = -1;

    for (int i = 0; i < count; i++) {
        if (!is_file(directory, entries[i]->d_name))
            continue;
        if (found >= 0)
            return -1;
        found = i;
    }
    return found;
}

static char *suggest(const char *directory)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_candidate, alphasort);
    int only = only_file(entries, count, directory);
    const char *name = only >= 0 ? entries[only]->d_name : preferred(entries, count, directory);
    char *ret = name == NULL ? NULL : mem_dup(name, strlen(name));

    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return ret;
}

enum err script_find(const char *directory, const char *named, char **ret, struct cause *why)
{
    char *name = named != NULL ? mem_dup(named, strlen(named)) : suggest(directory);
    char *path = NULL;
    struct stat info;

    if (name == NULL)
        return cause_set(why, E_NOT_FOUND,
                         "is absent, and the folder holds neither a single file nor run.*, "
                         "index.js, index.mjs, index.cjs or __init__.py");
    if (asprintf(&path, "%s%s%s", name[0] == '/' ? "" : directory, name[0] == '/' ? "" : "/",
                 name) < 0)
        abort();
    char *found = realpath(path, NULL);
    free(path);
    enum err err = E_OK;
    if (found == NULL || stat(found, &info) != 0 || !S_ISREG(info.st_mode)) {
        free(found);
        err = cause_set(why, E_NOT_FOUND, "there is no file '%s'", name);
    } else {
        *ret = found;
    }
    free(name);
    return err;
}

const char *script_runtime(const char *path)
{
    static const struct {
        const char *ending, *runtime;
    } rows[] = {
        {".py", "python"},
        {".c", "c"},
        {".so", "c"},
        {".js", "node"},
        {".mjs", "node"},
        {".cjs", "node"},
        {".jar", "java"},
        {".ps1", "powershell"},
        {".dll", "dotnet-isolated"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (slice_has_suffix_nocase(slice_of(path), slice_of(rows[i].ending)))
            return rows[i].runtime;
    return "";
}
