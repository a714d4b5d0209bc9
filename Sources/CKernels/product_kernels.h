/* The products of one kernel set on vectors of VECTOR_FLOATS floats; included once for every set, which defines before:

   NAME(x)        x with the set's suffix
   TARGET         the functions' target attribute
   VECTOR_FLOATS  16, 8 or 4
   TILE_ROWS      most rows of a register tile
   TILE_PANELS    panels of 16 columns in a register tile, 1 or 2
   FLUSHES        1 if the control register flushes denormals in bfloat16 products, 0 if the kernel must do it itself

   Clang's vector types carry the arithmetic, so that all sets are one text: `fma` on them is the instruction. */

#include "product_sets.h"
#include "transpose16.h"

#define TILE_VECTORS (TILE_PANELS * EVODB_PANEL_COLUMNS / VECTOR_FLOATS)
#define PANEL_VECTORS (EVODB_PANEL_COLUMNS / VECTOR_FLOATS)
#define INLINED static inline __attribute__((always_inline)) TARGET
#define UNROLL _Pragma("clang loop unroll(full)")

typedef float NAME(vector) __attribute__((ext_vector_type(VECTOR_FLOATS), aligned(4)));
typedef float NAME(floats16) __attribute__((ext_vector_type(16), aligned(4)));
typedef uint32_t NAME(bits16) __attribute__((ext_vector_type(16), aligned(4)));
typedef uint32_t NAME(bits) __attribute__((ext_vector_type(VECTOR_FLOATS), aligned(4)));

/* steps of acc[r][v] = fma(a[r][k], b[k][v], acc[r][v]). */
#define STEPS(acc, steps, a, b, b_stride)                                                                    \
  for (int64_t k_ = 0; k_ < (steps); k_++) {                                                                 \
    NAME(vector) w_[TILE_VECTORS];                                                                           \
    UNROLL for (int v = 0; v < TILE_VECTORS; v++) w_[v] = *(const NAME(vector) *)((b) + (v / PANEL_VECTORS) * (b_stride) + \
                                                           k_ * EVODB_PANEL_COLUMNS + (v % PANEL_VECTORS) * VECTOR_FLOATS); \
    UNROLL for (int r = 0; r < rows; r++) {                                                                  \
      NAME(vector) x_ = (NAME(vector))((a)[r * ROW_STRIDE + k_]);                                            \
      UNROLL for (int v = 0; v < TILE_VECTORS; v++) acc[r][v] = __builtin_elementwise_fma(x_, w_[v], acc[r][v]); \
    }                                                                                                        \
  }

/* `count` cache lines from `next` on are fetched while the processor multiplies. */
#define FETCH(next, count) \
  for (int64_t line_ = 0; line_ < (count); line_++, (next) += CACHE_LINE) __builtin_prefetch((next), 0, 2)

INLINED void NAME(float32_rows)(const int rows, int64_t depth, const float *a, const float *b, int64_t b_stride, float *c,
                                int64_t c_stride, int fresh, const char *next, int64_t ahead) {
  NAME(vector) acc[TILE_ROWS][TILE_VECTORS];
  UNROLL for (int r = 0; r < rows; r++) {
    UNROLL for (int v = 0; v < TILE_VECTORS; v++)
        acc[r][v] = fresh ? (NAME(vector))(0.0f) : *(NAME(vector) *)(c + r * c_stride + v * VECTOR_FLOATS);
  }
  for (; depth >= FETCH_STEPS; depth -= FETCH_STEPS, a += FETCH_STEPS, b += FETCH_STEPS * EVODB_PANEL_COLUMNS) {
    FETCH(next, ahead);
    STEPS(acc, FETCH_STEPS, a, b, b_stride)
  }
  STEPS(acc, depth, a, b, b_stride)
  UNROLL for (int r = 0; r < rows; r++) {
    UNROLL for (int v = 0; v < TILE_VECTORS; v++) *(NAME(vector) *)(c + r * c_stride + v * VECTOR_FLOATS) = acc[r][v];
  }
}

#if !FLUSHES
/* Denormals to zeros of their sign. */
INLINED NAME(vector) NAME(flushed)(NAME(vector) x) {
  NAME(bits) u = __builtin_bit_cast(NAME(bits), x);
  NAME(bits) normal = __builtin_bit_cast(NAME(bits), (u & 0x7f800000u) != 0u);
  return __builtin_bit_cast(NAME(vector), u & (normal | 0x80000000u));
}
#else
#define FLUSHED_IS_IDENTITY
#endif

/* Blocks of 32 along the depth, the 16 even places of a block before its 16 odd ones in a and b. */
INLINED void NAME(bfloat16_rows)(const int rows, int64_t depth, const float *a, const float *b, int64_t b_stride, float *c,
                                 int64_t c_stride, int fresh, const char *next, int64_t ahead) {
  for (int64_t block = 0; block < depth; block += EVODB_BLOCK_DEPTH, a += EVODB_BLOCK_DEPTH,
               b += EVODB_BLOCK_DEPTH * EVODB_PANEL_COLUMNS) {
    NAME(vector) even[TILE_ROWS][TILE_VECTORS], odd[TILE_ROWS][TILE_VECTORS];
    UNROLL for (int r = 0; r < rows; r++) {
      UNROLL for (int v = 0; v < TILE_VECTORS; v++) even[r][v] = (NAME(vector))(0.0f);
    }
    FETCH(next, ahead);
    STEPS(even, EVODB_BLOCK_DEPTH / 2, a, b, b_stride)
    FETCH(next, ahead);
    UNROLL for (int r = 0; r < rows; r++) {
      UNROLL for (int v = 0; v < TILE_VECTORS; v++) odd[r][v] = (NAME(vector))(0.0f);
    }
    STEPS(odd, EVODB_BLOCK_DEPTH / 2, a + EVODB_BLOCK_DEPTH / 2, b + EVODB_BLOCK_DEPTH / 2 * EVODB_PANEL_COLUMNS, b_stride)
    UNROLL for (int r = 0; r < rows; r++) {
      UNROLL for (int v = 0; v < TILE_VECTORS; v++) {
        NAME(vector) *place = (NAME(vector) *)(c + r * c_stride + v * VECTOR_FLOATS);
        NAME(vector) sum = fresh && block == 0 ? (NAME(vector))(0.0f) : *place;
#ifdef FLUSHED_IS_IDENTITY
        *place = sum + (even[r][v] + odd[r][v]);
#else
        *place = NAME(flushed)(sum + (even[r][v] + odd[r][v]));
#endif
      }
    }
  }
}

#define CASE(n, kind) \
  case n: NAME(kind##_rows)(n, depth, a, b, b_stride, c, c_stride, fresh, next, ahead); break;
#if TILE_ROWS > 6
#define MORE_CASES(kind) \
  CASE(7, kind) CASE(8, kind) CASE(9, kind) CASE(10, kind) CASE(11, kind) CASE(12, kind) CASE(13, kind) CASE(14, kind)
#else
#define MORE_CASES(kind)
#endif

TARGET static void NAME(float32_tile)(int rows, int64_t depth, const float *a, const float *b, int64_t b_stride, float *c,
                                      int64_t c_stride, int fresh, const char *next, int64_t ahead) {
  switch (rows) {
    CASE(1, float32) CASE(2, float32) CASE(3, float32) CASE(4, float32) CASE(5, float32) CASE(6, float32) MORE_CASES(float32)
  }
}

TARGET static void NAME(bfloat16_tile)(int rows, int64_t depth, const float *a, const float *b, int64_t b_stride, float *c,
                                       int64_t c_stride, int fresh, const char *next, int64_t ahead) {
  switch (rows) {
    CASE(1, bfloat16) CASE(2, bfloat16) CASE(3, bfloat16) CASE(4, bfloat16) CASE(5, bfloat16) CASE(6, bfloat16)
    MORE_CASES(bfloat16)
  }
}

/* Rounds to bfloat16, as float32. A macro, because a function with vectors wider than the set's registers has another calling
   convention in every set. */
#define ROUND(result, x)                                                                       \
  do {                                                                                         \
    NAME(bits16) u_ = (x), magnitude_ = u_ & 0x7fffffffu;                                      \
    NAME(bits16) nearest_ = u_ + 0x7fffu + ((u_ >> 16) & 1u);                                  \
    NAME(bits16) small_ = __builtin_bit_cast(NAME(bits16), magnitude_ < 0x00800000u);          \
    NAME(bits16) nan_ = __builtin_bit_cast(NAME(bits16), magnitude_ > 0x7f800000u);            \
    nearest_ = (nearest_ & ~nan_) | ((u_ | 0x00400000u) & nan_);                               \
    (result) = ((nearest_ & ~small_) | (u_ & small_ & 0x80000000u)) & 0xffff0000u;             \
  } while (0)

/* Rows of 32 * blocks floats (ROW_STRIDE apart) are rounded in place, even places of a block before odd ones. */
TARGET static void NAME(round_rows)(float *rows, int64_t count, int64_t blocks) {
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < blocks; i++) {
      NAME(bits16) *place = (NAME(bits16) *)(rows + r * ROW_STRIDE + i * EVODB_BLOCK_DEPTH);
      NAME(bits16) low, high;
      ROUND(low, place[0]);
      ROUND(high, place[1]);
      place[0] = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
      place[1] = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    }
}

/* Blocks of pairs of bfloat16 to float32, even places before odd ones. */
TARGET static void NAME(widen_blocks)(float *target, const uint32_t *pairs, int64_t blocks) {
  for (int64_t i = 0; i < blocks; i++, target += 512, pairs += 256)
    for (int p = 0; p < 16; p++) {
      NAME(bits16) u = *(const NAME(bits16) *)(pairs + 16 * p);
      *(NAME(bits16) *)(target + 16 * p) = u << 16;
      *(NAME(bits16) *)(target + 256 + 16 * p) = u & 0xffff0000u;
    }
}

/* target[i][j] = source[i * row_stride + j], 16 x 16, transposed if asked: target[j][i]. */
INLINED void NAME(square)(float *target, int64_t target_stride, const float *source, int64_t row_stride, int transposed) {
  NAME(floats16) row[16];
  UNROLL for (int i = 0; i < 16; i++) row[i] = *(const NAME(floats16) *)(source + i * row_stride);
  if (transposed) {
    NAME(floats16) other[16];
    TRANSPOSE_16(row, other);
  }
  UNROLL for (int i = 0; i < 16; i++) *(NAME(floats16) *)(target + i * target_stride) = row[i];
}

/* target[i][j] = source[i * row_stride + j * column_stride] for i < rows, j < columns. */
TARGET static void NAME(copy)(float *target, int64_t target_stride, const float *source, int64_t row_stride,
                              int64_t column_stride, int64_t rows, int64_t columns) {
  if (column_stride == 1) {
    for (int64_t i = 0; i < rows; i++)
      memcpy(target + i * target_stride, source + i * row_stride, (size_t)columns * sizeof(float));
    return;
  }
  for (int64_t i = 0; i < rows; i += 16)
    for (int64_t j = 0; j < columns; j += 16) {
      float *to = target + i * target_stride + j;
      const float *from = source + i * row_stride + j * column_stride;
      if (row_stride == 1 && rows - i >= 16 && columns - j >= 16) {
        NAME(square)(to, target_stride, from, column_stride, 1);
      } else {
        for (int64_t p = 0; p < 16 && i + p < rows; p++)
          for (int64_t q = 0; q < 16 && j + q < columns; q++)
            to[p * target_stride + q] = from[p * row_stride + q * column_stride];
      }
    }
}

/* One panel of packed weights from `columns` <= 16 columns of w. */
TARGET static void NAME(pack_float32)(float *panel, const float *w, int64_t columns, int64_t depth, int64_t column_stride,
                                      int64_t depth_stride) {
  if (columns < EVODB_PANEL_COLUMNS) memset(panel, 0, (size_t)depth * EVODB_PANEL_COLUMNS * sizeof(float));
  NAME(copy)(panel, EVODB_PANEL_COLUMNS, w, depth_stride, column_stride, depth, columns);
}

TARGET static void NAME(pack_bfloat16)(uint32_t *panel, const float *w, int64_t columns, int64_t depth,
                                       int64_t column_stride, int64_t depth_stride) {
  float block[EVODB_BLOCK_DEPTH * EVODB_PANEL_COLUMNS] __attribute__((aligned(64)));
  for (int64_t k = 0; k < depth; k += EVODB_BLOCK_DEPTH, panel += 256) {
    int64_t count = depth - k < EVODB_BLOCK_DEPTH ? depth - k : EVODB_BLOCK_DEPTH;
    if (columns < EVODB_PANEL_COLUMNS || count < EVODB_BLOCK_DEPTH) memset(block, 0, sizeof(block));
    NAME(copy)(block, EVODB_PANEL_COLUMNS, w + k * depth_stride, depth_stride, column_stride, count, columns);
    for (int p = 0; p < 16; p++) {
      NAME(bits16) even, odd;
      ROUND(even, *(NAME(bits16) *)(block + 32 * p));
      ROUND(odd, *(NAME(bits16) *)(block + 32 * p + 16));
      *(NAME(bits16) *)(panel + 16 * p) = (even >> 16) | odd;
    }
  }
}

const struct product_kernels NAME(evodb_kernels) = {
    .tile_rows = TILE_ROWS,
    .tile_panels = TILE_PANELS,
    .flushes = FLUSHES,
    .float32_tile = NAME(float32_tile),
    .bfloat16_tile = NAME(bfloat16_tile),
    .round_rows = NAME(round_rows),
    .widen_blocks = NAME(widen_blocks),
    .copy = NAME(copy),
    .pack_float32 = NAME(pack_float32),
    .pack_bfloat16 = NAME(pack_bfloat16),
};
