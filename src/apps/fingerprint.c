#include "apps/fingerprint.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define FILES_MAX 10000 /* what is beyond is not looked at */
#define NAME_MAX_BYTES 520
#define TOLD_MAX 3

struct file {
    char *name;     /* "F/__init__.py"; of a directory "F" */
    uint64_t facts; /* size, time and inode; 0 = a directory */
};

struct fingerprint {
    struct file *files; /* by name */
    size_t count;
};

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

static uint64_t facts_of(const struct stat *at)
{
    const uint64_t facts[] = {(uint64_t)at->st_size, (uint64_t)at->st_mtim.tv_sec,
                              (uint64_t)at->st_mtim.tv_nsec, (uint64_t)at->st_ino};
    return slice_hash((struct slice){(const char *)facts, sizeof facts}) | 1;
}

static void add(struct fingerprint *fingerprint, const char *name, uint64_t facts)
{
    size_t count = fingerprint->count++;

    if ((count & (count - 1)) == 0) /* full: its size is a power of two */
        fingerprint->files =
            mem_resize(fingerprint->files, count == 0 ? 1 : 2 * count, sizeof(struct file));
    fingerprint->files[count] = (struct file){mem_dup(name, strlen(name)), facts};
}

static void read_directory(struct fingerprint *fingerprint, int parent, const char *path,
                           const char *folder);

static void read_entry(struct fingerprint *fingerprint, int fd, const char *entry,
                       const char *folder)
{
    char name[NAME_MAX_BYTES];
    struct stat at;

    if (is_ignored(entry) || fstatat(fd, entry, &at, 0) != 0)
        return;
    snprintf(name, sizeof name, "%s%s%s", folder != NULL ? folder : "", folder != NULL ? "/" : "",
             entry);
    if (S_ISREG(at.st_mode)) {
        add(fingerprint, name, facts_of(&at));
    } else if (S_ISDIR(at.st_mode) && folder == NULL) {
        add(fingerprint, name, 0);
        read_directory(fingerprint, fd, entry, entry);
    }
}

/* `folder` is NULL for the app's own. */
static void read_directory(struct fingerprint *fingerprint, int parent, const char *path,
                           const char *folder)
{
    int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (directory == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while (fingerprint->count < FILES_MAX && (entry = readdir(directory)) != NULL)
        read_entry(fingerprint, fd, entry->d_name, folder);
    closedir(directory);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

struct fingerprint *fingerprint_new(const char *path)
{
    struct fingerprint *fingerprint = mem_new(struct fingerprint);

    read_directory(fingerprint, AT_FDCWD, path, NULL);
    if (fingerprint->count > 0)
        qsort(fingerprint->files, fingerprint->count, sizeof(struct file), by_name);
    return fingerprint;
}

void fingerprint_free(struct fingerprint *fingerprint)
{
    if (fingerprint == NULL)
        return;
    for (size_t i = 0; i < fingerprint->count; i++)
        free(fingerprint->files[i].name);
    free(fingerprint->files);
    free(fingerprint);
}

static void tell(struct buf *out, size_t told, const struct file *file, const char *what)
{
    if (told < TOLD_MAX)
        buf_addf(out, "%s%s%s%s", told > 0 ? ", " : "", file->name, file->facts == 0 ? "/" : "",
                 what);
}

/* Which of two files comes first by its name; behind the last comes nothing. */
static int order_of(const struct fingerprint *a, size_t i, const struct fingerprint *b, size_t k)
{
    if (i == a->count)
        return 1;
    return k == b->count ? -1 : strcmp(a->files[i].name, b->files[k].name);
}

bool fingerprint_diff(const struct fingerprint *before, const struct fingerprint *after,
                      struct buf *out)
{
    size_t i = 0, k = 0, told = 0;

    while (i < before->count || k < after->count) {
        int order = order_of(before, i, after, k);
        if (order < 0)
            tell(out, told++, &before->files[i], " (gone)");
        else if (order > 0)
            tell(out, told++, &after->files[k], " (new)");
        else if (before->files[i].facts != after->files[k].facts)
            tell(out, told++, &after->files[k], "");
        i += order <= 0;
        k += order >= 0;
    }
    if (told > TOLD_MAX)
        buf_addf(out, " and %zu more", told - TOLD_MAX);
    return told > 0;
}

const char *fingerprint_directory(const struct fingerprint *fingerprint, size_t *at)
{
    while (*at < fingerprint->count) {
        const struct file *file = &fingerprint->files[(*at)++];
        if (file->facts == 0)
            return file->name;
    }
    return NULL;
}
