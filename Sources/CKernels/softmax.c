#include "softmax.h"

#include "CKernels.h"
#include "exp_avx512.h"
#include "transpose16.h"

/* The columns that a row sees. */
INLINE int64_t first_seen(int64_t position, int64_t columns, int64_t window) {
  int64_t begin = window > 0 && position + 1 > window ? position + 1 - window : 0;
  return begin < columns ? begin : columns;
}
INLINE int64_t end_of_seen(int64_t position, int64_t columns) { return position + 1 < columns ? position + 1 : columns; }

/* One row's numerators from `begin` on, where lanes are counted from, to its end; their sum by lanes. */
INLINE void exponentiate_row(exp_function *exponentiate, float *row, int64_t begin, int64_t end, int64_t columns, int64_t limit,
                             float scale, lanes *total) {
  if (begin > 0) memset(row, 0, (size_t)begin * sizeof(float));
  float *x = row + begin;
  int64_t count = end - begin, room = limit - begin;
  float largest = maximum(x, count, room) * scale;
  lanes sum = {0};
  int64_t i = 0;
  for (; i + GROUP * LANES <= count; i += GROUP * LANES) {
    lanes v[GROUP];
    EACH(GROUP) {
      LOAD(v[g], x + i + g * LANES);
      v[g] = v[g] * scale - largest;
    }
    exponentiate(GROUP, v);
    EACH(GROUP) {
      sum += v[g];
      STORE(x + i + g * LANES, v[g]);
    }
  }
  for (; i < count; i += LANES) {
    lanes v;
    const int is_wide = i + LANES <= room;
    if (is_wide)
      LOAD(v, x + i);
    else
      LOAD_PART(v, x + i, count - i, -INFINITY);
    EXP_BY(exponentiate, v, v * scale - largest);
    v = FIRST_LANES(v, count - i, 0.0f);
    sum += v;
    if (is_wide) {
      STORE(x + i, v);
    } else {
      STORE_PART(x + i, v, count - i);
      i = count - LANES;
    }
  }
  *total = sum;
  if (begin + i < columns) memset(x + i, 0, (size_t)(columns - begin - i) * sizeof(float));
}

/* A vector of each of GROUP rows, from column i on, and sum += its values; those from end[g] on become 0, where there is an end. */
INLINE void exponentiate_vectors(exp_function *exponentiate, float *rows, int64_t stride, const int64_t *end, int64_t i,
                                 float scale, const lanes *largest, lanes *sum) {
  lanes v[GROUP];
  EACH(GROUP) {
    LOAD(v[g], rows + g * stride);
    v[g] = v[g] * scale - largest[g];
  }
  exponentiate(GROUP, v);
  EACH(GROUP) {
    if (end) v[g] = FIRST_LANES(v[g], end[g] - i, 0.0f);
    sum[g] += v[g];
    STORE(rows + g * stride, v[g]);
  }
}

/* What exponentiate_row does, for GROUP rows side by side that see their first end[g] columns. What the first one sees last may lie
   in an earlier vector than what the others do; `limit` leaves room for whole vectors. */
INLINE void exponentiate_group(exp_function *exponentiate, float *rows, int64_t stride, const int64_t *end, int64_t columns,
                               int64_t limit, float scale, lanes *totals) {
  lanes sum[GROUP] = {{0}}, largest[GROUP];
  int64_t i = 0;
  EACH(GROUP) largest[g] = (lanes){0} + maximum(rows + g * stride, end[g], limit) * scale;
  for (; i + LANES <= end[0]; i += LANES) exponentiate_vectors(exponentiate, rows + i, stride, 0, i, scale, largest, sum);
  for (; i < end[GROUP - 1]; i += LANES) exponentiate_vectors(exponentiate, rows + i, stride, end, i, scale, largest, sum);
  EACH(GROUP) {
    totals[g] = sum[g];
    if (i < columns) memset(rows + g * stride + i, 0, (size_t)(columns - i) * sizeof(float));
  }
}

/* factors[r] <- 1 / the sum of r's lanes, from the first on, for LANES rows. Rows are added up side by side: a row by itself would
   wait for its additions. */
INLINE void invert_sums(const lanes *sums, double *factors) {
  lanes row[LANES], other[LANES];
  for (int k = 0; k < LANES; k++) row[k] = sums[k];
  TRANSPOSE_16(row, other);
  double totals[LANES] = {0};
  for (int k = 0; k < LANES; k++)
    for (int r = 0; r < LANES; r++) totals[r] += (double)row[k][r];
  for (int r = 0; r < LANES; r++) factors[r] = 1.0 / totals[r];
}

INLINE void exponentiate_body(exp_function *exponentiate, float *scores, int64_t rows, int64_t columns, int64_t limit,
                              int64_t stride, int64_t first, int64_t window, float scale, float *factors) {
  lanes sums[EVODB_SOFTMAX_ROWS];
  int64_t r = 0;
  for (; r + GROUP <= rows && (window <= 0 || first + r + GROUP <= window); r += GROUP) {
    int64_t end[GROUP];
    EACH(GROUP) end[g] = end_of_seen(first + r + g, columns);
    if ((end[GROUP - 1] + LANES - 1) / LANES * LANES > limit) break;
    exponentiate_group(exponentiate, scores + r * stride, stride, end, columns, limit, scale, sums + r);
  }
  for (; r < rows; r++)
    exponentiate_row(exponentiate, scores + r * stride, first_seen(first + r, columns, window), end_of_seen(first + r, columns),
                     columns, limit, scale, sums + r);
  for (; r % LANES; r++) sums[r] = (lanes){0} + 1.0f;
  for (r = 0; r < rows; r += LANES) {
    double inverted[LANES];
    invert_sums(sums + r, inverted);
    for (int64_t k = 0; k < LANES && r + k < rows; k++) factors[r + k] = (float)inverted[k];
  }
}
VERSIONS(void, exponentiate,
         (float *scores, int64_t rows, int64_t columns, int64_t limit, int64_t stride, int64_t first, int64_t window, float scale,
          float *factors),
         scores, rows, columns, limit, stride, first, window, scale, factors)

void evodb_exponentiate_scores(float *scores, int64_t rows, int64_t columns, int64_t limit, int64_t stride, int64_t first,
                               int64_t window, float scale, float *factors) {
  BY_PROCESSOR(exponentiate, scores, rows, columns, limit, stride, first, window, scale, factors);
}

CLONED void evodb_softmax_rows(float *scores, int64_t rows, int64_t columns, int64_t limit, int64_t stride, int64_t first,
                               int64_t window, float scale) {
  float factors[EVODB_SOFTMAX_ROWS];
  for (int64_t r = 0; r < rows; r += EVODB_SOFTMAX_ROWS) {
    int64_t count = rows - r < EVODB_SOFTMAX_ROWS ? rows - r : EVODB_SOFTMAX_ROWS;
    evodb_exponentiate_scores(scores + r * stride, count, columns, limit, stride, first + r, window, scale, factors);
    for (int64_t k = 0; k < count; k++) {
      float *x = scores + (r + k) * stride;
      int64_t end = end_of_seen(first + r + k, columns);
      for (int64_t i = first_seen(first + r + k, columns, window); i < end; i++) x[i] *= factors[k];
    }
  }
}

void evodb_windowed_softmax(float *scores, int64_t rows, int64_t columns, int64_t stride, int64_t first, int64_t window,
                            float scale) {
  evodb_softmax_rows(scores, rows, columns, columns, stride, first, window, scale);
}

void evodb_causal_softmax(float *scores, int64_t rows, int64_t columns, int64_t stride, int64_t first, float scale) {
  evodb_softmax_rows(scores, rows, columns, columns, stride, first, 0, scale);
}
