#ifndef EVODB_ATTENTION_H
#define EVODB_ATTENTION_H
#include <stdint.h>

/* Causal attention of one head, in a specified arithmetic: scores, their softmax, and the mix of the values. Both products
   and softmax are those of Products.h and CKernels.h, to the same bits; what they hand over stays in the caches. */
typedef struct {
  float *y; /* [rows, size] */
  int64_t y_stride;
  const float *queries; /* [rows, size] */
  int64_t query_stride;
  const void *keys;   /* packed: `length` columns, depth `size` */
  const void *values; /* packed: `size` columns, depth `length` */
  int64_t rows, size;
  int64_t first;  /* position of the first query: it sees so many keys and its own */
  int64_t length; /* keys, first + rows at least */
  int64_t window; /* keys that a query sees at most, its own included; 0: all */
  float scale;    /* of the scores */
  float cap;      /* scores are limited to +-cap * tanh(score / cap); 0: not */
} evodb_attention;

/* EVODB_DONE, EVODB_NO_MEMORY or EVODB_UNAVAILABLE. */
int evodb_attend(int set, int arithmetic, const evodb_attention *attention);

#endif
