#include "CKernels.h"
#include "product_sets.h"
#include "softmax.h"

enum { STRIP_ROWS = EVODB_ATTENTION_STRIP };

static int attend_on_vectors(int set, int arithmetic, const evodb_attention *a) {
  int64_t stride = up_to_multiple(a->length, EVODB_BLOCK_DEPTH) + EVODB_PANEL_COLUMNS;
  float *scores = aligned_alloc(64, (size_t)(smaller(STRIP_ROWS, a->rows) * stride) * sizeof(float));
  if (!scores) return EVODB_NO_MEMORY;
  int status = EVODB_DONE;
  for (int64_t start = 0; start < a->rows && status == EVODB_DONE; start += STRIP_ROWS) {
    int64_t rows = smaller(STRIP_ROWS, a->rows - start), first = a->first + start;
    int64_t begin = evodb_first_key(a, first), columns = first + rows - begin;
    evodb_product product = {.y = scores,
                             .y_stride = stride,
                             .x = a->queries + start * a->query_stride,
                             .x_row_stride = a->query_stride,
                             .x_depth_stride = 1,
                             .packed = a->keys,
                             .packed_columns = a->length,
                             .packed_depth = a->size,
                             .rows = rows,
                             .first_column = begin,
                             .columns = columns,
                             .depth = a->size,
                             .lower = EVODB_LOWER_AND_MORE,
                             .lower_offset = first - begin};
    status = evodb_multiply(set, arithmetic, &product);
    if (status != EVODB_DONE) break;
    float scale = a->scale;
    if (a->cap > 0) {
      evodb_soft_cap(scores, rows, columns, stride, scale, a->cap);
      scale = 1;
    }
    evodb_softmax_rows(scores, rows, columns, up_to_multiple(columns, EVODB_PANEL_COLUMNS), stride, first - begin, a->window,
                       scale);
    product = (evodb_product){.y = a->y + start * a->y_stride,
                              .y_stride = a->y_stride,
                              .x = scores,
                              .x_row_stride = stride,
                              .x_depth_stride = 1,
                              .packed = a->values,
                              .packed_columns = a->size,
                              .packed_depth = a->length,
                              .rows = rows,
                              .columns = a->size,
                              .first_depth = begin,
                              .depth = columns};
    status = evodb_multiply(set, arithmetic, &product);
  }
  free(scores);
  return status;
}

int evodb_attend(int set, int arithmetic, const evodb_attention *a) {
  if (!evodb_kernel_set_is_available(set)) return EVODB_UNAVAILABLE;
  if (a->rows <= 0 || a->size <= 0) return EVODB_DONE;
#if defined(__x86_64__)
  if (set == EVODB_AMX && arithmetic == EVODB_BFLOAT16) return evodb_attend_amx(a);
#endif
  return attend_on_vectors(set, arithmetic, a);
}
