/* base/rand.h - chance: for secrets from the kernel, for jitter and ids from a fast generator
 * seeded by it. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

/* rand_secret fills `len` bytes with unpredictable ones (getrandom); aborts if the kernel has none.
 */
void rand_secret(void *bytes, size_t len);

/* rand_u64 and rand_unit (0 <= x < 1) are fast and not for secrets. One thread. */
uint64_t rand_u64(void);
double rand_unit(void);

#endif
