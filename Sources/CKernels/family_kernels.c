#include "CKernels.h"
#include "exp_avx512.h"

/* Kernels that only some model families need: layer norm, biases, other activations, windows and soft caps. */

CLONED void evodb_layer_norm(float *y, const float *x, const float *weight, const float *bias, int64_t rows, int64_t width,
                             float epsilon) {
  for (int64_t r = 0; r < rows; r++, x += width, y += width) {
    lanes sums = {0};
    int64_t i = 0;
    for (; i + LANES <= width; i += LANES) {
      lanes v;
      LOAD(v, x + i);
      sums += v;
    }
    if (i < width) {
      lanes v;
      LOAD_PART(v, x + i, width - i, 0.0f);
      sums += v;
    }
    float mean = (float)(sum_of_lanes((const float *)&sums) / (double)width);
    /* Two passes: the difference of two means would lose the variance of a row far from zero. */
    lanes squares = {0};
    for (i = 0; i + LANES <= width; i += LANES) {
      lanes v;
      LOAD(v, x + i);
      v -= mean;
      squares += v * v;
    }
    if (i < width) {
      lanes v;
      LOAD_PART(v, x + i, width - i, mean);
      v -= mean;
      squares += v * v;
    }
    float variance = (float)(sum_of_lanes((const float *)&squares) / (double)width);
    float factor = 1.0f / sqrtf(variance + epsilon);
    for (i = 0; i < width; i++) y[i] = (x[i] - mean) * factor * weight[i] + bias[i];
  }
}

CLONED void evodb_add_bias(float *x, const float *bias, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++, x += width)
    for (int64_t i = 0; i < width; i++) x[i] += bias[i];
}

CLONED void evodb_scale(float *x, float factor, int64_t count) {
  for (int64_t i = 0; i < count; i++) x[i] *= factor;
}

CLONED void evodb_relu(float *x, int64_t count) {
  for (int64_t i = 0; i < count; i++) x[i] = x[i] < 0.0f ? 0.0f : x[i];
}

/* y[0] ... y[n - 1] <- gelu: x / (1 + exp(-2u)) is x/2 (1 + tanh(u)) without the cancellation at negative x. */
INLINE void gelu_lanes(exp_function *exponentiate, const int n, lanes *y) {
  lanes d[GROUP];
  EACH(n) d[g] = (y[g] * y[g] * y[g] * 0.044715f + y[g]) * -1.5957691216f; /* -2 sqrt(2 / pi) */
  exponentiate(n, d);
  EACH(n) y[g] = y[g] / (d[g] + 1.0f);
}

INLINE void gelu_multiply_body(exp_function *exponentiate, float *gate, const float *up, int64_t count) {
  int64_t i = 0;
  for (; i + GROUP * LANES <= count; i += GROUP * LANES) {
    lanes y[GROUP];
    EACH(GROUP) LOAD(y[g], gate + i + g * LANES);
    gelu_lanes(exponentiate, GROUP, y);
    EACH(GROUP) {
      lanes u;
      LOAD(u, up + i + g * LANES);
      y[g] *= u;
      STORE(gate + i + g * LANES, y[g]);
    }
  }
  for (; i < count; i += LANES) {
    int64_t part = count - i < LANES ? count - i : LANES;
    lanes g, u;
    LOAD_PART(g, gate + i, part, 0.0f);
    LOAD_PART(u, up + i, part, 0.0f);
    gelu_lanes(exponentiate, 1, &g);
    g *= u;
    STORE_PART(gate + i, g, part);
  }
}
VERSIONS(void, gelu_multiply, (float *gate, const float *up, int64_t count), gate, up, count)

void evodb_gelu_multiply(float *gate, const float *up, int64_t count) { BY_PROCESSOR(gelu_multiply, gate, up, count); }

CLONED void evodb_soft_cap(float *x, int64_t rows, int64_t columns, int64_t stride, float scale, float cap) {
  for (int64_t r = 0; r < rows; r++, x += stride) {
    int64_t i = 0;
    for (; i + LANES <= columns; i += LANES) {
      lanes v;
      LOAD(v, x + i);
      TANH(v, v * scale / cap);
      v *= cap;
      STORE(x + i, v);
    }
    if (i < columns) {
      lanes v;
      LOAD_PART(v, x + i, columns - i, 0.0f);
      TANH(v, v * scale / cap);
      v *= cap;
      STORE_PART(x + i, v, columns - i);
    }
  }
}
