#ifndef EVODB_EXP_AVX512_H
#define EVODB_EXP_AVX512_H

#include "lanes.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET_512 __attribute__((target("avx512f")))
#define ALL(v) _mm512_set1_ps(v)
#define TIMES_PLUS(p, x, c) _mm512_add_ps(_mm512_mul_ps(p, x), ALL(c))

/* All n vectors get here before any goes on. */
enum { MOST_TOGETHER = 8 };
#define TOGETHER(v)                                                                                                     \
  do {                                                                                                                  \
    if (n == MOST_TOGETHER && meanwhile)                                                                                \
      __asm__ volatile("" : "+v"((v)[0]), "+v"((v)[1]), "+v"((v)[2]), "+v"((v)[3]), "+v"((v)[4]), "+v"((v)[5]),         \
                       "+v"((v)[6]), "+v"((v)[7]));                                                                     \
  } while (0)
#define TOGETHER_EACH(v, value)   \
  do {                            \
    EACH(n) (v)[g] = (value);     \
    TOGETHER(v);                  \
  } while (0)
#define MEANWHILE(i)                       \
  do {                                     \
    if (meanwhile) meanwhile(context, i);  \
  } while (0)

/* exp_lanes on AVX-512, to the same bits for all 2^32 arguments, with five operations less: p * 0.693359375 is exact, so that it
   may be fused with the subtraction, and vscalefps is the product with 2^n. Private to this target.

   `meanwhile`, if there is one, is called with 0 to 5 on the way. What it begins (multiplications of tiles, say) then runs beside
   these operations; after them, or before, a processor would see too little of one while it works on the other. */
static inline __attribute__((always_inline)) TARGET_512 void exp_lanes_beside(const int n, lanes *v,
                                                                              void (*meanwhile)(void *, int), void *context) {
  __m512 x[MOST_TOGETHER], p[MOST_TOGETHER], power[MOST_TOGETHER];
  /* In this order of operands NaN stays NaN. */
  TOGETHER_EACH(x, _mm512_min_ps(ALL(88.3f), _mm512_max_ps(ALL(-87.3f), (__m512)v[g])));
  TOGETHER_EACH(p, TIMES_PLUS(x[g], ALL(1.44269504f), 12582912.0f));
  MEANWHILE(0);
  TOGETHER_EACH(power, _mm512_sub_ps(p[g], ALL(12582912.0f)));
  TOGETHER_EACH(x, _mm512_fnmadd_ps(power[g], ALL(0.693359375f), x[g]));
  TOGETHER_EACH(x, _mm512_sub_ps(x[g], _mm512_mul_ps(power[g], ALL(-2.12194440e-4f))));
  MEANWHILE(1);
  TOGETHER_EACH(p, TIMES_PLUS(x[g], ALL(1.9875691500e-4f), 1.3981999507e-3f));
  TOGETHER_EACH(p, TIMES_PLUS(p[g], x[g], 8.3334519073e-3f));
  MEANWHILE(2);
  TOGETHER_EACH(p, TIMES_PLUS(p[g], x[g], 4.1665795894e-2f));
  TOGETHER_EACH(p, TIMES_PLUS(p[g], x[g], 1.6666665459e-1f));
  MEANWHILE(3);
  TOGETHER_EACH(p, TIMES_PLUS(p[g], x[g], 5.0000001201e-1f));
  TOGETHER_EACH(p, _mm512_add_ps(_mm512_mul_ps(p[g], _mm512_mul_ps(x[g], x[g])), x[g]));
  MEANWHILE(4);
  TOGETHER_EACH(x, _mm512_scalef_ps(_mm512_add_ps(p[g], ALL(1.0f)), power[g]));
  EACH(n) v[g] = (lanes)x[g];
  MEANWHILE(5);
}

/* Without anything beside it. */
static inline __attribute__((always_inline)) TARGET_512 void exp_lanes_512(const int n, lanes *v) {
  exp_lanes_beside(n, v, 0, 0);
}

/* Calls a kernel's version for this processor: `kernel`_512 or `kernel`_below_512. */
#define BY_PROCESSOR(kernel, ...) \
  (__builtin_cpu_supports("avx512f") ? kernel##_512(__VA_ARGS__) : kernel##_below_512(__VA_ARGS__))
/* Both versions of a kernel, whose body takes an exp first. */
#define VERSIONS(result, kernel, parameters, ...)                                                       \
  TARGET_512 static result kernel##_512 parameters { return kernel##_body(exp_lanes_512, __VA_ARGS__); } \
  CLONED_BELOW_512 static result kernel##_below_512 parameters { return kernel##_body(exp_lanes, __VA_ARGS__); }
#else
#define BY_PROCESSOR(kernel, ...) kernel##_below_512(__VA_ARGS__)
#define VERSIONS(result, kernel, parameters, ...) \
  static result kernel##_below_512 parameters { return kernel##_body(exp_lanes, __VA_ARGS__); }
#endif
#endif
