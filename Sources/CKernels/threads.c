#include "Machine.h"

#include <pthread.h>
#include <stdlib.h>

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
