#include "product_sets.h"

/* NEON: tiles of 6 rows and 16 columns, 24 of 32 registers. Its flush-to-zero decides tininess before rounding and x86
   after, so it stays off; see `may_underflow` in products.c. */
#if defined(__aarch64__)
#define NAME(x) x##_neon
#define TARGET
#define VECTOR_FLOATS 4
#define TILE_ROWS 6
#define TILE_PANELS 1
#define FLUSHES 0
#include "product_kernels.h"
#endif
