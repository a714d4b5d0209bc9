/* The compression kernels on vectors of VECTOR_FLOATS floats; included once for every kernel set, which defines before:

   NAME(x)        x with the set's suffix
   TARGET         the functions' target attribute
   VECTOR_FLOATS  16, 8 or 4
   ROW_VECTORS    vectors of rows that are solved for at once
   FMA(a, b, c)   a * b + c on vectors, and FMAF on floats, with one rounding
   KERNELS        the set's product_kernels

   As in product_kernels.h, clang's vector types carry the arithmetic. */

#define INLINED static inline __attribute__((always_inline)) TARGET
#define UNROLL _Pragma("clang loop unroll(full)")
#define TILE_ROWS (ROW_VECTORS * VECTOR_FLOATS)
#define LEAF_LANES (2 * EVODB_LEAF_COLUMNS)
/* Columns that are solved for at once. */
#define SOLVED 4

typedef float NAME(vector) __attribute__((ext_vector_type(VECTOR_FLOATS), aligned(4)));

/* Vector v of the row of a tile. */
#define AT(row, v) (*(NAME(vector) *)((row) + (v) * VECTOR_FLOATS))

/* The columns of the square on the diagonal. Lane i of t[k] is the square's row i, lane EVODB_LEAF_COLUMNS + i row i of Y;
   both are eliminated together. Afterwards t[k] has L and Y in the lanes that count. */
TARGET static int NAME(factor_square)(float (*t)[LEAF_LANES], float *reciprocals, int64_t columns) {
  for (int64_t k = 0; k < columns; k++) {
    float pivot = t[k][k];
    if (!(pivot > 0.0f)) return 0;
    float reciprocal = 1.0f / sqrtf(pivot);
    if (!(reciprocal > 0.0f) || reciprocal > FLT_MAX) return 0;
    reciprocals[k] = reciprocal;
    int64_t lower_end = (columns + VECTOR_FLOATS - 1) / VECTOR_FLOATS, lower_begin = k / VECTOR_FLOATS;
    int64_t upper_begin = EVODB_LEAF_COLUMNS / VECTOR_FLOATS, upper_end = upper_begin + k / VECTOR_FLOATS + 1;
    for (int64_t v = lower_begin; v < lower_end; v++) AT(t[k], v) *= reciprocal;
    for (int64_t v = upper_begin; v < upper_end; v++) AT(t[k], v) *= reciprocal;
    for (int64_t j = k + 1; j < columns; j++) {
      NAME(vector) factor = (NAME(vector))(-t[k][j]);
      for (int64_t v = j / VECTOR_FLOATS; v < lower_end; v++)
        AT(t[j], v) = FMA(factor, AT(t[k], v), AT(t[j], v));
      for (int64_t v = upper_begin; v < upper_end; v++)
        AT(t[j], v) = FMA(factor, AT(t[k], v), AT(t[j], v));
    }
  }
  return 1;
}

/* x <- x L^-t for TILE_ROWS rows, x[j] being their column j; the square's L[j][k] is t[k][j]. */
TARGET static void NAME(solve_rows)(float (*x)[TILE_ROWS], float (*t)[LEAF_LANES], const float *reciprocals,
                                    int64_t columns) {
  for (int64_t j = 0; j < columns; j += SOLVED) {
    NAME(vector) sums[SOLVED][ROW_VECTORS];
    UNROLL for (int q = 0; q < SOLVED; q++) {
      UNROLL for (int v = 0; v < ROW_VECTORS; v++) sums[q][v] = AT(x[j + q], v);
    }
    for (int64_t k = 0; k < j; k++) {
      NAME(vector) known[ROW_VECTORS];
      UNROLL for (int v = 0; v < ROW_VECTORS; v++) known[v] = AT(x[k], v);
      UNROLL for (int q = 0; q < SOLVED; q++) {
        NAME(vector) factor = (NAME(vector))(-t[k][j + q]);
        UNROLL for (int v = 0; v < ROW_VECTORS; v++)
          sums[q][v] = FMA(factor, known[v], sums[q][v]);
      }
    }
    UNROLL for (int q = 0; q < SOLVED; q++) {
      UNROLL for (int v = 0; v < ROW_VECTORS; v++) {
        sums[q][v] *= reciprocals[j + q];
        AT(x[j + q], v) = sums[q][v];
      }
      UNROLL for (int p = q + 1; p < SOLVED; p++) {
        NAME(vector) factor = (NAME(vector))(-t[j + q][j + p]);
        UNROLL for (int v = 0; v < ROW_VECTORS; v++)
          sums[p][v] = FMA(factor, sums[q][v], sums[p][v]);
      }
    }
  }
}

TARGET static int NAME(factor_columns)(float *a, int64_t size, int64_t first, int64_t columns) {
  float t[EVODB_LEAF_COLUMNS][LEAF_LANES] __attribute__((aligned(64)));
  float x[EVODB_LEAF_COLUMNS][TILE_ROWS] __attribute__((aligned(64)));
  float reciprocals[EVODB_LEAF_COLUMNS];
  memset(t, 0, sizeof(t));
  memset(x, 0, sizeof(x));
  memset(reciprocals, 0, sizeof(reciprocals));
  float *square = a + first * size + first;
  for (int64_t k = 0; k < columns; k++) {
    for (int64_t i = k; i < columns; i++) t[k][i] = square[i * size + k];
    t[k][EVODB_LEAF_COLUMNS + k] = 1.0f;
  }
  if (!NAME(factor_square)(t, reciprocals, columns)) return 0;
  for (int64_t i = 0; i < columns; i++)
    for (int64_t j = 0; j < columns; j++) square[i * size + j] = i > j ? t[j][i] : t[j][EVODB_LEAF_COLUMNS + i];
  for (int64_t row = 0; row < size;) {
    if (row == first) {
      row += columns;
      continue;
    }
    int64_t rows = smaller(TILE_ROWS, (row < first ? first : size) - row);
    float *place = a + row * size + first;
    KERNELS.copy(&x[0][0], TILE_ROWS, place, 1, size, columns, rows);
    NAME(solve_rows)(x, t, reciprocals, columns);
    KERNELS.copy(place, size, &x[0][0], 1, TILE_ROWS, rows, columns);
    row += rows;
  }
  return 1;
}

/* `vectors` vectors of the rows of t. */
INLINED void NAME(subtract_part)(const int vectors, float *t, int64_t t_stride, const float *u, int64_t u_stride,
                                 const float *e, int64_t e_stride, int64_t rows, int64_t count) {
  for (int64_t r = 0; r < rows; r++) {
    NAME(vector) sums[4];
    UNROLL for (int v = 0; v < vectors; v++) sums[v] = AT(t + r * t_stride, v);
    for (int64_t k = 0; k < count; k++) {
      NAME(vector) factor = (NAME(vector))(-u[k * u_stride + r]);
      UNROLL for (int v = 0; v < vectors; v++)
        sums[v] = FMA(factor, AT(e + k * e_stride, v), sums[v]);
    }
    UNROLL for (int v = 0; v < vectors; v++) AT(t + r * t_stride, v) = sums[v];
  }
}

TARGET static void NAME(subtract_outer)(float *t, int64_t t_stride, const float *u, int64_t u_stride, const float *e,
                                        int64_t e_stride, int64_t rows, int64_t columns, int64_t count) {
  int64_t c = 0;
  for (; c + 4 * VECTOR_FLOATS <= columns; c += 4 * VECTOR_FLOATS)
    NAME(subtract_part)(4, t + c, t_stride, u, u_stride, e + c, e_stride, rows, count);
  for (; c + VECTOR_FLOATS <= columns; c += VECTOR_FLOATS)
    NAME(subtract_part)(1, t + c, t_stride, u, u_stride, e + c, e_stride, rows, count);
  for (; c < columns; c++)
    for (int64_t r = 0; r < rows; r++) {
      float sum = t[r * t_stride + c];
      for (int64_t k = 0; k < count; k++) sum = FMAF(-u[k * u_stride + r], e[k * e_stride + c], sum);
      t[r * t_stride + c] = sum;
    }
}

#undef NAME
#undef TARGET
#undef VECTOR_FLOATS
#undef ROW_VECTORS
#undef FMA
#undef FMAF
#undef KERNELS
#undef INLINED
#undef UNROLL
#undef TILE_ROWS
#undef LEAF_LANES
#undef SOLVED
#undef AT
