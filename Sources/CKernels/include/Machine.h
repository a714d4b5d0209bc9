#ifndef EVODB_MACHINE_H
#define EVODB_MACHINE_H
#include <stdint.h>

/* What the processor has and the operating system lets us use, one bit each. */
enum {
  EVODB_HAS_FMA = 1,             /* fused multiply-add as an instruction */
  EVODB_HAS_AVX2 = 2,            /* AVX2 and FMA, registers saved by the system */
  EVODB_HAS_AVX512 = 4,          /* AVX-512 F, BW, DQ, VL, registers saved by the system */
  EVODB_HAS_AMX = 8,             /* AMX tiles with bfloat16 in the processor, and AVX-512 with its bfloat16 conversion */
  EVODB_HAS_AMX_PERMISSION = 16, /* the system saves tiles and lets this process use them */
  EVODB_HAS_NEON = 32,
  EVODB_HAS_AVX = 64,
  EVODB_HAS_AVX512_BF16 = 128,   /* AVX-512 with bfloat16 products */
  EVODB_IS_AMD = 256             /* whose AVX-512 is no wider than its AVX2 in the generations that OpenBLAS 0.3.21 knows */
};
int evodb_processor_features(void);

/* The name of the processor as it gives it itself, at most `size` - 1 characters; empty if it gives none. */
void evodb_processor_name(char *name, int size);

/* Starts `count` threads that wait for each other, and ends them: how many could be started. */
int64_t evodb_startable_threads(int64_t count);

#endif
