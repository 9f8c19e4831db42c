/* Runs a fuzzer's function over the files of its corpus, given as folders or files: so that what
 * once crashed is tried in every test run, with any compiler. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define INPUT_MAX_BYTES (16 << 20)

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    uint8_t *bytes = malloc(INPUT_MAX_BYTES);
    size_t len = bytes == NULL ? 0 : fread(bytes, 1, INPUT_MAX_BYTES, file);
    fclose(file);
    /* in memory of its own size, so that a sanitizer sees the first byte beyond */
    uint8_t *exact = malloc(len + (len == 0));
    if (bytes == NULL || exact == NULL)
        abort();
    memcpy(exact, bytes, len);
    free(bytes);
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    return 1;
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The number of files replayed, or -1. In the order of their names, so that a failure repeats. */
static int replay(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_input, alphasort);
    if (count < 0)
        return replay_file(path);
    int done = 0;
    for (int i = 0; i < count; i++) {
        char *name = NULL;
        if (asprintf(&name, "%s/%s", path, entries[i]->d_name) < 0)
            abort();
        done = done < 0 || replay_file(name) < 0 ? -1 : done + 1;
        free(name);
        free(entries[i]);
    }
    free(entries);
    return done;
}

int main(int argc, char **argv)
{
    int total = 0;

    for (int i = 1; i < argc; i++) {
        int done = replay(argv[i]);
        if (done < 0)
            return EXIT_FAILURE;
        total += done;
    }
    printf("%d inputs replayed\n", total);
    return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
