#include "server/worker_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define PATH_MAX_BYTES 4096

char *worker_dir_find(void)
{
    static const char *const places[] = {"workers", "../libexec/redgrid/workers"};
    char program[PATH_MAX_BYTES], path[PATH_MAX_BYTES + 64];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);

    if (len <= 0)
        return NULL;
    program[len] = '\0';
    char *slash = strrchr(program, '/');
    if (slash != NULL)
        *slash = '\0';
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        snprintf(path, sizeof path, "%s/%s", program, places[i]);
        char *whole = realpath(path, NULL);
        if (whole != NULL)
            return whole;
    }
    return NULL;
}
