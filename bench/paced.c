/* bench/paced.c - sends entries at a steady rate; the field `t` says when, in ns of the monotonic
 * clock. paced PORT STREAM COUNT RATE */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kit.h"

static void sleep_until(uint64_t at_ns)
{
    struct timespec at = {.tv_sec = (time_t)(at_ns / 1000000000),
                          .tv_nsec = (long)(at_ns % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0)
        ;
}

int main(int argc, char **argv)
{
    char padding[236];

    if (argc != 5)
        die("usage", "paced PORT STREAM COUNT RATE");
    memset(padding, 'x', sizeof padding);
    redisContext *redis = kit_connect(argv[1]);
    uint64_t count = strtoull(argv[3], NULL, 10), gap = 1000000000 / strtoull(argv[4], NULL, 10);
    uint64_t began = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        sleep_until(began + i * gap);
        freeReplyObject(kit_call(redis, "XADD %s * t %llu p %b", argv[2],
                                 (unsigned long long)now_ns(), padding, sizeof padding));
    }
    return 0;
}
