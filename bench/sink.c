/* bench/sink.c - an HTTP server that answers every request with 200 and no body, but a webhook's
 * handshake with its code: what all contenders post to. One thread, epoll, keep-alive, requests one
 * after another or in a pipeline. sink [PORT [AGES-FILE]]; without PORT it is a custom handler and
 * takes FUNCTIONS_CUSTOMHANDLER_PORT. To AGES-FILE it adds, of each body that has `"sent":N`, how
 * many ns ago that was, as 8 bytes. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit.h"

#define ROOM_BYTES 65536
#define EVENTS_MAX 256

struct peer {
    int fd;
    size_t len;
    char room[ROOM_BYTES + 1];
};

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
static FILE *ages;

static int listen_on(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 512) != 0)
        die("listen", strerror(errno));
    return fd;
}

static void accept_peer(int listener, int epoll)
{
    struct peer *peer = calloc(1, sizeof *peer);

    peer->fd = accept(listener, NULL, NULL);
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    epoll_ctl(epoll, EPOLL_CTL_ADD, peer->fd, &(struct epoll_event){EPOLLIN, {.ptr = peer}});
}

/* The length of the first request in `text`, which ends with a NUL; 0 = not all of it is here. */
static size_t request_len(const char *text, size_t len)
{
    const char *end = memmem(text, len, "\r\n\r\n", 4);
    size_t body = 0;

    if (end == NULL)
        return 0;
    for (const char *line = text; line < end; line = strstr(line, "\r\n") + 2)
        if (strncasecmp(line, "content-length:", 15) == 0)
            body = strtoul(line + 15, NULL, 10);
    size_t all = (size_t)(end + 4 - text) + body;
    return all <= len ? all : 0;
}

static bool write_all(int fd, const char *text, size_t len)
{
    return write(fd, text, len) == (ssize_t)len;
}

static bool agree(int fd, const char *code)
{
    char text[256];
    int code_len = (int)strcspn(code, "\"");
    int len = snprintf(text, sizeof text,
                       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                       "%d\r\n\r\n{\"validationResponse\":\"%.*s\"}",
                       code_len + 25, code_len, code);
    return write_all(fd, text, (size_t)len);
}

static bool reply(int fd, const char *request, size_t len)
{
    static const char code[] = "\"validationCode\":\"", sent[] = "\"sent\":";
    const char *at = memmem(request, len, code, sizeof code - 1);

    if (at != NULL)
        return agree(fd, at + sizeof code - 1);
    at = ages != NULL ? memmem(request, len, sent, sizeof sent - 1) : NULL;
    if (at != NULL) {
        uint64_t age = now_ns() - strtoull(at + sizeof sent - 1, NULL, 10);
        fwrite(&age, sizeof age, 1, ages);
        fflush(ages);
    }
    return write_all(fd, answer, sizeof answer - 1);
}

/* Returns false when the peer is gone. */
static bool serve(struct peer *peer)
{
    ssize_t got = read(peer->fd, peer->room + peer->len, ROOM_BYTES - peer->len);
    size_t at = 0, used;

    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    peer->len += (size_t)got;
    peer->room[peer->len] = '\0';
    for (; (used = request_len(peer->room + at, peer->len - at)) > 0; at += used)
        if (!reply(peer->fd, peer->room + at, used))
            return false;
    memmove(peer->room, peer->room + at, peer->len - at);
    peer->len -= at;
    return peer->len < ROOM_BYTES;
}

int main(int argc, char **argv)
{
    const char *port = argc > 1 ? argv[1] : getenv("FUNCTIONS_CUSTOMHANDLER_PORT");
    struct epoll_event events[EVENTS_MAX];

    if (port == NULL)
        die("usage", "sink PORT");
    if (argc > 2)
        ages = fopen(argv[2], "a");
    int listener = listen_on(port), epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){EPOLLIN, {.ptr = NULL}});
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer == NULL) {
                accept_peer(listener, epoll);
            } else if (!serve(peer)) {
                close(peer->fd);
                free(peer);
            }
        }
    }
}
