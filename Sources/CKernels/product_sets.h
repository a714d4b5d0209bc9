#ifndef EVODB_PRODUCTS_PRIVATE_H
#define EVODB_PRODUCTS_PRIVATE_H

/* What the kernel sets share. Private to this target. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "Attention.h"
#include "GatedMLP.h"
#include "Products.h"

/* A tile adds and multiplies exactly as written; `fma` is always explicit. */
#pragma STDC FP_CONTRACT OFF

enum {
  /* Depth that is worked on at once: two panels of it fill 32 kB. A multiple of 32. */
  SLICE_DEPTH = 256,
  /* Floats between rows of activations that are laid out for the tiles: a constant, so that one register addresses all
     rows, and no multiple of 4096 bytes, so that they do not compete for the same places of the cache. */
  ROW_STRIDE = SLICE_DEPTH + 16,
  /* Rows of activations that are laid out at once: 300 kB. */
  SLAB_ROWS = 280,
  /* Results up to this size are taken to stay in the second cache while they are computed. */
  CACHED_RESULT_BYTES = 1 << 20,
  MOST_TILE_COLUMNS = 32,
  CACHE_LINE = 64,
  /* Lines of the first cache that may be so many bytes apart, or multiples of them, without driving each other out. */
  CACHE_WAYS = 8,
  CACHE_WAY_FLOATS = 4096 / sizeof(float),
  /* A tile fetches what comes next in portions, one before so many steps along the depth. Half a block. */
  FETCH_STEPS = 16
};

/* A register tile: c[rows][16 * tile_panels] continues (or, if fresh, starts) with `depth` steps of
   a[rows][ROW_STRIDE] and panels b, b + b_stride. Meanwhile `ahead` cache lines in FETCH_STEPS steps are fetched from
   `next` on. */
typedef void product_tile(int rows, int64_t depth, const float *a, const float *b, int64_t b_stride, float *c,
                          int64_t c_stride, int fresh, const char *next, int64_t ahead);

/* One kernel set. product_kernels.h says what the functions do. */
struct product_kernels {
  int tile_rows, tile_panels, flushes;
  product_tile *float32_tile, *bfloat16_tile;
  void (*round_rows)(float *rows, int64_t count, int64_t blocks);
  void (*widen_blocks)(float *target, const uint32_t *pairs, int64_t blocks);
  void (*copy)(float *target, int64_t target_stride, const float *source, int64_t row_stride, int64_t column_stride,
               int64_t rows, int64_t columns);
  void (*pack_float32)(float *panel, const float *w, int64_t columns, int64_t depth, int64_t column_stride,
                       int64_t depth_stride);
  void (*pack_bfloat16)(uint32_t *panel, const float *w, int64_t columns, int64_t depth, int64_t column_stride,
                        int64_t depth_stride);
};

extern const struct product_kernels evodb_kernels_portable;
#if defined(__x86_64__)
extern const struct product_kernels evodb_kernels_avx2;
extern const struct product_kernels evodb_kernels_avx512;
int evodb_multiply_amx(const evodb_product *products, int64_t count);
int evodb_attend_amx(const evodb_attention *attention);
int evodb_add_gated_mlp_amx(const evodb_gated_mlp *mlp);
#elif defined(__aarch64__)
extern const struct product_kernels evodb_kernels_neon;
#endif

/* a * b + t with one rounding, where the processor has no instruction for it. */
float evodb_emulated_fma(float a, float b, float t);

/* t = a * b + t as TDPBF16PS does it, without flags of the processor: result flushed, tininess decided after rounding. */
float evodb_flushed_fma(float a, float b, float t);

/* The processor's rounding and flushing, set for a product and put back. */
typedef uint64_t float_control;
float_control evodb_float_control_begin(int flushes);
void evodb_float_control_end(float_control saved);

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t up_to_multiple(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

/* Queries are taken in strips, so that a strip multiplies only with the keys that it may see: with 64 rows the half above the
   diagonal costs an eighth of the square at 256 tokens, and products still have full speed. */
enum { EVODB_ATTENTION_STRIP = 64 };

/* The first key that a strip of queries from `position` on multiplies with: where sums may begin, at or before the first one
   that is seen. */
static inline int64_t evodb_first_key(const evodb_attention *a, int64_t position) {
  if (a->window <= 0 || position + 1 <= a->window) return 0;
  return (position + 1 - a->window) / EVODB_BLOCK_DEPTH * EVODB_BLOCK_DEPTH;
}

#endif
