#include "CKernels.h"
#include "Elementary.h"
#include "lanes.h"

CLONED void evodb_rms_norm(float *y, const float *x, const float *weight, int64_t rows, int64_t width, float epsilon) {
  for (int64_t r = 0; r < rows; r++, x += width, y += width) {
    lanes squares = {0};
    int64_t i = 0;
    for (; i + LANES <= width; i += LANES) {
      lanes v;
      LOAD(v, x + i);
      squares += v * v;
    }
    if (i < width) {
      lanes v;
      LOAD_PART(v, x + i, width - i, 0.0f);
      squares += v * v;
    }
    float mean = (float)(sum_of_lanes((const float *)&squares) / (double)width);
    float factor = 1.0f / sqrtf(mean + epsilon);
    for (i = 0; i < width; i++) y[i] = weight[i] * (x[i] * factor);
  }
}

CLONED void evodb_rotate(float *x, const float *cosine, const float *sine, int64_t rows, int64_t heads, int64_t size,
                         int64_t stride) {
  int64_t half = size / 2;
  for (int64_t r = 0; r < rows; r++, x += stride, cosine += half, sine += half)
    for (int64_t h = 0; h < heads; h++) {
      float *a = x + h * size;
      float *b = a + half;
      for (int64_t i = 0; i < half; i++) {
        float u = a[i], v = b[i];
        a[i] = u * cosine[i] - v * sine[i];
        b[i] = v * cosine[i] + u * sine[i];
      }
    }
}

CLONED void evodb_silu_multiply(float *gate, const float *up, int64_t count) {
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    lanes g, u, e;
    LOAD(g, gate + i);
    LOAD(u, up + i);
    EXP(e, -g);
    g = g / (e + 1.0f) * u;
    STORE(gate + i, g);
  }
  if (i < count) {
    lanes g, u, e;
    LOAD_PART(g, gate + i, count - i, 0.0f);
    LOAD_PART(u, up + i, count - i, 0.0f);
    EXP(e, -g);
    g = g / (e + 1.0f) * u;
    STORE_PART(gate + i, g, count - i);
  }
}

CLONED void evodb_add(float *x, const float *y, int64_t count) {
  for (int64_t i = 0; i < count; i++) x[i] += y[i];
}

CLONED void evodb_causal_softmax(float *scores, int64_t rows, int64_t columns, int64_t stride, int64_t first, float scale) {
  for (int64_t r = 0; r < rows; r++) {
    float *x = scores + r * stride;
    int64_t count = first + r + 1;
    if (count > columns) count = columns;
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
    if (count < columns) memset(x + count, 0, (size_t)(columns - count) * sizeof(float));
  }
}

CLONED double evodb_log_sum_exp(const float *x, int64_t count) {
  float largest = maximum(x, count);
  lanes sums = {0};
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    lanes v;
    LOAD(v, x + i);
    EXP(v, v - largest);
    sums += v;
  }
  if (i < count) {
    lanes v;
    LOAD_PART(v, x + i, count - i, -INFINITY);
    EXP(v, v - largest);
    for (int64_t k = count - i; k < LANES; k++) v[k] = 0;
    sums += v;
  }
  return (double)largest + evodb_log(sum_of_lanes((const float *)&sums));
}

CLONED void evodb_subtract(float *x, float shift, int64_t count) {
  for (int64_t i = 0; i < count; i++) x[i] -= shift;
}

CLONED double evodb_kl_row(const float *teacher, const float *student, double student_log_sum_exp, int64_t count) {
  float shift = (float)student_log_sum_exp;
  lanes sums = {0}, masses = {0};
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    lanes t, s, p;
    LOAD(t, teacher + i);
    LOAD(s, student + i);
    EXP(p, t);
    sums += p * (t - (s - shift));
    masses += p;
  }
  if (i < count) {
    lanes t, s, p;
    LOAD_PART(t, teacher + i, count - i, 0.0f);
    LOAD_PART(s, student + i, count - i, 0.0f);
    EXP(p, t);
    for (int64_t k = count - i; k < LANES; k++) p[k] = 0;
    sums += p * (t - (s - shift));
    masses += p;
  }
  /* Rounding the two shifts to float32 would bias every term alike. The student's is taken back in double; the teacher's
     shows as a total mass beside 1 and is taken back by normalising. */
  double mass = sum_of_lanes((const float *)&masses);
  double sum = sum_of_lanes((const float *)&sums) + (student_log_sum_exp - (double)shift) * mass;
  return sum / mass - evodb_log(mass);
}
