#include "caches/pressure.h"

#define FULL_PERCENT 90
#define EASY_PERCENT 80
#define FULL_MS 10000

bool pressure_note(struct pressure *pressure, uint64_t used_bytes, uint64_t max_bytes,
                   uint64_t now_ms)
{
    if (max_bytes == 0 || used_bytes < max_bytes / 100 * EASY_PERCENT)
        pressure->was_told = false;
    if (max_bytes == 0 || used_bytes <= max_bytes / 100 * FULL_PERCENT) {
        pressure->since_ms = 0;
        return false;
    }
    if (pressure->since_ms == 0)
        pressure->since_ms = now_ms;
    if (pressure->was_told || now_ms - pressure->since_ms < FULL_MS)
        return false;
    pressure->was_told = true;
    return true;
}
