#ifndef EVODB_CKERNELS_H
#define EVODB_CKERNELS_H
#include <stdint.h>

#include "Attention.h"
#include "Compression.h"
#include "Elementary.h"
#include "GatedMLP.h"
#include "Machine.h"
#include "Products.h"
#include "SHA256.h"

/* Elementwise kernels of the forward pass and of fitness, over row-major float32.

   Every kernel fixes its own order of operations in 16 lanes and never contracts a multiplication and an addition, so that
   its results are the same bits whichever instruction set the processor offers. */

/* y[r][i] = x[r][i] * weight[i] / sqrt(mean(x[r]^2) + epsilon) for `rows` rows of `width`. */
void evodb_rms_norm(float *y, const float *x, const float *weight, int64_t rows, int64_t width, float epsilon);

/* Rotates pairs (i, i + size/2) of each head of each row in place (rotate_half of transformers); row r uses
   cosine[r * size/2 + i] and sine[...]. `stride` floats between rows. */
void evodb_rotate(float *x, const float *cosine, const float *sine, int64_t rows, int64_t heads, int64_t size, int64_t stride);

/* gate[i] = silu(gate[i]) * up[i]. */
void evodb_silu_multiply(float *gate, const float *up, int64_t count);

/* x[i] += y[i]. */
void evodb_add(float *x, const float *y, int64_t count);

/* Causal softmax in place over rows of `stride` floats: row r sees columns 0 ... first + r of `columns`, the rest becomes
   0. Scores are multiplied by `scale` first. */
void evodb_causal_softmax(float *scores, int64_t rows, int64_t columns, int64_t stride, int64_t first, float scale);

/* The same with a window: row r sees the last `window` columns up to first + r only. */
void evodb_windowed_softmax(float *scores, int64_t rows, int64_t columns, int64_t stride, int64_t first, int64_t window,
                            float scale);

/* log(sum(exp(x))) of one row. Meanwhile the row at `next`, if there is one, is fetched into the second cache. */
double evodb_log_sum_exp(const float *x, int64_t count, const float *next);

/* x[i] -= shift: with shift = log-sum-exp, logits become log-probabilities. */
void evodb_subtract(float *x, float shift, int64_t count);

/* KL(teacher || student) in nats of one row: teacher log-probabilities against student logits with their log-sum-exp. `next` as
   above. */
double evodb_kl_row(const float *teacher, const float *student, double student_log_sum_exp, int64_t count, const float *next);

/* y[r][i] = (x[r][i] - mean(x[r])) / sqrt(variance(x[r]) + epsilon) * weight[i] + bias[i]. */
void evodb_layer_norm(float *y, const float *x, const float *weight, const float *bias, int64_t rows, int64_t width,
                      float epsilon);

/* x[r][i] += bias[i] for `rows` rows of `width`. */
void evodb_add_bias(float *x, const float *bias, int64_t rows, int64_t width);

/* x[i] *= factor. */
void evodb_scale(float *x, float factor, int64_t count);

/* x[i] = max(x[i], 0); NaN stays NaN. */
void evodb_relu(float *x, int64_t count);

/* gate[i] = gelu(gate[i]) * up[i] with the tanh form of gelu, x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). */
void evodb_gelu_multiply(float *gate, const float *up, int64_t count);

/* x = cap * tanh(x * scale / cap) over `rows` rows of `columns`, `stride` floats apart. */
void evodb_soft_cap(float *x, int64_t rows, int64_t columns, int64_t stride, float scale, float cap);

#endif
