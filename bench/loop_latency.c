/* bench/loop_latency.c - the yardstick for latency: blocks in XREADGROUP, notes how old each entry
 * is, XACK. The entry's field `t` holds when it was sent, in ns of the monotonic clock. Writes a
 * uint64_t per entry to FILE. loop_latency PORT STREAM FILE */
#include <stdio.h>
#include <stdlib.h>

#include "kit.h"

int main(int argc, char **argv)
{
    if (argc != 4)
        die("usage", "loop_latency PORT STREAM FILE");
    redisContext *redis = kit_connect(argv[1]);
    FILE *file = fopen(argv[3], "wb");
    if (file == NULL)
        die(argv[3], "cannot be written");
    kit_group(redis, argv[2]);
    for (;;) {
        redisReply *reply =
            kit_call(redis, "XREADGROUP GROUP g c COUNT 100 BLOCK 10000 STREAMS %s >", argv[2]);
        const redisReply *entries = kit_entries(reply);
        for (size_t i = 0; entries != NULL && i < entries->elements; i++) {
            const redisReply *entry = entries->element[i];
            uint64_t age = now_ns() - strtoull(entry->element[1]->element[1]->str, NULL, 10);
            fwrite(&age, sizeof age, 1, file);
            freeReplyObject(kit_call(redis, "XACK %s g %s", argv[2], entry->element[0]->str));
        }
        fflush(file);
        freeReplyObject(reply);
    }
}
