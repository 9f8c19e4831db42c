#include "kit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

redisContext *kit_connect(const char *port)
{
    redisContext *redis = redisConnect("127.0.0.1", atoi(port));
    if (redis == NULL || redis->err)
        die("connect to Redis", redis == NULL ? "out of memory" : redis->errstr);
    return redis;
}

redisReply *kit_call(redisContext *redis, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = redisvCommand(redis, format, args);
    va_end(args);
    if (reply == NULL)
        die(format, redis->errstr);
    if (reply->type == REDIS_REPLY_ERROR)
        die(format, reply->str);
    return reply;
}

void kit_group(redisContext *redis, const char *stream)
{
    freeReplyObject(redisCommand(redis, "XGROUP CREATE %s g 0 MKSTREAM", stream));
}

redisReply *kit_entries(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0)
        return NULL;
    redisReply *entries = reply->element[0]->element[1];
    return entries->elements == 0 ? NULL : entries;
}

int kit_ack_start(struct ack *ack, const char *stream)
{
    ack->args[0] = "XACK";
    ack->args[1] = stream;
    ack->args[2] = "g";
    for (int i = 0; i < 3; i++)
        ack->lens[i] = strlen(ack->args[i]);
    return 3;
}
