#ifndef EVODB_GATED_MLP_H
#define EVODB_GATED_MLP_H
#include <stdint.h>

/* The MLP of a Llama on some rows, without a matrix of its width: y += down(silu(gate(x)) * up(x)), to the bits of its parts
   (evodb_multiply, evodb_silu_multiply or evodb_gelu_multiply, evodb_add). Only for bfloat16 on tiles: what lies between the
   products is rounded to bfloat16 while it is in the first cache. */

enum { EVODB_SILU = 0, EVODB_GELU = 1 };

typedef struct {
  float *y; /* [rows, width] */
  int64_t y_stride;
  const float *x; /* [rows, width] */
  int64_t x_stride;
  const void *gate, *up; /* packed: `inner` columns, depth `width` */
  const void *down;      /* packed: `width` columns, depth `inner` */
  int64_t rows, width, inner;
  int activation;
} evodb_gated_mlp;

/* EVODB_DONE; EVODB_NO_MEMORY; EVODB_UNAVAILABLE for any other set or arithmetic. */
int evodb_add_gated_mlp(int set, int arithmetic, const evodb_gated_mlp *mlp);

#endif
