/* bench/measure.c - gives a reader COUNT messages at once and waits until it has acknowledged all
 * of them. The messages are made by one script, so the reader sees none before all are there; the
 * clock runs from the script's answer to the acknowledgement of the last, and is read every 2 ms.
 *
 *     measure stream PORT STREAM GROUP COUNT BYTES PID
 *     measure list PORT KEY PROCESSING-PATTERN COUNT BYTES PID
 *
 * Prints: seconds, CPU seconds of the process PID, CPU seconds of its children without
 * redis-server. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kit.h"

#define PATIENCE_NS (120ull * 1000000000)

static long long number_in(const redisReply *fields, const char *name)
{
    for (size_t i = 0; i + 1 < fields->elements; i += 2)
        if (strcmp(fields->element[i]->str, name) == 0)
            return fields->element[i + 1]->type == REDIS_REPLY_INTEGER
                       ? fields->element[i + 1]->integer
                       : -1;
    return -1;
}

static bool stream_is_done(redisContext *redis, const char *stream, const char *group)
{
    redisReply *groups = kit_call(redis, "XINFO GROUPS %s", stream);
    bool is_done = false;

    for (size_t i = 0; i < groups->elements; i++) {
        const redisReply *fields = groups->element[i];
        if (strcmp(fields->element[1]->str, group) == 0)
            is_done = number_in(fields, "pending") == 0 && number_in(fields, "lag") == 0;
    }
    freeReplyObject(groups);
    return is_done;
}

static bool list_is_done(redisContext *redis, const char *key, const char *pattern)
{
    redisReply *len = kit_call(redis, "LLEN %s", key);
    redisReply *lists = kit_call(redis, "KEYS %s", pattern);
    bool is_done = len->integer == 0 && lists->elements == 0;

    freeReplyObject(len);
    freeReplyObject(lists);
    return is_done;
}

static const struct kind {
    const char *name, *script;
    bool (*is_done)(redisContext *redis, const char *key, const char *other);
} kinds[] = {
    {"stream", "for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'p', ARGV[2]) end",
     stream_is_done},
    {"list", "for i = 1, ARGV[1] do redis.call('RPUSH', KEYS[1], i .. ARGV[2]) end", list_is_done},
};

int main(int argc, char **argv)
{
    const struct kind *kind = NULL;

    for (size_t i = 0; argc == 8 && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, argv[1]) == 0)
            kind = &kinds[i];
    if (kind == NULL)
        die("usage", "measure stream|list PORT KEY GROUP|PATTERN COUNT BYTES PID");
    size_t bytes = strtoul(argv[6], NULL, 10);
    int pid = atoi(argv[7]);
    char *padding = malloc(bytes + 1);
    memset(padding, 'x', bytes);
    redisContext *redis = kit_connect(argv[2]);
    double own = kit_cpu_seconds(pid), children = kit_children_seconds(pid);
    freeReplyObject(
        kit_call(redis, "EVAL %s 1 %s %s %b", kind->script, argv[3], argv[5], padding, bytes));
    uint64_t began = now_ns();
    while (!kind->is_done(redis, argv[3], argv[4])) {
        if (now_ns() - began > PATIENCE_NS)
            die(argv[3], "still not done after 120 s");
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    printf("%.4f %.2f %.2f\n", (double)(now_ns() - began) / 1e9, kit_cpu_seconds(pid) - own,
           kit_children_seconds(pid) - children);
    if (kind == &kinds[0])
        freeReplyObject(kit_call(redis, "XTRIM %s MAXLEN 0", argv[3]));
    free(padding);
    redisFree(redis);
    return 0;
}
