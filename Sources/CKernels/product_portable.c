#include "product_sets.h"

/* Plain C. Where the processor has a fused multiply-add the compiler may use it; where it has none, a product of float32 is
   exact in double and the sum is rounded to odd there, so that rounding it to float32 is the only rounding (Boldo and
   Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008). */

enum { TILE_ROWS = 4 };

/* a * b + t in double, rounded to odd: the last bit is 1 if the sum is not exact. */
static inline double odd_sum(float a, float b, float t) {
  double product = (double)a * (double)b, addend = (double)t;
  double sum = product + addend;
  if (!(fabs(sum) < INFINITY)) return sum;
  double part = sum - product;
  double error = (product - (sum - part)) + (addend - part);
  if (error == 0) return sum;
  uint64_t bits;
  memcpy(&bits, &sum, sizeof(bits));
  if (bits & 1) return sum;
  bits += (error > 0) == (sum > 0) ? 1 : -1;
  memcpy(&sum, &bits, sizeof(bits));
  return sum;
}

static inline float emulated_fma(float a, float b, float t) { return (float)odd_sum(a, b, t); }

float evodb_emulated_fma(float a, float b, float t) { return emulated_fma(a, b, t); }

float evodb_flushed_fma(float a, float b, float t) {
  double sum = odd_sum(a, b, t);
  /* Below this, rounding to 24 bits with an unbounded exponent stays below the smallest normal number. */
  const double limit = 0x1p-126 - 0x1p-151;
  if (fabs(sum) < limit) return sum < 0 || (sum == 0 && signbit(sum)) ? -0.0f : 0.0f;
  return (float)sum;
}

static inline float flushed(float x) { return fabsf(x) < 0x1p-126f ? copysignf(0.0f, x) : x; }

#define PLAIN_TILES(name, attribute, fma_)                                                                              \
  attribute static void float32_##name(int rows, int64_t depth, const float *a, const float *b, int64_t b_stride, float *c, \
                                       int64_t c_stride, int fresh, const char *next, int64_t ahead) {                   \
    (void)b_stride, (void)next, (void)ahead;                                                                                                     \
    for (int r = 0; r < rows; r++, a += ROW_STRIDE, c += c_stride) {                                                    \
      float sum[EVODB_PANEL_COLUMNS];                                                                                   \
      for (int j = 0; j < EVODB_PANEL_COLUMNS; j++) sum[j] = fresh ? 0.0f : c[j];                                       \
      for (int64_t k = 0; k < depth; k++)                                                                               \
        for (int j = 0; j < EVODB_PANEL_COLUMNS; j++) sum[j] = fma_(a[k], b[k * EVODB_PANEL_COLUMNS + j], sum[j]);      \
      memcpy(c, sum, sizeof(sum));                                                                                      \
    }                                                                                                                   \
  }                                                                                                                     \
  attribute static inline void chain_##name(float *sum, const float *a, const float *b) {                               \
    for (int j = 0; j < EVODB_PANEL_COLUMNS; j++) sum[j] = 0.0f;                                                        \
    for (int k = 0; k < EVODB_BLOCK_DEPTH / 2; k++) {                                                                   \
      float next[EVODB_PANEL_COLUMNS];                                                                                  \
      int tiny = 0;                                                                                                     \
      for (int j = 0; j < EVODB_PANEL_COLUMNS; j++) {                                                                   \
        next[j] = fma_(a[k], b[k * EVODB_PANEL_COLUMNS + j], sum[j]);                                                   \
        tiny |= (fabsf(next[j]) <= 0x1p-126f) & (next[j] != 0.0f);                                                      \
      }                                                                                                                 \
      if (tiny)                                                                                                         \
        for (int j = 0; j < EVODB_PANEL_COLUMNS; j++)                                                                   \
          next[j] = evodb_flushed_fma(a[k], b[k * EVODB_PANEL_COLUMNS + j], sum[j]);                                    \
      memcpy(sum, next, sizeof(next));                                                                                  \
    }                                                                                                                   \
  }                                                                                                                     \
  attribute static void bfloat16_##name(int rows, int64_t depth, const float *a, const float *b, int64_t b_stride,      \
                                        float *c, int64_t c_stride, int fresh, const char *next, int64_t ahead) {        \
    (void)b_stride, (void)next, (void)ahead;                                                                                                     \
    for (int r = 0; r < rows; r++, a += ROW_STRIDE, c += c_stride) {                                                    \
      float sum[EVODB_PANEL_COLUMNS], even[EVODB_PANEL_COLUMNS], odd[EVODB_PANEL_COLUMNS];                              \
      for (int j = 0; j < EVODB_PANEL_COLUMNS; j++) sum[j] = fresh ? 0.0f : c[j];                                       \
      for (int64_t k = 0; k < depth; k += EVODB_BLOCK_DEPTH) {                                                          \
        const float *block = b + k * EVODB_PANEL_COLUMNS;                                                               \
        chain_##name(even, a + k, block);                                                                               \
        chain_##name(odd, a + k + EVODB_BLOCK_DEPTH / 2, block + EVODB_BLOCK_DEPTH / 2 * EVODB_PANEL_COLUMNS);          \
        for (int j = 0; j < EVODB_PANEL_COLUMNS; j++) sum[j] = flushed(sum[j] + flushed(even[j] + odd[j]));             \
      }                                                                                                                 \
      memcpy(c, sum, sizeof(sum));                                                                                      \
    }                                                                                                                   \
  }

#if defined(__x86_64__)
PLAIN_TILES(fused, __attribute__((target("fma"))), __builtin_fmaf)
PLAIN_TILES(emulated, , emulated_fma)
#define CHOSEN(name) (evodb_processor_features() & EVODB_HAS_FMA ? name##_fused : name##_emulated)
#elif defined(__FP_FAST_FMAF) || defined(__aarch64__)
PLAIN_TILES(fused, , __builtin_fmaf)
#define CHOSEN(name) name##_fused
#else
PLAIN_TILES(emulated, , emulated_fma)
#define CHOSEN(name) name##_emulated
#endif

static void float32_tile(int rows, int64_t depth, const float *a, const float *b, int64_t b_stride, float *c,
                         int64_t c_stride, int fresh, const char *next, int64_t ahead) {
  CHOSEN(float32)(rows, depth, a, b, b_stride, c, c_stride, fresh, next, ahead);
}

static void bfloat16_tile(int rows, int64_t depth, const float *a, const float *b, int64_t b_stride, float *c,
                          int64_t c_stride, int fresh, const char *next, int64_t ahead) {
  CHOSEN(bfloat16)(rows, depth, a, b, b_stride, c, c_stride, fresh, next, ahead);
}

static uint32_t rounded(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof(u));
  uint32_t magnitude = u & 0x7fffffff;
  if (magnitude > 0x7f800000) return (u | 0x00400000) & 0xffff0000;
  if (magnitude < 0x00800000) return u & 0x80000000;
  return (u + 0x7fff + ((u >> 16) & 1)) & 0xffff0000;
}

static void round_rows(float *rows, int64_t count, int64_t blocks) {
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < blocks; i++) {
      float *block = rows + r * ROW_STRIDE + i * EVODB_BLOCK_DEPTH;
      uint32_t result[EVODB_BLOCK_DEPTH];
      for (int p = 0; p < EVODB_BLOCK_DEPTH / 2; p++) {
        result[p] = rounded(block[2 * p]);
        result[EVODB_BLOCK_DEPTH / 2 + p] = rounded(block[2 * p + 1]);
      }
      memcpy(block, result, sizeof(result));
    }
}

static void widen_blocks(float *target, const uint32_t *pairs, int64_t blocks) {
  for (int64_t i = 0; i < blocks; i++, target += 512, pairs += 256)
    for (int p = 0; p < 256; p++) {
      uint32_t even = pairs[p] << 16, odd = pairs[p] & 0xffff0000;
      memcpy(target + p, &even, sizeof(even));
      memcpy(target + 256 + p, &odd, sizeof(odd));
    }
}

static void copy(float *target, int64_t target_stride, const float *source, int64_t row_stride, int64_t column_stride,
                 int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) target[i * target_stride + j] = source[i * row_stride + j * column_stride];
}

static void pack_float32(float *panel, const float *w, int64_t columns, int64_t depth, int64_t column_stride,
                         int64_t depth_stride) {
  for (int64_t k = 0; k < depth; k++)
    for (int64_t j = 0; j < EVODB_PANEL_COLUMNS; j++)
      panel[k * EVODB_PANEL_COLUMNS + j] = j < columns ? w[j * column_stride + k * depth_stride] : 0.0f;
}

static void pack_bfloat16(uint32_t *panel, const float *w, int64_t columns, int64_t depth, int64_t column_stride,
                          int64_t depth_stride) {
  for (int64_t k = 0; k < up_to_multiple(depth, EVODB_BLOCK_DEPTH); k += 2, panel += EVODB_PANEL_COLUMNS)
    for (int64_t j = 0; j < EVODB_PANEL_COLUMNS; j++) {
      uint32_t even = j < columns && k < depth ? rounded(w[j * column_stride + k * depth_stride]) : 0;
      uint32_t odd = j < columns && k + 1 < depth ? rounded(w[j * column_stride + (k + 1) * depth_stride]) : 0;
      panel[j] = (even >> 16) | odd;
    }
}

const struct product_kernels evodb_kernels_portable = {
    .tile_rows = TILE_ROWS,
    .tile_panels = 1,
    .flushes = 0,
    .float32_tile = float32_tile,
    .bfloat16_tile = bfloat16_tile,
    .round_rows = round_rows,
    .widen_blocks = widen_blocks,
    .copy = copy,
    .pack_float32 = pack_float32,
    .pack_bfloat16 = pack_bfloat16,
};

void evodb_round_to_bfloat16(uint16_t *result, const float *x, int64_t count) {
  for (int64_t i = 0; i < count; i++) result[i] = (uint16_t)(rounded(x[i]) >> 16);
}
