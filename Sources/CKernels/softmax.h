#ifndef EVODB_SOFTMAX_H
#define EVODB_SOFTMAX_H
#include <stdint.h>

/* Private to this target. */

/* Rows that `evodb_exponentiate_scores` takes at once. */
enum { EVODB_SOFTMAX_ROWS = 32 };

/* The numerators of softmax, in place. Row r of `scores` sees columns from max(0, first + r + 1 - window) to first + r of
   `columns` (window 0: from 0); they become e to x * scale - largest, the others 0. factors[r] is 1 / their sum.

   Up to `limit` >= columns floats of a row may be read and written; beyond `columns` they become zero or stay. */
void evodb_exponentiate_scores(float *scores, int64_t rows, int64_t columns, int64_t limit, int64_t stride, int64_t first,
                               int64_t window, float scale, float *factors);

/* Softmax of any number of rows. */
void evodb_softmax_rows(float *scores, int64_t rows, int64_t columns, int64_t limit, int64_t stride, int64_t first,
                        int64_t window, float scale);

#endif
