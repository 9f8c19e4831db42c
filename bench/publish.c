/* bench/publish.c - publishes COUNT events over HTTP, as fast as they are accepted or, with a RATE,
 * so many a second over one connection. Each carries in `sent` when it left, in ns of the
 * monotonic clock, and is of BYTES in all.
 *
 *     publish PORT TOPIC KEY TYPE COUNT BYTES CONNECTIONS BATCH RATE [REDIS-PORT PID]
 *
 * BATCH events are in one request; RATE 0 = no limit. With REDIS-PORT it goes on until every queue
 * in there is empty. Prints: seconds until all were accepted, seconds until the queues were empty,
 * CPU seconds of the process PID, and of its children without redis-server. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kit.h"

#define CONNECTIONS_MAX 256
#define EVENT_MAX_BYTES 4096
#define PATIENCE_NS (600ull * 1000000000)

struct conn {
    int fd;
    char answer[4096];
    size_t answer_len;
};

static struct {
    const char *port, *topic, *key, *type;
    uint64_t count, bytes, connections, batch, rate;
    uint64_t sent; /* events */
    char *request;
    int epoll;
    struct conn conns[CONNECTIONS_MAX];
} run;

static void open_conn(struct conn *conn)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(run.port))};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    conn->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(conn->fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect to redgrid", strerror(errno));
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    epoll_ctl(run.epoll, EPOLL_CTL_ADD, conn->fd, &(struct epoll_event){EPOLLIN, {.ptr = conn}});
}

static size_t write_event(char *out)
{
    int len =
        snprintf(out, EVENT_MAX_BYTES,
                 "{\"id\":\"%llu\",\"subject\":\"orders/1\",\"eventType\":\"%s\",\"eventTime\":"
                 "\"2030-01-01T00:00:00Z\",\"dataVersion\":\"1\",\"data\":{\"sent\":%llu,\"p\":\"",
                 (unsigned long long)run.sent, run.type, (unsigned long long)now_ns());
    size_t used = (size_t)len, end = run.bytes > used + 3 ? run.bytes - 3 : used;

    memset(out + used, 'x', end - used);
    memcpy(out + end, "\"}}", 3);
    return end + 3;
}

/* The head is written in front of the body once that is there. */
static void send_request(struct conn *conn)
{
    enum { HEAD_ROOM = 1024 };
    char head[HEAD_ROOM];
    char *body = run.request + HEAD_ROOM;
    size_t len = 0;

    body[len++] = '[';
    for (uint64_t i = 0; i < run.batch && run.sent < run.count; i++, run.sent++) {
        if (i > 0)
            body[len++] = ',';
        len += write_event(body + len);
    }
    body[len++] = ']';
    int head_len =
        snprintf(head, sizeof head,
                 "POST /topics/%s/api/events HTTP/1.1\r\nHost: 127.0.0.1\r\naeg-sas-key: "
                 "%s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                 run.topic, run.key, len);
    char *at = memcpy(body - head_len, head, (size_t)head_len);
    for (size_t left = len + (size_t)head_len; left > 0;) {
        ssize_t did = write(conn->fd, at, left);
        if (did <= 0)
            die("publish", strerror(errno));
        at += did;
        left -= (size_t)did;
    }
    conn->answer_len = 0;
}

static int read_answer(struct conn *conn)
{
    size_t room = sizeof conn->answer - 1 - conn->answer_len;
    ssize_t got = read(conn->fd, conn->answer + conn->answer_len, room);

    if (got <= 0)
        die("publish", "redgrid has closed");
    conn->answer_len += (size_t)got;
    conn->answer[conn->answer_len] = '\0';
    if (strstr(conn->answer, "\r\n\r\n") == NULL)
        return 0;
    if (strncmp(conn->answer, "HTTP/1.1 200", 12) != 0)
        die("publish", conn->answer);
    return 1;
}

static void publish_fast(void)
{
    struct epoll_event events[CONNECTIONS_MAX];
    uint64_t under_way = 0;

    for (uint64_t i = 0; i < run.connections && run.sent < run.count; i++, under_way++)
        send_request(&run.conns[i]);
    while (under_way > 0) {
        int count = epoll_wait(run.epoll, events, CONNECTIONS_MAX, -1);
        for (int i = 0; i < count; i++) {
            struct conn *conn = events[i].data.ptr;
            if (!read_answer(conn))
                continue;
            under_way--;
            if (run.sent < run.count) {
                send_request(conn);
                under_way++;
            }
        }
    }
}

static void sleep_until(uint64_t at_ns)
{
    struct timespec at = {.tv_sec = (time_t)(at_ns / 1000000000),
                          .tv_nsec = (long)(at_ns % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0)
        ;
}

static void publish_paced(void)
{
    uint64_t began = now_ns(), gap = 1000000000 / run.rate;

    for (uint64_t i = 0; run.sent < run.count; i++) {
        sleep_until(began + i * gap);
        send_request(&run.conns[0]);
        while (!read_answer(&run.conns[0]))
            ;
    }
}

static void wait_until_empty(const char *redis_port, uint64_t began)
{
    redisContext *redis = kit_connect(redis_port);
    long long left;

    do {
        if (now_ns() - began > PATIENCE_NS)
            die(run.topic, "its queues are still not empty");
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        redisReply *reply =
            kit_call(redis, "EVAL %s 0",
                     "local n = 0 for _, k in ipairs(redis.call('KEYS', 'rg:{q:*}:events')) do "
                     "n = n + redis.call('XLEN', k) end return n");
        left = reply->integer;
        freeReplyObject(reply);
    } while (left > 0);
    redisFree(redis);
}

int main(int argc, char **argv)
{
    if (argc != 10 && argc != 12)
        die("usage", "publish PORT TOPIC KEY TYPE COUNT BYTES CONNECTIONS BATCH RATE "
                     "[REDIS-PORT PID]");
    run.port = argv[1], run.topic = argv[2], run.key = argv[3], run.type = argv[4];
    run.count = strtoull(argv[5], NULL, 10), run.bytes = strtoull(argv[6], NULL, 10);
    run.connections = strtoull(argv[7], NULL, 10), run.batch = strtoull(argv[8], NULL, 10);
    run.rate = strtoull(argv[9], NULL, 10);
    if (run.connections == 0 || run.connections > CONNECTIONS_MAX || run.batch == 0 ||
        run.bytes > EVENT_MAX_BYTES)
        die("usage", "1 to 256 connections, events of at most 4096 bytes");
    run.request = malloc(2048 + run.batch * (EVENT_MAX_BYTES + 1));
    run.epoll = epoll_create1(0);
    for (uint64_t i = 0; i < run.connections; i++)
        open_conn(&run.conns[i]);

    int pid = argc == 12 ? atoi(argv[11]) : 0;
    double own = kit_cpu_seconds(pid), children = kit_children_seconds(pid);
    uint64_t began = now_ns();
    if (run.rate > 0)
        publish_paced();
    else
        publish_fast();
    uint64_t accepted = now_ns() - began;
    if (argc == 12)
        wait_until_empty(argv[10], began);
    printf("%.4f %.4f %.2f %.2f\n", (double)accepted / 1e9, (double)(now_ns() - began) / 1e9,
           kit_cpu_seconds(pid) - own, kit_children_seconds(pid) - children);
    return 0;
}
