#include "kit.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

/* The fields of /proc/PID/stat that count here. */
struct usage {
    char name[64];
    int parent;
    double seconds;
};

static bool usage_read(int pid, struct usage *ret)
{
    char path[64], line[1024];
    unsigned long user, system;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    bool is_read = file != NULL && fgets(line, sizeof line, file) != NULL;
    if (file != NULL)
        fclose(file);
    char *end = is_read ? strrchr(line, ')') : NULL;
    if (end == NULL || sscanf(line, "%*d (%63[^)]", ret->name) != 1 ||
        sscanf(end + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &ret->parent, &user,
               &system) != 3)
        return false;
    ret->seconds = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
    return true;
}

double kit_children_seconds(int parent)
{
    struct usage usage;
    double sum = 0;
    DIR *proc = opendir("/proc");

    for (struct dirent *entry; proc != NULL && (entry = readdir(proc)) != NULL;)
        if (atoi(entry->d_name) > 0 && usage_read(atoi(entry->d_name), &usage) &&
            usage.parent == parent && strcmp(usage.name, "redis-server") != 0)
            sum += usage.seconds;
    if (proc != NULL)
        closedir(proc);
    return sum;
}

double kit_cpu_seconds(int pid)
{
    struct usage usage;
    return usage_read(pid, &usage) ? usage.seconds : 0;
}
