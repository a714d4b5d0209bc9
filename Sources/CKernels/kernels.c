#include "CKernels.h"
#include "Elementary.h"
#include "exp_avx512.h"

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

INLINE void silu_multiply_body(exp_function *exponentiate, float *gate, const float *up, int64_t count) {
  int64_t i = 0;
  for (; i + GROUP * LANES <= count; i += GROUP * LANES) {
    lanes e[GROUP];
    EACH(GROUP) {
      LOAD(e[g], gate + i + g * LANES);
      e[g] = -e[g];
    }
    exponentiate(GROUP, e);
    EACH(GROUP) {
      lanes v, u;
      LOAD(v, gate + i + g * LANES);
      LOAD(u, up + i + g * LANES);
      v = v / (e[g] + 1.0f) * u;
      STORE(gate + i + g * LANES, v);
    }
  }
  for (; i + LANES <= count; i += LANES) {
    lanes g, u, e;
    LOAD(g, gate + i);
    LOAD(u, up + i);
    EXP_BY(exponentiate, e, -g);
    g = g / (e + 1.0f) * u;
    STORE(gate + i, g);
  }
  if (i < count) {
    lanes g, u, e;
    LOAD_PART(g, gate + i, count - i, 0.0f);
    LOAD_PART(u, up + i, count - i, 0.0f);
    EXP_BY(exponentiate, e, -g);
    g = g / (e + 1.0f) * u;
    STORE_PART(gate + i, g, count - i);
  }
}
VERSIONS(void, silu_multiply, (float *gate, const float *up, int64_t count), gate, up, count)

void evodb_silu_multiply(float *gate, const float *up, int64_t count) { BY_PROCESSOR(silu_multiply, gate, up, count); }

CLONED void evodb_add(float *x, const float *y, int64_t count) {
  for (int64_t i = 0; i < count; i++) x[i] += y[i];
}

/* Fetches what a step of GROUP vectors is as far into the next row. */
#define FETCH(next, i)                                                                    \
  do {                                                                                    \
    if (next) EACH(GROUP) __builtin_prefetch((next) + (i) + g * LANES, 0, 2); \
  } while (0)

INLINE double log_sum_exp_body(exp_function *exponentiate, const float *x, int64_t count, const float *next) {
  float largest = maximum(x, count, count);
  lanes sums = {0};
  int64_t i = 0;
  for (; i + GROUP * LANES <= count; i += GROUP * LANES) {
    lanes v[GROUP];
    FETCH(next, i);
    EACH(GROUP) {
      LOAD(v[g], x + i + g * LANES);
      v[g] -= largest;
    }
    exponentiate(GROUP, v);
    EACH(GROUP) sums += v[g];
  }
  for (; i + LANES <= count; i += LANES) {
    lanes v;
    LOAD(v, x + i);
    EXP_BY(exponentiate, v, v - largest);
    sums += v;
  }
  if (i < count) {
    lanes v;
    LOAD_PART(v, x + i, count - i, -INFINITY);
    EXP_BY(exponentiate, v, v - largest);
    for (int64_t k = count - i; k < LANES; k++) v[k] = 0;
    sums += v;
  }
  return (double)largest + evodb_log(sum_of_lanes((const float *)&sums));
}
VERSIONS(double, log_sum_exp, (const float *x, int64_t count, const float *next), x, count, next)

double evodb_log_sum_exp(const float *x, int64_t count, const float *next) {
  return BY_PROCESSOR(log_sum_exp, x, count, next);
}

CLONED void evodb_subtract(float *x, float shift, int64_t count) {
  for (int64_t i = 0; i < count; i++) x[i] -= shift;
}

INLINE double kl_row_body(exp_function *exponentiate, const float *teacher, const float *student, double student_log_sum_exp,
                          int64_t count, const float *next) {
  float shift = (float)student_log_sum_exp;
  lanes sums = {0}, masses = {0};
  int64_t i = 0;
  for (; i + GROUP * LANES <= count; i += GROUP * LANES) {
    lanes p[GROUP];
    FETCH(next, i);
    EACH(GROUP) LOAD(p[g], teacher + i + g * LANES);
    exponentiate(GROUP, p);
    EACH(GROUP) {
      lanes t, s;
      LOAD(t, teacher + i + g * LANES);
      LOAD(s, student + i + g * LANES);
      sums += p[g] * (t - (s - shift));
      masses += p[g];
    }
  }
  for (; i + LANES <= count; i += LANES) {
    lanes t, s, p;
    LOAD(t, teacher + i);
    LOAD(s, student + i);
    EXP_BY(exponentiate, p, t);
    sums += p * (t - (s - shift));
    masses += p;
  }
  if (i < count) {
    lanes t, s, p;
    LOAD_PART(t, teacher + i, count - i, 0.0f);
    LOAD_PART(s, student + i, count - i, 0.0f);
    EXP_BY(exponentiate, p, t);
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
VERSIONS(double, kl_row,
         (const float *teacher, const float *student, double student_log_sum_exp, int64_t count, const float *next), teacher,
         student, student_log_sum_exp, count, next)

double evodb_kl_row(const float *teacher, const float *student, double student_log_sum_exp, int64_t count,
                    const float *next) {
  return BY_PROCESSOR(kl_row, teacher, student, student_log_sum_exp, count, next);
}
