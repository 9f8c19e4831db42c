/* bench/kit.h - what the measuring programs share: the clock, a connection to Redis that ends the
 * program when something fails, and a few words of Redis. */
#ifndef BENCH_KIT_H
#define BENCH_KIT_H

#include <hiredis/hiredis.h>
#include <stddef.h>
#include <stdint.h>

void die(const char *what, const char *why) __attribute__((noreturn));
/* now_ns: CLOCK_MONOTONIC, the same for all processes of the machine. */
uint64_t now_ns(void);
redisContext *kit_connect(const char *port);
/* kit_call returns the reply, never an error. Free it with freeReplyObject(). */
redisReply *kit_call(redisContext *redis, const char *format, ...);
/* kit_group makes the stream and the group `g` unless they are there. */
void kit_group(redisContext *redis, const char *stream);
/* kit_entries: the array of entries in a reply to XREADGROUP of one stream; NULL = none came. */
redisReply *kit_entries(const redisReply *reply);
/* kit_ack_start writes the head of an XACK for the group `g`; returns the place of the first id. */
#define ACK_IDS_MAX 1024
struct ack {
    const char *args[3 + ACK_IDS_MAX];
    size_t lens[3 + ACK_IDS_MAX];
};
int kit_ack_start(struct ack *ack, const char *stream);
/* What a process has used of the CPUs, and what its children have, redis-server left out. */
double kit_cpu_seconds(int pid);
double kit_children_seconds(int parent);

#endif
