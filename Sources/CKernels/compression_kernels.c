#include <float.h>

#include "Compression.h"
#include "lanes.h"
#include "product_sets.h"

/* Factors of Hessians and the propagation of errors, once for every kernel set. */

#if defined(__x86_64__)
#define NAME(x) x##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define VECTOR_FLOATS 16
#define ROW_VECTORS 4
#define FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define FMAF(a, b, c) __builtin_fmaf(a, b, c)
#define KERNELS evodb_kernels_avx512
#include "compression_kernels.h"

#define NAME(x) x##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define VECTOR_FLOATS 8
#define ROW_VECTORS 2
#define FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define FMAF(a, b, c) __builtin_fmaf(a, b, c)
#define KERNELS evodb_kernels_avx2
#include "compression_kernels.h"

#define NAME(x) x##_fused
#define TARGET __attribute__((target("fma")))
#define VECTOR_FLOATS 4
#define ROW_VECTORS 4
#define FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define FMAF(a, b, c) __builtin_fmaf(a, b, c)
#define KERNELS evodb_kernels_portable
#include "compression_kernels.h"
#elif defined(__aarch64__)
#define NAME(x) x##_neon
#define TARGET
#define VECTOR_FLOATS 4
#define ROW_VECTORS 4
#define FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define FMAF(a, b, c) __builtin_fmaf(a, b, c)
#define KERNELS evodb_kernels_neon
#include "compression_kernels.h"

#define NAME(x) x##_fused
#define TARGET
#define VECTOR_FLOATS 4
#define ROW_VECTORS 4
#define FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define FMAF(a, b, c) __builtin_fmaf(a, b, c)
#define KERNELS evodb_kernels_portable
#include "compression_kernels.h"
#endif

typedef float four __attribute__((ext_vector_type(4)));

static four emulated_four(four a, four b, four c) {
  for (int i = 0; i < 4; i++) c[i] = evodb_emulated_fma(a[i], b[i], c[i]);
  return c;
}

#define NAME(x) x##_emulated
#define TARGET
#define VECTOR_FLOATS 4
#define ROW_VECTORS 4
#define FMA(a, b, c) emulated_four(a, b, c)
#define FMAF(a, b, c) evodb_emulated_fma(a, b, c)
#define KERNELS evodb_kernels_portable
#include "compression_kernels.h"

struct compression_kernels {
  int (*factor_columns)(float *a, int64_t size, int64_t first, int64_t columns);
  void (*subtract_outer)(float *t, int64_t t_stride, const float *u, int64_t u_stride, const float *e, int64_t e_stride,
                         int64_t rows, int64_t columns, int64_t count);
  const struct product_kernels *products;
};

#define SET(suffix, products) \
  (struct compression_kernels) { factor_columns_##suffix, subtract_outer_##suffix, &evodb_kernels_##products }

static struct compression_kernels kernels_of(int set) {
  int is_available = evodb_kernel_set_is_available(set);
#if defined(__x86_64__)
  if (is_available && (set == EVODB_AVX512 || set == EVODB_AMX)) return SET(avx512, avx512);
  if (is_available && set == EVODB_AVX2) return SET(avx2, avx2);
  if (evodb_processor_features() & EVODB_HAS_FMA) return SET(fused, portable);
#elif defined(__aarch64__)
  return is_available && set == EVODB_NEON ? SET(neon, neon) : SET(fused, portable);
#else
  (void)is_available;
#endif
  return SET(emulated, portable);
}

int evodb_factor_columns(int set, float *a, int64_t size, int64_t first, int64_t columns) {
  return kernels_of(set).factor_columns(a, size, first, columns);
}

void evodb_subtract_outer(int set, float *t, int64_t t_stride, const float *u, int64_t u_stride, const float *e,
                          int64_t e_stride, int64_t rows, int64_t columns, int64_t count) {
  kernels_of(set).subtract_outer(t, t_stride, u, u_stride, e, e_stride, rows, columns, count);
}

void evodb_transpose(int set, float *target, const float *source, int64_t rows, int64_t columns) {
  kernels_of(set).products->copy(target, rows, source, 1, columns, columns, rows);
}

void evodb_pack_rows(float *packed, int64_t columns, int64_t depth, int64_t first, const float *source, int64_t stride,
                     int64_t rows) {
  for (int64_t column = 0; column < columns; column += EVODB_PANEL_COLUMNS) {
    float *target = packed + column * depth + first * EVODB_PANEL_COLUMNS;
    int64_t count = smaller(EVODB_PANEL_COLUMNS, columns - column);
    for (int64_t r = 0; r < rows; r++, target += EVODB_PANEL_COLUMNS) {
      if (count == EVODB_PANEL_COLUMNS) {
        memcpy(target, source + r * stride + column, EVODB_PANEL_COLUMNS * sizeof(float));
      } else {
        memset(target, 0, EVODB_PANEL_COLUMNS * sizeof(float));
        memcpy(target, source + r * stride + column, (size_t)count * sizeof(float));
      }
    }
  }
}

void evodb_reflect_triangle(float *target, const float *source, int64_t size, int lower) {
  enum { SIDE = 16 };
  for (int64_t row = 0; row < size; row += SIDE)
    for (int64_t column = lower ? 0 : row; column < (lower ? row + SIDE : size); column += SIDE)
      for (int64_t i = row; i < smaller(row + SIDE, size); i++) {
        int64_t begin = lower ? column : larger(column, i);
        int64_t end = lower ? smaller(column + SIDE, i + 1) : smaller(column + SIDE, size);
        for (int64_t j = begin; j < end; j++) target[i * size + j] = source[(size - 1 - j) * size + size - 1 - i];
      }
}

/* 1.5 * 2^23: adding and subtracting it rounds a number below 2^22 to the nearest integer, ties to even. */
#define ROUNDING 12582912.0f
/* 2^23: in its binade the low bits are the integer itself. */
#define INTEGERS 8388608.0f

CLONED void evodb_quantize(uint8_t *restrict codes, float *restrict errors, const float *restrict w,
                           const float *restrict scale, const float *restrict zero, float largest_code, float error_scale,
                           int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    /* Clamping before rounding is the same as after it, because the bounds are whole; NaN goes to the lower one. */
    float ratio = w[i] / (scale[i] > 0.0f ? scale[i] : INFINITY);
    float lower = 0.0f - zero[i], upper = largest_code - zero[i];
    float raised = ratio > lower ? ratio : lower;
    float clamped = raised < upper ? raised : upper;
    float steps = (clamped + ROUNDING) - ROUNDING;
    float code = (steps + zero[i]) + INTEGERS;
    uint32_t bits;
    memcpy(&bits, &code, sizeof(bits));
    codes[i] = (uint8_t)bits;
    if (errors) errors[i] = (w[i] - scale[i] * steps) * error_scale;
  }
}

CLONED int32_t evodb_largest_bits(const float *x, int64_t count) {
  int32_t largest = 0;
  for (int64_t i = 0; i < count; i++) {
    int32_t bits;
    memcpy(&bits, x + i, sizeof(bits));
    bits &= 0x7fffffff;
    largest = bits > largest ? bits : largest;
  }
  return largest;
}

typedef double wide_lanes __attribute__((vector_size(8 * LANES)));

CLONED double evodb_dot(const float *x, const float *y, int64_t count) {
  wide_lanes sums = {0};
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    lanes a, b;
    LOAD(a, x + i);
    LOAD(b, y + i);
    sums += __builtin_convertvector(a, wide_lanes) * __builtin_convertvector(b, wide_lanes);
  }
  if (i < count) {
    lanes a, b;
    LOAD_PART(a, x + i, count - i, 0.0f);
    LOAD_PART(b, y + i, count - i, 0.0f);
    sums += __builtin_convertvector(a, wide_lanes) * __builtin_convertvector(b, wide_lanes);
  }
  double sum = 0;
  for (int k = 0; k < LANES; k++) sum += sums[k];
  return sum;
}
