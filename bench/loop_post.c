/* bench/loop_post.c - the yardstick for HTTP: XREADGROUP 512, one POST per entry over 64 keep-alive
 * connections, XACK by 256, for ever. One thread, epoll; Redis is asked in turn and answers at
 * once, except when nothing is left. loop_post PORT STREAM SINK-PORT */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit.h"

#define CONNECTIONS 64
#define READ_COUNT 512
#define ACK_COUNT 256
#define ID_BYTES 48

struct conn {
    int fd;
    char id[ID_BYTES]; /* of the entry whose POST is under way; empty = free */
    char answer[4096];
    size_t answer_len;
};

static struct {
    redisContext *redis;
    const char *stream;
    int epoll;
    struct conn conns[CONNECTIONS];
    struct conn *free[CONNECTIONS];
    size_t free_count;
    redisReply *reply; /* whose entries are being posted */
    const redisReply *entries;
    size_t next;
    struct ack ack;
    char ids[ACK_COUNT][ID_BYTES];
    size_t id_count;
} loop;

static void open_conn(struct conn *conn, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    conn->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(conn->fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect to the sink", strerror(errno));
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    epoll_ctl(loop.epoll, EPOLL_CTL_ADD, conn->fd, &(struct epoll_event){EPOLLIN, {.ptr = conn}});
    loop.free[loop.free_count++] = conn;
}

static void send_acks(void)
{
    int head = kit_ack_start(&loop.ack, loop.stream);

    for (size_t i = 0; i < loop.id_count; i++) {
        loop.ack.args[head + (int)i] = loop.ids[i];
        loop.ack.lens[head + (int)i] = strlen(loop.ids[i]);
    }
    if (loop.id_count > 0)
        freeReplyObject(
            redisCommandArgv(loop.redis, head + (int)loop.id_count, loop.ack.args, loop.ack.lens));
    loop.id_count = 0;
}

static void read_more(bool may_block)
{
    if (loop.reply != NULL)
        freeReplyObject(loop.reply);
    loop.reply =
        may_block ? kit_call(loop.redis, "XREADGROUP GROUP g c COUNT %d BLOCK 10000 STREAMS %s >",
                             READ_COUNT, loop.stream)
                  : kit_call(loop.redis, "XREADGROUP GROUP g c COUNT %d STREAMS %s >", READ_COUNT,
                             loop.stream);
    loop.entries = kit_entries(loop.reply);
    loop.next = 0;
}

static bool has_entry(void)
{
    return loop.entries != NULL && loop.next < loop.entries->elements;
}

static void post(struct conn *conn, const redisReply *entry)
{
    char request[1024];
    const redisReply *body = entry->element[1]->element[1];
    int len = snprintf(request, sizeof request,
                       "POST /Noop HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n"
                       "Content-Length: %zu\r\n\r\n%.*s",
                       body->len, (int)body->len, body->str);

    snprintf(conn->id, sizeof conn->id, "%s", entry->element[0]->str);
    conn->answer_len = 0;
    if (write(conn->fd, request, (size_t)len) != len)
        die("post", "a short write");
}

static void post_more(void)
{
    while (loop.free_count > 0) {
        if (!has_entry()) {
            bool is_idle = loop.free_count == CONNECTIONS;
            if (is_idle)
                send_acks();
            read_more(is_idle);
        }
        if (!has_entry())
            return;
        post(loop.free[--loop.free_count], loop.entries->element[loop.next++]);
    }
}

static void on_answer(struct conn *conn)
{
    ssize_t got =
        read(conn->fd, conn->answer + conn->answer_len, sizeof conn->answer - 1 - conn->answer_len);

    if (got <= 0)
        die("answer", "the sink has closed");
    conn->answer_len += (size_t)got;
    conn->answer[conn->answer_len] = '\0';
    if (strstr(conn->answer, "\r\n\r\n") == NULL)
        return;
    if (strncmp(conn->answer, "HTTP/1.1 200", 12) != 0)
        die("answer", conn->answer);
    memcpy(loop.ids[loop.id_count++], conn->id, sizeof conn->id);
    if (loop.id_count == ACK_COUNT)
        send_acks();
    loop.free[loop.free_count++] = conn;
}

int main(int argc, char **argv)
{
    struct epoll_event events[CONNECTIONS];

    if (argc != 4)
        die("usage", "loop_post PORT STREAM SINK-PORT");
    loop.redis = kit_connect(argv[1]);
    loop.stream = argv[2];
    loop.epoll = epoll_create1(0);
    kit_group(loop.redis, loop.stream);
    for (size_t i = 0; i < CONNECTIONS; i++)
        open_conn(&loop.conns[i], argv[3]);
    for (;;) {
        post_more();
        int count = epoll_wait(loop.epoll, events, CONNECTIONS, -1);
        for (int i = 0; i < count; i++)
            on_answer(events[i].data.ptr);
    }
}
