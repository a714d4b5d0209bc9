#ifndef EVODB_ELEMENTARY_H
#define EVODB_ELEMENTARY_H

/* Elementary functions whose bits are the same on every machine: only +, -, *, / and square roots of IEEE 754 doubles, rounded
   to nearest even, in a fixed order, and no fused multiply-add. Errors are below 1 ulp (docs/arithmetic.md has the measured
   ones); special values as in C's Annex F, with any NaN for NaN. */
double evodb_exp(double x);
double evodb_log(double x);
double evodb_pow(double x, double y);
double evodb_sin(double x);
double evodb_cos(double x);
double evodb_tanh(double x);
double evodb_acos(double x);
double evodb_rsqrt(double x); /* 1 / sqrt(x) */

/* The same for float32: the double's result, rounded. */
float evodb_expf(float x);
float evodb_logf(float x);
float evodb_powf(float x, float y);
float evodb_sinf(float x);
float evodb_cosf(float x);
float evodb_tanhf(float x);
float evodb_acosf(float x);
float evodb_rsqrtf(float x);

#endif
