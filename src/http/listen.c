#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool host_parse(struct slice host, union address *ret)
{
    char text[INET6_ADDRSTRLEN + 1] = "";

    if (slice_eq_nocase(host, SLICE("localhost")))
        host = SLICE("127.0.0.1");
    bool is_v6 = host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
    if (is_v6)
        host = slice_first(slice_from(host, 1), host.len - 2);
    if (host.len >= sizeof(text))
        return false;
    memcpy(text, host.data, host.len);
    if (is_v6) {
        ret->v6.sin6_family = AF_INET6;
        return inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1;
    }
    ret->v4.sin_family = AF_INET;
    return inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1;
}

static enum err address_parse(const char *text, union address *ret, struct cause *why)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;

    memset(ret, 0, sizeof(*ret));
    if (colon == NULL || !host_parse((struct slice){text, (size_t)(colon - text)}, ret))
        return cause_set(why, E_BAD_INPUT,
                         "must be ADDRESS:PORT with an IP address or localhost, as 127.0.0.1:7070 "
                         "or [::1]:7070");
    if (!slice_to_u64(slice_of(colon + 1), &port) || port > 65535)
        return cause_set(why, E_BAD_INPUT, "the port must be a number from 0 to 65535");
    if (ret->any.sa_family == AF_INET6)
        ret->v6.sin6_port = htons((uint16_t)port);
    else
        ret->v4.sin_port = htons((uint16_t)port);
    return E_OK;
}

static enum err os_error(struct cause *why)
{
    int number = errno;

    if (number == EADDRINUSE)
        return cause_set(why, E_EXISTS, "something else listens there");
    if (number == EADDRNOTAVAIL)
        return cause_set(why, E_BAD_INPUT, "not an address of this machine");
    return cause_set(why, err_from_errno(number), "%s", strerror(number));
}

static enum err open_socket(union address *address, int *ret_fd, struct cause *why)
{
    bool is_v6 = address->any.sa_family == AF_INET6;
    socklen_t len = is_v6 ? sizeof(address->v6) : sizeof(address->v4);
    int on = 1;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return os_error(why);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, &address->any, len) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, &address->any, &len) != 0) {
        enum err err = os_error(why);
        close(fd);
        return err;
    }
    *ret_fd = fd;
    return E_OK;
}

enum err listen_on(const char *text, int *ret_fd, uint16_t *ret_port, struct cause *why)
{
    union address address;
    enum err err = address_parse(text, &address, why);

    if (err == E_OK)
        err = open_socket(&address, ret_fd, why);
    if (err)
        return cause_wrap(why, err, "%s", text);
    *ret_port =
        ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
    return E_OK;
}
