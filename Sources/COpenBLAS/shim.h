#ifndef EVODB_COPENBLAS_SHIM_H
#define EVODB_COPENBLAS_SHIM_H
#include <cblas.h>

/* Debian's OpenBLAS exports LAPACK symbols without LAPACK headers; column-major, Fortran calling convention. */
void spotrf_(const char *uplo, const int *n, float *a, const int *lda, int *info);
void spotri_(const char *uplo, const int *n, float *a, const int *lda, int *info);
void strtri_(const char *uplo, const char *diag, const int *n, float *a, const int *lda, int *info);
#endif
