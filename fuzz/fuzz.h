/* fuzz/fuzz.h - what every fuzzer has: one function that is given bytes and must survive them.
 * Rules: it finds a fault by assert() or by a sanitizer, keeps nothing between two calls, and
 * returns 0. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
