#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loop/process_internal.h"

/* A pipe would hold 64 KB at most, and then wait for a child that may never read. */
enum err process_input(struct slice text, int *ret_fd, struct cause *why)
{
    int fd = memfd_create("input", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

    if (fd >= 0 && write(fd, text.data, text.len) == (ssize_t)text.len &&
        fcntl(fd, F_ADD_SEALS, seals) == 0 && lseek(fd, 0, SEEK_SET) == 0) {
        *ret_fd = fd;
        return E_OK;
    }
    enum err err = cause_set(why, err_from_errno(errno), "its input: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return err;
}
