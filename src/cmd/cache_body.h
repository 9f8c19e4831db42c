/* cmd/cache_body.h - the options of `cache create`, `scale` and `update`, and the body that they
 * make. */
#ifndef CMD_CACHE_BODY_H
#define CMD_CACHE_BODY_H

#include "cmd/arm.h"

/* What a size is made of, and what may be set; what only a creation decides stands behind them. */
#define CACHE_SIZE_OPTIONS                                                                         \
    {.flag = "--sku",                                                                              \
     .takes = "TIER",                                                                              \
     .description = "Basic (one server), Standard (with a replica) or Premium.",                   \
     .choices = "Basic Standard Premium"},                                                         \
        {.flag = "--vm-size",                                                                      \
         .takes = "SIZE",                                                                          \
         .description = "C0 to C6 (250 MB to 53 GB) of Basic and Standard, P1 to P5 (6 GB to 120 " \
                        "GB) of Premium.",                                                         \
         .choices = "C0 C1 C2 C3 C4 C5 C6 P1 P2 P3 P4 P5"},                                        \
        {.flag = "--shard-count", .takes = "N", .description = "Premium: shards, 1 to 10."},       \
    {                                                                                              \
        .flag = "--replicas-per-master", .takes = "N",                                             \
        .description = "Premium: replicas of each shard, 1 to 3."                                  \
    }

#define CACHE_SETTING_OPTIONS                                                                      \
    {.flag = "--set",                                                                              \
     .takes = "NAME=VALUE...",                                                                     \
     .description = "Members of redisConfiguration: maxmemory-policy=allkeys-lru, "                \
                    "notify-keyspace-events=KEA; NAME= takes one away."},                          \
        {.flag = "--enable-non-ssl-port",                                                          \
         .takes = "YES|NO",                                                                        \
         .description = "Serve the port without TLS too [yes on loopback].",                       \
         .choices = "yes no"},                                                                     \
        {.flag = "--minimum-tls-version",                                                          \
         .takes = "VERSION",                                                                       \
         .description = "1.0, 1.1 or 1.2; less than 1.2 is never served.",                         \
         .choices = "1.0 1.1 1.2"},                                                                \
        {.flag = "--server-path",                                                                  \
         .takes = "PROGRAM",                                                                       \
         .description = "redis-server or valkey-server to run; another one is a patch."},          \
    {                                                                                              \
        .flag = "--max-memory", .takes = "SIZE",                                                   \
        .description = "Memory in place of the size's: 512mb."                                     \
    }

/* cache_body_write writes {"properties":{..}} and, if given, location and tags. EXIT_OK, or it
 * complained about an option, and the exit code. */
int cache_body_write(struct buf *out, const struct cmdline *line, const char *location);

#endif
