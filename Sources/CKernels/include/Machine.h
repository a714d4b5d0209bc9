#ifndef EVODB_MACHINE_H
#define EVODB_MACHINE_H
#include <stdint.h>

/* The vector instructions that OpenBLAS has kernels for and that processor and operating system offer, as a combination of
   these bits. */
enum {
  EVODB_VECTORS_AVX = 1,
  /* AVX2 with fused multiplication and addition. */
  EVODB_VECTORS_AVX2 = 2,
  /* AVX-512 F, BW, DQ and VL. */
  EVODB_VECTORS_AVX512 = 4,
  /* The same with bfloat16 products. */
  EVODB_VECTORS_AVX512_BF16 = 8,
  /* Made by AMD, whose AVX-512 is no wider than its AVX2. */
  EVODB_VECTORS_AMD = 16,
};

/* 0 on processors that are not x86-64. */
uint32_t evodb_vector_extensions(void);

/* Starts `count` threads that wait for each other, and ends them: how many could be started. */
int64_t evodb_startable_threads(int64_t count);

#endif
