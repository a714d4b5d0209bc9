#include "Elementary.h"

#include <math.h> /* INFINITY, NAN, and sqrt and fabs, which are instructions */
#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

/* A number as the unevaluated sum of two doubles; |low| is at most half an ulp of high. */
typedef struct {
  double high, low;
} pair;

static inline pair sum(double a, double b) {
  double s = a + b, part = s - a;
  return (pair){s, (a - (s - part)) + (b - part)};
}

/* |a| >= |b| or a = 0 */
static inline pair ordered_sum(double a, double b) {
  double s = a + b;
  return (pair){s, b - (s - a)};
}

/* Dekker's product; no factor above 2^996. */
static inline pair product(double a, double b) {
  const double splitter = 134217729.0; /* 2^27 + 1 */
  double c = splitter * a, d = splitter * b;
  double a1 = c - (c - a), a2 = a - a1, b1 = d - (d - b), b2 = b - b1;
  double p = a * b;
  return (pair){p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2};
}

static inline uint64_t bits_of(double x) {
  uint64_t u;
  memcpy(&u, &x, sizeof(u));
  return u;
}

static inline double of_bits(uint64_t u) {
  double x;
  memcpy(&x, &u, sizeof(x));
  return x;
}

/* 2^n for -1022 <= n <= 1023 */
static inline double power_of_2(int n) { return of_bits((uint64_t)(n + 1023) << 52); }

/* The nearest integer of |x| < 2^51, as a double. */
static inline double nearest(double x) { return (x + 0x1.8p52) - 0x1.8p52; }

/* ln 2 in three parts; the first two have 40 bits, so that a multiple up to 2^12 is exact. */
static const double ln2_1 = 0x1.62e42fefa2000p-1, ln2_2 = 0x1.9ef35793c6000p-41, ln2_3 = 0x1.673007e5ed5e8p-81;

/* exp(x.high + x.low) = 2^*n (result), for |x.high| < 800. */
static pair exp_scaled(pair x, int *n) {
  double k = nearest(x.high * 0x1.71547652b82fep+0);
  *n = (int)k;
  pair r = sum(x.high - k * ln2_1, -k * ln2_2);
  r = sum(r.high, (r.low - k * ln2_3) + x.low);
  double t = r.high;
  /* exp(t) = 1 + t + t^2 / 2 + t^3 q; Taylor's terms after t^14 are below 2^-63 for |t| <= ln2 / 2. */
  double q = 1.0 / 87178291200.0;
  q = q * t + 1.0 / 6227020800.0;
  q = q * t + 1.0 / 479001600.0;
  q = q * t + 1.0 / 39916800.0;
  q = q * t + 1.0 / 3628800.0;
  q = q * t + 1.0 / 362880.0;
  q = q * t + 1.0 / 40320.0;
  q = q * t + 1.0 / 5040.0;
  q = q * t + 1.0 / 720.0;
  q = q * t + 1.0 / 120.0;
  q = q * t + 1.0 / 24.0;
  q = q * t + 1.0 / 6.0;
  pair square = product(t, t);
  pair s = ordered_sum(1.0, t);
  pair u = ordered_sum(s.high, 0.5 * square.high);
  double tail = t * square.high * q + (0.5 * square.low + (r.low + t * r.low));
  return ordered_sum(u.high, tail + (s.low + u.low));
}

/* x 2^n */
static double scaled(double x, int n) {
  if (n > 1023) return x * 0x1p1023 * power_of_2(n - 1023 > 1023 ? 1023 : n - 1023);
  if (n < -1022) return x * 0x1p-1022 * power_of_2(n + 1022 < -1022 ? -1022 : n + 1022);
  return x * power_of_2(n);
}

static double exp_of(pair x) {
  if (x.high > 710.0) return INFINITY;
  if (x.high < -746.0) return 0.0;
  int n;
  pair result = exp_scaled(x, &n);
  return scaled(result.high, n);
}

double evodb_exp(double x) {
  if (x != x) return x;
  return exp_of((pair){x, 0.0});
}

/* log x for a positive finite x, to a relative 2^-64. */
static pair log_of(double x) {
  int n = 0;
  if (x < 0x1p-1022) {
    x *= 0x1p54;
    n = -54;
  }
  uint64_t u = bits_of(x);
  n += (int)(u >> 52) - 1023;
  double m = of_bits((u & 0xfffffffffffff) | 0x3ff0000000000000);
  if (m > 0x1.6a09e667f3bcdp+0) {
    m *= 0.5;
    n += 1;
  }
  /* log m = 2 artanh(s) = 2 s (1 + q/3 + q^2/5 + ...) with s = (m - 1) / (m + 1), q = s^2 <= 0.0295 */
  double f = m - 1.0;
  pair d = sum(m, 1.0);
  double s = f / d.high;
  pair sd = product(s, d.high);
  double s_low = (((f - sd.high) - sd.low) - s * d.low) / d.high;
  pair q = product(s, s);
  q.low += 2.0 * s * s_low;
  double r = 1.0 / 27.0;
  r = r * q.high + 1.0 / 25.0;
  r = r * q.high + 1.0 / 23.0;
  r = r * q.high + 1.0 / 21.0;
  r = r * q.high + 1.0 / 19.0;
  r = r * q.high + 1.0 / 17.0;
  r = r * q.high + 1.0 / 15.0;
  r = r * q.high + 1.0 / 13.0;
  r = r * q.high + 1.0 / 11.0;
  r = r * q.high + 1.0 / 9.0;
  r = r * q.high + 1.0 / 7.0;
  r = r * q.high + 1.0 / 5.0;
  const double third = 0x1.5555555555555p-2, third_low = 0x1.5555555555555p-56;
  pair t = product(q.high, third);
  t = ordered_sum(t.high, (t.low + (q.high * third_low + q.low * third)) + q.high * q.high * r);
  pair st = product(s, t.high);
  pair half = ordered_sum(s, st.high);
  double low = half.low + (st.low + (s * t.low + s_low * t.high) + s_low);
  pair a = sum(n * ln2_1, 2.0 * half.high);
  pair b = sum(a.high, n * ln2_2);
  return sum(b.high, (a.low + b.low) + (2.0 * low + n * ln2_3));
}

double evodb_log(double x) {
  if (x != x || x == INFINITY) return x;
  if (x == 0.0) return -INFINITY;
  if (x < 0.0) return NAN;
  return log_of(x).high;
}

double evodb_pow(double x, double y) {
  if (y == 0.0 || x == 1.0) return 1.0;
  if (x != x || y != y) return NAN;
  /* Is y an integer, and odd? All doubles from 2^53 on are even. */
  double size = fabs(y), magnitude = fabs(x);
  int is_integer = size >= 0x1p53, is_odd = 0;
  if (size < 0x1p53) {
    uint64_t whole = (uint64_t)size;
    is_integer = (double)whole == size;
    is_odd = is_integer && (whole & 1);
  }
  double sign = is_odd && bits_of(x) >> 63 ? -1.0 : 1.0;
  if (size == INFINITY) {
    if (magnitude == 1.0) return 1.0;
    return (magnitude > 1.0) == (y > 0.0) ? INFINITY : 0.0;
  }
  if (magnitude == 0.0 || magnitude == INFINITY) return sign * ((magnitude == 0.0) == (y < 0.0) ? INFINITY : 0.0);
  if (x < 0.0 && !is_integer) return NAN;
  pair l = log_of(magnitude);
  double estimate = y * l.high;
  if (estimate > 800.0) return sign * INFINITY;
  if (estimate < -800.0) return sign * 0.0;
  pair p = product(y, l.high);
  return sign * exp_of(sum(p.high, p.low + y * l.low));
}

/* pi / 2 in four parts; the first three have 32 bits, so that a multiple up to 2^20 is exact. */
static const double half_pi_1 = 0x1.921fb54400000p+0, half_pi_2 = 0x1.0b4611a600000p-34, half_pi_3 = 0x1.3198a2e000000p-69,
                    half_pi_4 = 0x1.b839a252049c1p-104;

/* Bits of 2 / pi behind the point, after 64 zeros. */
static const uint64_t two_over_pi[] = {
    0,
    0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561, 0xb7246e3a424dd2e0,
    0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484, 0xe99c7026b45f7e41, 0x3991d639835339f4,
    0x9c845f8bbdf9283b, 0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d,
    0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab, 0xf0cfbc209af4361d,
};

/* x - quadrant * pi / 2 for x >= 2^20, quadrant mod 4, after Payne and Hanek ("Radian reduction for trigonometric functions",
   1983): of the bits of 2 / pi only those count that give neither multiples of 4 nor less than 2^-137. */
static pair reduced_large(double x, int *quadrant) {
  uint64_t u = bits_of(x), mantissa = (u & 0xfffffffffffff) | 0x10000000000000;
  int exponent = (int)(u >> 52) - 1075;
  int first = exponent - 2 + 64, word = first / 64, shift = first % 64;
  uint64_t window[3]; /* the highest first */
  for (int i = 0; i < 3; i++)
    window[i] = two_over_pi[word + i] << shift | (shift ? two_over_pi[word + i + 1] >> (64 - shift) : 0);
  /* p = mantissa * window mod 2^192, in units of 2^-190 */
  uint64_t p[3];
  __uint128_t part = (__uint128_t)mantissa * window[2];
  p[2] = (uint64_t)part;
  part = (__uint128_t)mantissa * window[1] + (uint64_t)(part >> 64);
  p[1] = (uint64_t)part;
  p[0] = mantissa * window[0] + (uint64_t)(part >> 64);
  *quadrant = (int)(p[0] >> 62);
  p[0] &= 0x3fffffffffffffff;
  double sign = 1.0;
  if (p[0] >> 61) { /* a half or more: one quadrant up, and back from there */
    *quadrant = (*quadrant + 1) & 3;
    sign = -1.0;
    p[2] = ~p[2] + 1;
    p[1] = ~p[1] + (p[2] == 0);
    p[0] = (~p[0] + (p[2] == 0 && p[1] == 0)) & 0x3fffffffffffffff;
  }
  /* Exact parts of 32 bits each, added from the lowest. */
  pair fraction = {0.0, 0.0};
  for (int i = 5; i >= 0; i--) {
    double digit = (double)(p[i / 2] >> (i % 2 ? 0 : 32) & 0xffffffff) * power_of_2(2 - 32 * (i + 1));
    pair s = sum(digit, fraction.high);
    fraction = sum(s.high, s.low + fraction.low);
  }
  pair result = product(fraction.high, 0x1.921fb54442d18p+0);
  result = ordered_sum(result.high, result.low + (fraction.high * 0x1.1a62633145c07p-54 + fraction.low * 0x1.921fb54442d18p+0));
  return (pair){sign * result.high, sign * result.low};
}

/* x - quadrant * pi / 2, at most about pi / 4, for x >= 0; quadrant mod 4. */
static pair reduced(double x, int *quadrant) {
  if (x >= 0x1p20) return reduced_large(x, quadrant);
  double n = nearest(x * 0x1.45f306dc9c883p-1);
  *quadrant = (int)n & 3;
  pair r = sum(x - n * half_pi_1, -n * half_pi_2);
  pair t = sum(r.high, -n * half_pi_3);
  return sum(t.high, (r.low + t.low) - n * half_pi_4);
}

/* sin and cos of |r| <= pi / 4: Taylor, remainders below 2^-60. */
static double sin_near(pair r) {
  double z = r.high * r.high;
  double q = -1.0 / 121645100408832000.0;
  q = q * z + 1.0 / 355687428096000.0;
  q = q * z - 1.0 / 1307674368000.0;
  q = q * z + 1.0 / 6227020800.0;
  q = q * z - 1.0 / 39916800.0;
  q = q * z + 1.0 / 362880.0;
  q = q * z - 1.0 / 5040.0;
  q = q * z + 1.0 / 120.0;
  q = q * z - 1.0 / 6.0;
  return r.high + (r.high * z * q + (r.low - 0.5 * z * r.low));
}

static double cos_near(pair r) {
  pair z = product(r.high, r.high);
  double q = 1.0 / 2432902008176640000.0;
  q = q * z.high - 1.0 / 6402373705728000.0;
  q = q * z.high + 1.0 / 20922789888000.0;
  q = q * z.high - 1.0 / 87178291200.0;
  q = q * z.high + 1.0 / 479001600.0;
  q = q * z.high - 1.0 / 3628800.0;
  q = q * z.high + 1.0 / 40320.0;
  q = q * z.high - 1.0 / 720.0;
  q = q * z.high + 1.0 / 24.0;
  pair s = ordered_sum(1.0, -0.5 * z.high);
  return s.high + (s.low + (z.high * z.high * q - (0.5 * z.low + r.high * r.low)));
}

double evodb_sin(double x) {
  double size = fabs(x);
  if (!(size < INFINITY)) return NAN;
  if (size < 0x1p-27) return x;
  int quadrant;
  pair r = reduced(size, &quadrant);
  double result = quadrant & 1 ? cos_near(r) : sin_near(r);
  if (quadrant & 2) result = -result;
  return x < 0.0 ? -result : result;
}

double evodb_cos(double x) {
  double size = fabs(x);
  if (!(size < INFINITY)) return NAN;
  int quadrant;
  pair r = reduced(size, &quadrant);
  double result = quadrant & 1 ? sin_near(r) : cos_near(r);
  return quadrant == 1 || quadrant == 2 ? -result : result;
}

double evodb_tanh(double x) {
  double size = fabs(x), result;
  if (x != x || size < 0x1p-27) return x;
  if (size < 0.25) {
    /* Taylor; the series converges below pi / 2. */
    double z = x * x, q = -0x1.b0f72d3ee24e9p-18;
    q = q * z + 0x1.0b132d39a6050p-16;
    q = q * z - 0x1.497d8eea25259p-15;
    q = q * z + 0x1.967e18afcafadp-14;
    q = q * z - 0x1.f57d7734d1664p-13;
    q = q * z + 0x1.3558248036744p-11;
    q = q * z - 0x1.7da36452b75e3p-10;
    q = q * z + 0x1.d6d3d0e157de0p-9;
    q = q * z - 0x1.226e355e6c23dp-7;
    q = q * z + 0x1.664f4882c10fap-6;
    q = q * z - 0x1.ba1ba1ba1ba1cp-5;
    q = q * z + 0x1.1111111111111p-3;
    q = q * z - 0x1.5555555555555p-2;
    return x + x * z * q;
  }
  if (size > 20.0) {
    result = 1.0;
  } else {
    /* (e - 1) / (e + 1) with e = exp(2 |x|) in two doubles */
    int n;
    pair e = exp_scaled((pair){2.0 * size, 0.0}, &n);
    e.high = scaled(e.high, n);
    e.low = scaled(e.low, n);
    pair above = sum(e.high, -1.0), below = sum(e.high, 1.0);
    above.low += e.low;
    below.low += e.low;
    double quotient = above.high / below.high;
    pair back = product(quotient, below.high);
    result = quotient + ((((above.high - back.high) - back.low) + above.low) - quotient * below.low) / below.high;
  }
  return x < 0.0 ? -result : result;
}

/* asin z = z + z^3 R(z^2) for |z| <= 1/2: R by interpolation at Chebyshev's points, error below 2^-63. */
static double asin_rest(double z2) {
  double r = 0x1.e70d4739cfcdbp-6;
  r = r * z2 - 0x1.3e33ab81c9ef2p-6;
  r = r * z2 + 0x1.42690e2347252p-6;
  r = r * z2 + 0x1.8899fb37b6777p-9;
  r = r * z2 + 0x1.31cd3bf734fa0p-7;
  r = r * z2 + 0x1.3b374c6a2c89fp-7;
  r = r * z2 + 0x1.7b04b32731ab0p-7;
  r = r * z2 + 0x1.c9907f8c561b2p-7;
  r = r * z2 + 0x1.1c4efe1e69660p-6;
  r = r * z2 + 0x1.6e8ba118f5fd7p-6;
  r = r * z2 + 0x1.f1c71c7a8c0eap-6;
  r = r * z2 + 0x1.6db6db6dabd04p-5;
  r = r * z2 + 0x1.333333333338bp-4;
  return r * z2 + 0x1.5555555555555p-3;
}

double evodb_acos(double x) {
  double size = fabs(x);
  if (!(size <= 1.0)) return NAN;
  const double half_pi = 0x1.921fb54442d18p+0, half_pi_low = 0x1.1a62633145c07p-54;
  if (size <= 0.5) {
    double z2 = x * x;
    pair s = ordered_sum(half_pi, -x);
    return s.high + (s.low + (half_pi_low - x * z2 * asin_rest(z2)));
  }
  /* acos x = 2 asin z with z^2 = (1 - x) / 2, which is exact; the square root's error is taken back. */
  double z2 = 0.5 * (1.0 - size), z = sqrt(z2);
  if (z2 == 0.0) return x > 0.0 ? 0.0 : 2.0 * half_pi;
  pair back = product(z, z);
  double z_low = ((z2 - back.high) - back.low) / (2.0 * z);
  double rest = z_low + z * z2 * asin_rest(z2);
  if (x > 0.0) return 2.0 * (z + rest);
  pair s = ordered_sum(half_pi, -z);
  return 2.0 * (s.high + (s.low + (half_pi_low - rest)));
}

double evodb_rsqrt(double x) { return 1.0 / sqrt(x); }

float evodb_expf(float x) { return (float)evodb_exp(x); }
float evodb_logf(float x) { return (float)evodb_log(x); }
float evodb_powf(float x, float y) { return (float)evodb_pow(x, y); }
float evodb_sinf(float x) { return (float)evodb_sin(x); }
float evodb_cosf(float x) { return (float)evodb_cos(x); }
float evodb_tanhf(float x) { return (float)evodb_tanh(x); }
float evodb_acosf(float x) { return (float)evodb_acos(x); }
float evodb_rsqrtf(float x) { return (float)evodb_rsqrt(x); }
