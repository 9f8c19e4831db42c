/* caches/testing_servers.h - for tests of this folder that run real servers: which there are, ports
 * for them, their secrets. Included by one test file per program. */
#ifndef CACHES_TESTING_SERVERS_H
#define CACHES_TESTING_SERVERS_H

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "caches/server_config.h"
#include "caches/testing.h"
#include "store/server_find.h"

#define DEADLINE_MS 30000

static inline void nap(void)
{
    (void)poll(NULL, 0, 5);
}

/* 127.77.0.1 and .2 share their port, as the members of a cache do. It and the next two, for TLS
 * and the cluster's bus, are free, and below those that the kernel gives to clients: another test's
 * connection may take any of these at any time. Each process begins with three of its own: a test
 * that has its servers down for a moment shall find them free again. */
static inline uint16_t a_port(void)
{
    for (unsigned port = 10000 + 3 * (unsigned)getpid() % 15000; port < 26000; port += 3)
        if (port_free((uint16_t)port) == port && port_free((uint16_t)(port + 1)) == port + 1 &&
            port_free((uint16_t)(port + 2)) == port + 2)
            return (uint16_t)port;
    fail_msg("no three ports are free");
    return 0;
}

/* Each server that there is; the test is skipped if there is none. */
static inline void with_each_server(void (*test)(const char *program))
{
    static const char *const programs[] = {"redis-server", "valkey-server"};
    size_t found = 0;

    for (size_t i = 0; i < COUNT_OF(programs); i++) {
        char *path = server_find(programs[i]);
        if (path == NULL)
            continue;
        test(path);
        free(path);
        found++;
    }
    if (found > 0)
        return;
    print_message("no redis-server or valkey-server in PATH\n");
    skip();
}

#endif
