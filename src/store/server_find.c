#include "store/server_find.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "store/datadir.h"

#define PORTS_TRIED 100

static char *in_path(struct slice name)
{
    const char *path = getenv("PATH");
    struct slice rest = slice_of(path != NULL ? path : "/usr/local/bin:/usr/bin:/bin:/usr/sbin"),
                 part;
    char file[DATADIR_PATH_MAX_BYTES];

    if (slice_find_byte(name, '/') < name.len) {
        snprintf(file, sizeof file, "%.*s", SLICE_ARG(name));
        return access(file, X_OK) == 0 ? slice_dup(name) : NULL;
    }
    while (slice_cut(&rest, ':', &part)) {
        snprintf(file, sizeof file, "%.*s/%.*s", SLICE_ARG(part), SLICE_ARG(name));
        if (part.len > 0 && access(file, X_OK) == 0)
            return slice_dup(slice_of(file));
    }
    return NULL;
}

char *program_find(const char *name)
{
    return in_path(slice_of(name));
}

char *server_find(const char *name)
{
    if (name != NULL && name[0] != '\0')
        return in_path(slice_of(name));
    char *found = in_path(SLICE("redis-server"));
    return found != NULL ? found : in_path(SLICE("valkey-server"));
}

static bool port_is_free(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;

    if (fd < 0)
        return false;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes); /* as the server does */
    bool is_free =
        bind(fd, (struct sockaddr *)(void *)&address, sizeof address) == 0 && listen(fd, 1) == 0;
    close(fd);
    return is_free;
}

uint16_t port_free(uint16_t first)
{
    for (uint32_t port = first; port < (uint32_t)first + PORTS_TRIED && port <= UINT16_MAX; port++)
        if (port_is_free((uint16_t)port))
            return (uint16_t)port;
    return 0;
}
