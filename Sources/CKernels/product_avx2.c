#include "product_sets.h"

/* AVX2 with FMA: tiles of 6 rows and 16 columns, 12 of 16 registers. */
#if defined(__x86_64__)
#define NAME(x) x##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define VECTOR_FLOATS 8
#define TILE_ROWS 6
#define TILE_PANELS 1
#define FLUSHES 1
#include "product_kernels.h"
#endif
