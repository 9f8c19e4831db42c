#include "apps/fingerprint.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define DEPTH_MAX 2

static bool is_ignored(const char *name)
{
    static const struct slice suffixes[] = {SLICE_INIT(".pyc"), SLICE_INIT(".log"), SLICE_INIT("~"),
                                            SLICE_INIT(".swp")};

    if (name[0] == '.' || strcmp(name, "__pycache__") == 0 || strcmp(name, "node_modules") == 0)
        return true;
    for (size_t i = 0; i < COUNT_OF(suffixes); i++)
        if (slice_has_suffix_nocase(slice_of(name), suffixes[i]))
            return true;
    return false;
}

/* The order of a directory's entries does not matter: what is known of each file is mixed and added
 * up. */
static uint64_t mix(const char *name, const struct stat *at)
{
    const uint64_t facts[] = {slice_hash(slice_of(name)), (uint64_t)at->st_size,
                              (uint64_t)at->st_mtim.tv_sec, (uint64_t)at->st_mtim.tv_nsec,
                              (uint64_t)at->st_ino};
    return slice_hash((struct slice){(const char *)facts, sizeof facts});
}

static uint64_t sum_up(int parent, const char *name, int depth)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    uint64_t sum = 0;

    if (directory == NULL) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        struct stat at;
        if (is_ignored(entry->d_name) || fstatat(fd, entry->d_name, &at, 0) != 0)
            continue;
        if (S_ISREG(at.st_mode))
            sum += mix(entry->d_name, &at);
        else if (S_ISDIR(at.st_mode) && depth < DEPTH_MAX)
            sum += sum_up(fd, entry->d_name, depth + 1) * 31 + slice_hash(slice_of(entry->d_name));
    }
    closedir(directory);
    return sum;
}

uint64_t fingerprint_directory(const char *path)
{
    return sum_up(AT_FDCWD, path, 1);
}
