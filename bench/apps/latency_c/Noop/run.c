/* Notes how old each entry is: the field `t` holds when it was sent, in ns of the monotonic clock.
 * The numbers go to the file $LATENCY_FILE, as one uint64_t each. */
#define _GNU_SOURCE
#include <redgrid/function.h>
#include <stdio.h>
#include <time.h>

static FILE *open_file(void)
{
    static FILE *file;
    const char *path = getenv("LATENCY_FILE");

    if (file == NULL && path != NULL)
        file = fopen(path, "wb");
    return file;
}

int Noop(struct redgrid_invocation *run)
{
    struct timespec now;
    struct redgrid_slice entry = redgrid_metadata(run, "Values");
    static const char mark[] = "\"t\":\"";

    clock_gettime(CLOCK_MONOTONIC, &now);
    const char *at = memmem(entry.data, entry.len, mark, sizeof mark - 1);
    FILE *file = open_file();
    if (at == NULL || file == NULL)
        return redgrid_fail(run, "no field t, or no LATENCY_FILE");
    uint64_t age = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec -
                   strtoull(at + sizeof mark - 1, NULL, 10);
    fwrite(&age, sizeof age, 1, file);
    fflush(file);
    return REDGRID_OK;
}
