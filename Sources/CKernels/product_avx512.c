#include "product_sets.h"

/* AVX-512: tiles of 14 rows and 32 columns, 28 of 32 registers. */
#if defined(__x86_64__)
#define NAME(x) x##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define VECTOR_FLOATS 16
#define TILE_ROWS 14
#define TILE_PANELS 2
#define FLUSHES 1
#include "product_kernels.h"
#endif
