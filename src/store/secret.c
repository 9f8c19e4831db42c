#include "store/secret.h"

#include "base/mem.h"

#define KEY_PREFIX "rg:{meta}:secret:"
#define KEY_MAX_BYTES 256

static const char share_script[] = "redis.call('SET', KEYS[1], ARGV[1], 'NX') "
                                   "return redis.call('GET', KEYS[1])";

enum err secret_share(struct redis *redis, struct slice name, struct slice proposed,
                      struct redis_call *call)
{
    char room[KEY_MAX_BYTES];
    struct buf key = {.data = room, .cap = sizeof room, .max_bytes = sizeof room};

    buf_add(&key, SLICE(KEY_PREFIX));
    buf_add(&key, name);
    if (buf_err(&key) || proposed.len > SECRET_MAX_BYTES)
        return E_LIMIT;
    const struct slice args[] = {SLICE("EVAL"), slice_of(share_script), SLICE("1"), buf_slice(&key),
                                 proposed};
    return redis_call(redis, args, COUNT_OF(args), call);
}
