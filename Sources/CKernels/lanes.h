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
/* A kernel with an exp has its body twice: with exp_avx512.h's, and with the usual one in copies for the other sets. */
#if defined(__x86_64__) && defined(__linux__)
#define CLONED_BELOW_512 __attribute__((target_clones("avx2", "default")))
#else
#define CLONED_BELOW_512
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

/* Lanes that are worked on together: one after the other they would wait for their own results, because a processor looks
   ahead by some hundred instructions only. */
enum { GROUP = 4 };
#define UNROLLED _Pragma("clang loop unroll(full)")
#define EACH(n) UNROLLED for (int g = 0; g < (n); g++)

/* exp of x[0] ... x[n - 1], n a constant, to 1 ulp or so: x = n ln2 + r, |r| <= ln2 / 2, exp(r) by the polynomial of Cephes'
   expf, times 2^n. Below -87.3 the result is about 1e-38 instead of a subnormal; NaN stays NaN. */
INLINE void exp_lanes(const int n, lanes *x) {
  lanes m[GROUP], p[GROUP];
  EACH(n) x[g] = SELECT(x[g] < -87.3f, (lanes){0} - 87.3f, x[g]);
  EACH(n) x[g] = SELECT(x[g] > 88.3f, (lanes){0} + 88.3f, x[g]);
  EACH(n) m[g] = x[g] * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: the sum's low bits are round(x / ln2) */
  EACH(n) p[g] = m[g] - 12582912.0f;
  EACH(n) x[g] = x[g] - p[g] * 0.693359375f;
  EACH(n) x[g] = x[g] - p[g] * -2.12194440e-4f;
  EACH(n) p[g] = x[g] * 1.9875691500e-4f + 1.3981999507e-3f;
  EACH(n) p[g] = p[g] * x[g] + 8.3334519073e-3f;
  EACH(n) p[g] = p[g] * x[g] + 4.1665795894e-2f;
  EACH(n) p[g] = p[g] * x[g] + 1.6666665459e-1f;
  EACH(n) p[g] = p[g] * x[g] + 5.0000001201e-1f;
  EACH(n) p[g] = p[g] * (x[g] * x[g]) + x[g] + 1.0f;
  EACH(n) x[g] = p[g] * (lanes)(((ilanes)m[g] - 0x4b400000 + 127) << 23);
}

/* Which exp a kernel's body takes: exp_lanes, or one of the same bits. */
typedef void exp_function(const int n, lanes *x);

#define EXP(y, x) EXP_BY(exp_lanes, y, x)
#define EXP_BY(exponentiate, y, x) \
  do {                             \
    lanes x_[1] = {(x)};           \
    exponentiate(1, x_);           \
    (y) = x_[0];                   \
  } while (0)

/* v where the lane's number is below `count`, else `fill`. */
static const ilanes lane_numbers = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#define FIRST_LANES(v, count, fill) SELECT(lane_numbers < (int32_t)(count), (v), (lanes){0} + (fill))

INLINE double sum_of_lanes(const float *lane) {
  double sum = 0;
  for (int i = 0; i < LANES; i++) sum += (double)lane[i];
  return sum;
}

/* The larger number of each lane; `best`'s where one is NaN. */
#define RAISE(best, v) ((best) = SELECT((v) > (best), (v), (best)))

/* Largest of `count` floats, of which `room` may be read; NaN is passed over. In which order it is looked for changes nothing. */
INLINE float maximum(const float *x, int64_t count, int64_t room) {
  lanes best = (lanes){0} - INFINITY, best1 = best, best2 = best, best3 = best, v, v1, v2, v3;
  int64_t i = 0;
  for (; i + 4 * LANES <= count; i += 4 * LANES) {
    LOAD(v, x + i);
    LOAD(v1, x + i + LANES);
    LOAD(v2, x + i + 2 * LANES);
    LOAD(v3, x + i + 3 * LANES);
    RAISE(best, v);
    RAISE(best1, v1);
    RAISE(best2, v2);
    RAISE(best3, v3);
  }
  for (; i + LANES <= count; i += LANES) {
    LOAD(v, x + i);
    RAISE(best, v);
  }
  if (i < count) {
    if (i + LANES <= room)
      LOAD(v, x + i);
    else
      LOAD_PART(v, x + i, count - i, -INFINITY);
    v = FIRST_LANES(v, count - i, -INFINITY);
    RAISE(best1, v);
  }
  RAISE(best, best1);
  RAISE(best2, best3);
  RAISE(best, best2);
  v = __builtin_shufflevector(best, best, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  RAISE(best, v);
  v = __builtin_shufflevector(best, best, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3);
  RAISE(best, v);
  v = __builtin_shufflevector(best, best, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1);
  RAISE(best, v);
  return best[1] > best[0] ? best[1] : best[0];
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
