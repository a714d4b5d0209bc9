#include "Machine.h"

#include <pthread.h>
#include <stdlib.h>

uint32_t evodb_vector_extensions(void) {
  uint32_t found = 0;
#if defined(__x86_64__)
  /* Asks cpuid, and xgetbv whether the operating system saves the wide registers. */
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx")) found |= EVODB_VECTORS_AVX;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found |= EVODB_VECTORS_AVX2;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    found |= EVODB_VECTORS_AVX512;
    if (__builtin_cpu_supports("avx512bf16")) found |= EVODB_VECTORS_AVX512_BF16;
  }
  if (__builtin_cpu_is("amd")) found |= EVODB_VECTORS_AMD;
#endif
  return found;
}

static void *wait_for_others(void *gate) {
  pthread_mutex_lock(gate);
  pthread_mutex_unlock(gate);
  return NULL;
}

int64_t evodb_startable_threads(int64_t count) {
  pthread_t *threads = calloc((size_t)count, sizeof(pthread_t));
  if (threads == NULL) return 0;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  /* Not the default, which may be large: the question is how many threads there may be, not how much memory. */
  pthread_attr_setstacksize(&attributes, 512 << 10);
  pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&gate);
  int64_t started = 0;
  while (started < count && pthread_create(&threads[started], &attributes, wait_for_others, &gate) == 0) started++;
  pthread_mutex_unlock(&gate);
  for (int64_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
  pthread_attr_destroy(&attributes);
  free(threads);
  return started;
}
