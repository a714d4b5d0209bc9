#ifndef EVODB_PRODUCTS_H
#define EVODB_PRODUCTS_H
#include <stdint.h>

#include "Machine.h"

/* Matrix products with a specified arithmetic, defined in docs/arithmetic.md: the same bits from every kernel set, for any
   number of rows and columns beside an element. */

/* Arithmetics. */
enum { EVODB_FLOAT32 = 0, EVODB_BFLOAT16 = 1 };

/* Kernel sets, from the slowest to the fastest. */
enum { EVODB_PORTABLE = 0, EVODB_NEON = 1, EVODB_AVX2 = 2, EVODB_AVX512 = 3, EVODB_AMX = 4, EVODB_KERNEL_SET_COUNT = 5 };

/* 1 if this processor and system can run a kernel set. */
int evodb_kernel_set_is_available(int set);

/* The fastest kernel set that can run. */
int evodb_fastest_kernel_set(void);

/* Weights are packed once, in one layout for all kernel sets: panels of 16 columns of the result, each panel over the whole
   depth. float32: [depth][16] floats. bfloat16: blocks of 32 along the depth, filled up with zeros, [16][16] pairs of
   bfloat16; denormals count as zero. Columns beyond `columns` are zero. Panels lie at multiples of 64 bytes. */
enum { EVODB_PANEL_COLUMNS = 16, EVODB_BLOCK_DEPTH = 32 };
int64_t evodb_packed_bytes(int arithmetic, int64_t columns, int64_t depth);

/* Memory for packed weights, in large pages where the system has them, so that reading does not wait for translations of
   addresses; 0 if there is none. */
void *evodb_packed_allocate(int64_t bytes);
void evodb_packed_free(void *packed);

/* Packs columns [first_panel * 16, min(columns, (first_panel + panels) * 16)); element (column n, depth k) is read at
   w[n * column_stride + k * depth_stride]. */
void evodb_pack(int set, int arithmetic, void *packed, const float *w, int64_t columns, int64_t depth, int64_t column_stride,
                int64_t depth_stride, int64_t first_panel, int64_t panels);

/* EVODB_LOWER writes nothing else; EVODB_LOWER_AND_MORE may write anything beside it, up to the next multiple of 32 columns,
   which spares copying the edges of tiles. */
enum { EVODB_ALL = 0, EVODB_LOWER = 1, EVODB_LOWER_AND_MORE = 2 };

/* y[r][c] = sum over k of x[r][k] * w[c][k]. */
typedef struct {
  float *y; /* [rows, columns] */
  int64_t y_stride;
  const float *x; /* [rows, depth]; element (r, k) at x[r * x_row_stride + k * x_depth_stride] */
  int64_t x_row_stride, x_depth_stride;
  const void *packed; /* packed_columns x packed_depth */
  int64_t packed_columns, packed_depth;
  int64_t rows;
  int64_t first_column, columns; /* of the packed ones; the first is a multiple of 16 */
  int64_t first_depth, depth;    /* of the packed one; in bfloat16 the first is a multiple of 32. x begins at first_depth. */
  int accumulate;                /* 0: sums start from +0; 1: they continue y */
  int negate;                    /* 1: x counts as -x */
  int lower;                     /* EVODB_ALL, or which triangle of columns c <= r + lower_offset is computed */
  int64_t lower_offset;
} evodb_product;

/* Depth 0 gives zeros, or leaves y if sums continue. Nothing is written unless it is done. */
enum { EVODB_DONE = 0, EVODB_NO_MEMORY = 1, EVODB_UNAVAILABLE = 2 };
int evodb_multiply(int set, int arithmetic, const evodb_product *product);

/* Several products of the same x (rows, depth, strides, sign), which is laid out for the kernels once. */
int evodb_multiply_several(int set, int arithmetic, const evodb_product *products, int64_t count);

/* Rows [first_row, first_row + rows) of the lower triangle of sum [columns, columns] <- themselves + (xt x), the rows of x
   [depth, columns] in their order; x is packed in float32, first_row a multiple of 16. */
int evodb_add_square(int set, float *sum, int64_t stride, const float *packed, int64_t columns, int64_t depth,
                     int64_t first_row, int64_t rows);

/* float32 to the nearest bfloat16 (ties to even) as its upper 16 bits; denormals become zero of their sign, NaN quiet. */
void evodb_round_to_bfloat16(uint16_t *result, const float *x, int64_t count);

#endif
