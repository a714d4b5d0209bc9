#include "CKernels.h"
#include "lanes.h"

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

/* x / (1 + exp(-2u)) is x/2 (1 + tanh(u)) without the cancellation at negative x. */
#define GELU(y, x)                                                                                 \
  do {                                                                                             \
    lanes v_ = (x), d_;                                                                            \
    EXP(d_, (v_ * v_ * v_ * 0.044715f + v_) * -1.5957691216f); /* -2 sqrt(2 / pi) */               \
    (y) = v_ / (d_ + 1.0f);                                                                        \
  } while (0)

CLONED void evodb_gelu_multiply(float *gate, const float *up, int64_t count) {
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    lanes g, u;
    LOAD(g, gate + i);
    LOAD(u, up + i);
    GELU(g, g);
    g *= u;
    STORE(gate + i, g);
  }
  if (i < count) {
    lanes g, u;
    LOAD_PART(g, gate + i, count - i, 0.0f);
    LOAD_PART(u, up + i, count - i, 0.0f);
    GELU(g, g);
    g *= u;
    STORE_PART(gate + i, g, count - i);
  }
}

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

CLONED void evodb_windowed_softmax(float *scores, int64_t rows, int64_t columns, int64_t stride, int64_t first,
                                   int64_t window, float scale) {
  for (int64_t r = 0; r < rows; r++) {
    float *row = scores + r * stride;
    int64_t end = first + r + 1;
    if (end > columns) end = columns;
    int64_t begin = first + r + 1 - window;
    if (begin < 0) begin = 0;
    if (begin > end) begin = end;
    if (begin > 0) memset(row, 0, (size_t)begin * sizeof(float));
    if (end < columns) memset(row + end, 0, (size_t)(columns - end) * sizeof(float));
    float *x = row + begin;
    int64_t count = end - begin;
    float largest = maximum(x, count) * scale;
    lanes sums = {0};
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
      lanes v;
      LOAD(v, x + i);
      EXP(v, v * scale - largest);
      sums += v;
      STORE(x + i, v);
    }
    if (i < count) {
      lanes v;
      LOAD_PART(v, x + i, count - i, -INFINITY);
      EXP(v, v * scale - largest);
      for (int64_t k = count - i; k < LANES; k++) v[k] = 0;
      sums += v;
      STORE_PART(x + i, v, count - i);
    }
    float factor = (float)(1.0 / sum_of_lanes((const float *)&sums));
    for (i = 0; i < count; i++) x[i] *= factor;
  }
}
