#include "server/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define PATH_MAX_BYTES 4096

/* find_place tries each folder, from where the program is, that has `probe` in it. */
static char *find_place(const char *const *places, size_t count, const char *probe)
{
    char program[PATH_MAX_BYTES], path[PATH_MAX_BYTES + 128];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);

    if (len <= 0)
        return NULL;
    program[len] = '\0';
    char *slash = strrchr(program, '/');
    if (slash != NULL)
        *slash = '\0';
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", program, places[i], probe);
        if (access(path, F_OK) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", program, places[i]);
        return realpath(path, NULL);
    }
    return NULL;
}

char *places_workers(void)
{
    static const char *const places[] = {"workers", "../libexec/redgrid/workers"};

    return find_place(places, COUNT_OF(places), "python");
}

char *places_include(void)
{
    static const char *const places[] = {"include", "../include"};

    return find_place(places, COUNT_OF(places), "redgrid/function.h");
}
