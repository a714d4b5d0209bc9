#ifndef EVODB_COMPRESSION_H
#define EVODB_COMPRESSION_H
#include <stdint.h>

/* What second-order compression computes beside its matrix products, in float32 with the arithmetic of docs/arithmetic.md:
   every element is one chain of fused multiply-adds, so that all kernel sets give the same bits. */

/* Most columns that `evodb_factor_columns` takes at once. */
enum { EVODB_LEAF_COLUMNS = 32 };

/* Columns [first, first + columns) of the factorization A = L Lt of a matrix a [size, size] and of Y = L^-t, in place.

   On entry the columns carry what all earlier columns do to them: a's lower triangle the Schur complement, the rows above
   `first` the same for Y, whose identity is not stored. On return the strict lower triangle has L, the upper one Y, and the
   diagonal Y's: 1 / L[j][j].

   Returns 1 if all pivots and their reciprocals are positive and finite, else 0: a is then undefined. */
int evodb_factor_columns(int set, float *a, int64_t size, int64_t first, int64_t columns);

/* t[r][c] <- t[r][c] - sum over k of u[k][r] * e[k][c], k rising, for r < rows, c < columns, k < count. */
void evodb_subtract_outer(int set, float *t, int64_t t_stride, const float *u, int64_t u_stride, const float *e,
                          int64_t e_stride, int64_t rows, int64_t columns, int64_t count);

/* Writes rows [first, first + rows) of a packed float32 factor [depth, columns]; see `evodb_pack`. */
void evodb_pack_rows(float *packed, int64_t columns, int64_t depth, int64_t first, const float *source, int64_t stride,
                     int64_t rows);

/* target[i][j] = source[size - 1 - j][size - 1 - i] for j >= i, or j <= i if `lower`: reflects a triangle of [size, size] at
   the other diagonal. The rest of target is left alone. */
void evodb_reflect_triangle(float *target, const float *source, int64_t size, int lower);

/* Rounds one input's weights to their grids, ties to even: the nearest steps from the zero point that have a code from 0 to
   `largest_code`, where a scale of 0 and NaN take the lowest. codes[i] <- steps + zero[i]; if `errors` is not 0, errors[i] <-
   (w[i] - scale[i] * steps) * error_scale. */
void evodb_quantize(uint8_t *codes, float *errors, const float *w, const float *scale, const float *zero, float largest_code,
                    float error_scale, int64_t count);

/* The largest bits of a number without its sign: beyond those of infinity if one is NaN. */
int32_t evodb_largest_bits(const float *x, int64_t count);

/* target[c][r] = source[r][c] for a matrix [rows, columns]. */
void evodb_transpose(int set, float *target, const float *source, int64_t rows, int64_t columns);

/* sum of (double)x[i] * (double)y[i]: 16 sums, the one of place i modulo 16, added up from the first on. */
double evodb_dot(const float *x, const float *y, int64_t count);

#endif
