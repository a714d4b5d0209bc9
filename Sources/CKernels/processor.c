#include "product_sets.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if defined(__x86_64__)
/* Register state that the operating system saves, XCR0. */
static uint64_t saved_state(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

/* Linux hands out tile registers only on request, since their state is 8 kB a thread. */
static int may_use_tiles(void) {
#if defined(__linux__)
  enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
  return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
  return 0;
#endif
}

static int features_now(void) {
  uint32_t a, b, c, d;
  int result = 0;
  __builtin_cpu_init();
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  int has_fma = c >> 12 & 1, has_saving = c >> 27 & 1;
  if (!has_saving) return 0;
  uint64_t state = saved_state();
  if (__builtin_cpu_is("amd")) result |= EVODB_IS_AMD;
  if ((state & 6) != 6) return result; /* the upper halves of AVX registers */
  if (c >> 28 & 1) result |= EVODB_HAS_AVX;
  if (has_fma) result |= EVODB_HAS_FMA;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return result;
  if (has_fma && b >> 5 & 1) result |= EVODB_HAS_AVX2;
  int has_avx512 = (b >> 16 & 1) && (b >> 17 & 1) && (b >> 30 & 1) && (b >> 31 & 1);
  if ((result & EVODB_HAS_AVX2) && has_avx512 && (state & 0xe6) == 0xe6) result |= EVODB_HAS_AVX512;
  int has_tiles = (d >> 22 & 1) && (d >> 24 & 1);
  uint32_t has_conversion = __get_cpuid_count(7, 1, &a, &b, &c, &d) ? a >> 5 & 1 : 0;
  if ((result & EVODB_HAS_AVX512) && has_conversion) result |= EVODB_HAS_AVX512_BF16;
  if ((result & EVODB_HAS_AVX512) && has_tiles && has_conversion) result |= EVODB_HAS_AMX;
  if ((result & EVODB_HAS_AMX) && (state & 0x60000) == 0x60000 && may_use_tiles()) result |= EVODB_HAS_AMX_PERMISSION;
  return result;
}

float_control evodb_float_control_begin(int flushes) {
  unsigned saved = _mm_getcsr();
  /* All exceptions masked, round to nearest even; with flush-to-zero and denormals-are-zero or without. */
  _mm_setcsr(flushes ? 0x9fc0 : 0x1f80);
  return saved;
}

void evodb_float_control_end(float_control saved) { _mm_setcsr((unsigned)saved); }

#elif defined(__aarch64__)
static int features_now(void) { return EVODB_HAS_FMA | EVODB_HAS_NEON; }

float_control evodb_float_control_begin(int flushes) {
  (void)flushes;
  uint64_t saved;
  __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
  __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
  return saved;
}

void evodb_float_control_end(float_control saved) { __asm__ volatile("msr fpcr, %0" : : "r"(saved)); }

#else
static int features_now(void) { return 0; }
float_control evodb_float_control_begin(int flushes) { (void)flushes; return 0; }
void evodb_float_control_end(float_control saved) { (void)saved; }
#endif

int evodb_processor_features(void) {
  /* Asked once; the top bit says so. Two threads that ask at once find the same. */
  static int known;
  int features = __atomic_load_n(&known, __ATOMIC_RELAXED);
  if (!features) {
    features = features_now() | 1 << 30;
    __atomic_store_n(&known, features, __ATOMIC_RELAXED);
  }
  return features & ~(1 << 30);
}

int evodb_kernel_set_is_available(int set) {
  int needed;
  switch (set) {
    case EVODB_PORTABLE: return 1;
    case EVODB_NEON: needed = EVODB_HAS_NEON; break;
    case EVODB_AVX2: needed = EVODB_HAS_AVX2; break;
    case EVODB_AVX512: needed = EVODB_HAS_AVX512; break;
    case EVODB_AMX: needed = EVODB_HAS_AVX512 | EVODB_HAS_AMX | EVODB_HAS_AMX_PERMISSION; break;
    default: return 0;
  }
  return (evodb_processor_features() & needed) == needed;
}

int evodb_fastest_kernel_set(void) {
  for (int set = EVODB_KERNEL_SET_COUNT - 1; set > 0; set--)
    if (evodb_kernel_set_is_available(set)) return set;
  return EVODB_PORTABLE;
}

void evodb_processor_name(char *name, int size) {
  if (size < 1) return;
  name[0] = 0;
#if defined(__x86_64__)
  uint32_t words[12];
  for (uint32_t i = 0; i < 3; i++)
    if (!__get_cpuid(0x80000002 + i, words + 4 * i, words + 4 * i + 1, words + 4 * i + 2, words + 4 * i + 3)) return;
  char text[49] = {0};
  memcpy(text, words, 48);
  const char *start = text;
  while (*start == ' ') start++;
  size_t length = smaller((int64_t)strlen(start), size - 1);
  memcpy(name, start, length);
  name[length] = 0;
#endif
}
