#ifndef EVODB_SHA256_H
#define EVODB_SHA256_H
#include <stdint.h>

/* The compression function of SHA-256 (FIPS 180-4) over `count` blocks of 64 bytes, by the processor's instructions for it
   where it has them. */
void evodb_sha256_blocks(uint32_t state[8], const uint8_t *bytes, int64_t count);

/* The same in plain C. */
void evodb_sha256_blocks_plain(uint32_t state[8], const uint8_t *bytes, int64_t count);

#endif
