#ifndef EVODB_COPENBLAS_SHIM_H
#define EVODB_COPENBLAS_SHIM_H
#include <cblas.h>

/* Debian's OpenBLAS exports LAPACK symbols without LAPACK headers; column-major, Fortran calling convention. */
void spotrf_(const char *uplo, const int *n, float *a, const int *lda, int *info);
void spotri_(const char *uplo, const int *n, float *a, const int *lda, int *info);
void strtri_(const char *uplo, const char *diag, const int *n, float *a, const int *lda, int *info);

/* OpenBLAS's pool of working buffers, one for each product under way; exported, but in no header, and not by every build. */
void *blas_memory_alloc(int position) __attribute__((weak));
void blas_memory_free(void *buffer) __attribute__((weak));

/* Has the pool hold `count` buffers, at most as many as OpenBLAS allows without a table of its own; false if this OpenBLAS
   does not show its pool. */
static inline int evodb_openblas_reserve(int count) {
  enum { LARGEST = 64 };
  void *buffers[LARGEST];
  if (!blas_memory_alloc || !blas_memory_free) return 0;
  if (count > LARGEST) count = LARGEST;
  for (int i = 0; i < count; i++) buffers[i] = blas_memory_alloc(0);
  for (int i = count - 1; i >= 0; i--) blas_memory_free(buffers[i]);
  return 1;
}
#endif
