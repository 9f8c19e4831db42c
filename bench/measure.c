/* bench/measure.c - gives a reader COUNT messages at once and waits until it has acknowledged all
 * of them. The messages are made by one script, so the reader sees none before all are there; the
 * clock runs from the script's answer to the acknowledgement of the last, and is read every 2 ms.
 *
 *     measure stream PORT STREAM GROUP COUNT BYTES PID
 *     measure list PORT KEY PROCESSING-PATTERN COUNT BYTES PID
 *
 * Prints: seconds, CPU seconds of the process PID, CPU seconds of its children without
 * redis-server. */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kit.h"

#define PATIENCE_NS (120ull * 1000000000)

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

static double children_seconds(int parent)
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

static double own_seconds(int pid)
{
    struct usage usage;
    return usage_read(pid, &usage) ? usage.seconds : 0;
}

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
    double own = own_seconds(pid), children = children_seconds(pid);
    freeReplyObject(
        kit_call(redis, "EVAL %s 1 %s %s %b", kind->script, argv[3], argv[5], padding, bytes));
    uint64_t began = now_ns();
    while (!kind->is_done(redis, argv[3], argv[4])) {
        if (now_ns() - began > PATIENCE_NS)
            die(argv[3], "still not done after 120 s");
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    printf("%.4f %.2f %.2f\n", (double)(now_ns() - began) / 1e9, own_seconds(pid) - own,
           children_seconds(pid) - children);
    if (kind == &kinds[0])
        freeReplyObject(kit_call(redis, "XTRIM %s MAXLEN 0", argv[3]));
    free(padding);
    redisFree(redis);
    return 0;
}
