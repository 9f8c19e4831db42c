/* bench/loop_ack.c - the yardstick for functions in C: XREADGROUP 100, nothing, XACK, for ever.
 * loop_ack PORT STREAM */
#include "kit.h"

int main(int argc, char **argv)
{
    static struct ack ack;

    if (argc != 3)
        die("usage", "loop_ack PORT STREAM");
    redisContext *redis = kit_connect(argv[1]);
    kit_group(redis, argv[2]);
    int head = kit_ack_start(&ack, argv[2]);
    for (;;) {
        redisReply *reply =
            kit_call(redis, "XREADGROUP GROUP g c COUNT 100 BLOCK 10000 STREAMS %s >", argv[2]);
        const redisReply *entries = kit_entries(reply);
        for (size_t i = 0; entries != NULL && i < entries->elements; i++) {
            ack.args[head + (int)i] = entries->element[i]->element[0]->str;
            ack.lens[head + (int)i] = entries->element[i]->element[0]->len;
        }
        if (entries != NULL)
            freeReplyObject(
                redisCommandArgv(redis, head + (int)entries->elements, ack.args, ack.lens));
        freeReplyObject(reply);
    }
}
