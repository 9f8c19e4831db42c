#include "invokers/digest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define FILE_MAX_BYTES (64 * 1024 * 1024)

__extension__ typedef unsigned __int128 u128;

static void mix(struct digest *digest, const char *bytes, size_t len)
{
    const u128 prime = ((u128)1 << 88) + 0x13b;
    u128 hash = (u128)digest->high << 64 | digest->low;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * prime;
    digest->high = (uint64_t)(hash >> 64);
    digest->low = (uint64_t)hash;
}

void digest_init(struct digest *digest)
{
    *digest = (struct digest){0x6c62272e07bb0142u, 0x62b821756295c58du};
}

void digest_add(struct digest *digest, struct slice bytes)
{
    uint64_t len = bytes.len;
    mix(digest, (const char *)&len, sizeof len);
    mix(digest, bytes.data, bytes.len);
}

static enum err add_content(struct digest *digest, int fd, const char *path, struct cause *why)
{
    char chunk[16 * 1024];
    size_t total = 0;
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0) {
        mix(digest, chunk, (size_t)n);
        total += (size_t)n;
        if (total > FILE_MAX_BYTES)
            return cause_set(why, E_LIMIT, "%s: is larger than %d bytes", path, FILE_MAX_BYTES);
    }
    if (n < 0)
        return cause_set(why, err_from_errno(errno), "%s: %s", path, strerror(errno));
    mix(digest, (const char *)&total, sizeof total);
    return E_OK;
}

enum err digest_add_file(struct digest *digest, const char *path, struct cause *why)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        digest_add(digest, SLICE("absent"));
        return E_OK;
    }
    if (fd < 0)
        return cause_set(why, err_from_errno(errno), "%s: %s", path, strerror(errno));
    enum err err = E_OK;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        err = add_content(digest, fd, path, why);
    (void)close(fd);
    return err;
}

enum err digest_add_directory(struct digest *digest, const char *path, struct cause *why)
{
    struct dirent **entries;
    char file[PATH_MAX];
    enum err err = E_OK;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0)
        return cause_set(why, err_from_errno(errno), "%s: %s", path, strerror(errno));
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        bool is_hidden = name[0] == '.';
        if (err == E_OK && !is_hidden) {
            (void)snprintf(file, sizeof file, "%s/%s", path, name);
            digest_add(digest, slice_of(name));
            err = digest_add_file(digest, file, why);
        }
        free(entries[i]);
    }
    free(entries);
    return err;
}

void digest_text(const struct digest *digest, char ret[DIGEST_TEXT_BYTES])
{
    (void)snprintf(ret, DIGEST_TEXT_BYTES, "%016llx%016llx", (unsigned long long)digest->high,
                   (unsigned long long)digest->low);
}
