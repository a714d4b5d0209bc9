#ifndef EVODB_LANES_H
#define EVODB_LANES_H

/* What the kernels share: 16 lanes of float32, and exp and tanh on them. Private to this target. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

/* One copy per instruction set, chosen when the program is loaded. */
#if defined(__x86_64__) && defined(__linux__)
#define CLONED __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONED
#endif
#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16 };
typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t ilanes __attribute__((vector_size(4 * LANES)));

/* Macros, because a function that takes or returns 64-byte vectors would have another calling convention in every clone. */
#define LOAD(v, p) memcpy(&(v), (p), sizeof(lanes))
#define STORE(p, v) memcpy((p), &(v), sizeof(lanes))
#define LOAD_PART(v, p, n, fill)                  \
  do {                                            \
    (v) = (lanes){0} + (fill);                    \
    memcpy(&(v), (p), (size_t)(n) * sizeof(float)); \
  } while (0)
#define STORE_PART(p, v, n) memcpy((p), &(v), (size_t)(n) * sizeof(float))
#define SELECT(mask, a, b) ((lanes)(((ilanes)(a) & (mask)) | ((ilanes)(b) & ~(mask))))

/* exp(x) to 1 ulp or so: x = n ln2 + r, |r| <= ln2 / 2, exp(r) by the polynomial of Cephes' expf, times 2^n. Below -87.3 the
   result is about 1e-38 instead of a subnormal; NaN stays NaN. */
#define EXP(y, x)                                                                                   \
  do {                                                                                              \
    lanes x_ = (x);                                                                                 \
    x_ = SELECT(x_ < -87.3f, (lanes){0} - 87.3f, x_);                                               \
    x_ = SELECT(x_ > 88.3f, (lanes){0} + 88.3f, x_);                                                \
    lanes m_ = x_ * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: the sum's low bits are round(x / ln2) */ \
    lanes n_ = m_ - 12582912.0f;                                                                    \
    lanes r_ = x_ - n_ * 0.693359375f;                                                              \
    r_ = r_ - n_ * -2.12194440e-4f;                                                                 \
    lanes p_ = r_ * 1.9875691500e-4f + 1.3981999507e-3f;                                            \
    p_ = p_ * r_ + 8.3334519073e-3f;                                                                \
    p_ = p_ * r_ + 4.1665795894e-2f;                                                                \
    p_ = p_ * r_ + 1.6666665459e-1f;                                                                \
    p_ = p_ * r_ + 5.0000001201e-1f;                                                                \
    p_ = p_ * (r_ * r_) + r_ + 1.0f;                                                                \
    ilanes e_ = ((ilanes)m_ - 0x4b400000 + 127) << 23;                                              \
    (y) = p_ * (lanes)e_;                                                                           \
  } while (0)

INLINE double sum_of_lanes(const float *lane) {
  double sum = 0;
  for (int i = 0; i < LANES; i++) sum += (double)lane[i];
  return sum;
}

/* Largest of `count` floats; NaN is passed over. */
INLINE float maximum(const float *x, int64_t count) {
  lanes best = (lanes){0} - INFINITY;
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    lanes v;
    LOAD(v, x + i);
    best = SELECT(v > best, v, best);
  }
  if (i < count) {
    lanes v;
    LOAD_PART(v, x + i, count - i, -INFINITY);
    best = SELECT(v > best, v, best);
  }
  float result = -INFINITY;
  for (int k = 0; k < LANES; k++)
    if (best[k] > result) result = best[k];
  return result;
}

/* tanh(x) to 2 ulp or so, after Cephes' tanhf: a polynomial in x^2 below 0.625, 1 - 2 / (exp(2x) + 1) above. NaN stays NaN. */
#define TANH(y, x)                                            \
  do {                                                        \
    lanes t_ = (x), e2_, s_ = t_ * t_;                        \
    EXP(e2_, t_ + t_);                                        \
    lanes far_ = 1.0f - 2.0f / (e2_ + 1.0f);                  \
    lanes q_ = s_ * -5.70498872745e-3f + 2.06390887954e-2f;   \
    q_ = q_ * s_ + -5.37397155531e-2f;                        \
    q_ = q_ * s_ + 1.33314422036e-1f;                         \
    q_ = q_ * s_ + -3.33332819422e-1f;                        \
    lanes near_ = q_ * s_ * t_ + t_;                          \
    (y) = SELECT(s_ < 0.390625f, near_, far_);                \
  } while (0)

#endif
