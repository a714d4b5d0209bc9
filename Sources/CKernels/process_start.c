/* What must be right before any library starts, under the limits that clusters set (ulimit, cgroups).

   OpenBLAS starts a thread per processor while it is loaded, before main. Each maps a buffer of 128 MiB, and OpenBLAS tries
   that again for ever if the address space is limited (RLIMIT_AS, RLIMIT_DATA); it sends itself SIGINT if the thread cannot be
   started (RLIMIT_NPROC, the control group's pids.max). evodb never uses these threads. Only OPENBLAS_NUM_THREADS=1 in the
   environment keeps OpenBLAS from starting them, so under such a limit the program begins once more with it, before OpenBLAS
   has begun: DT_PREINIT_ARRAY comes before the constructors of all libraries. For the same reason the C library's
   allocator gets one arena: each further one would reserve another 64 MiB of address space. */

#if defined(__linux__) && defined(__GLIBC__) || defined(__linux__) && defined(__gnu_linux__)
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Below this, stacks overflow in deep formats and in OpenBLAS: what secondary threads get on macOS, where all this runs too. */
static const rlim_t least_stack = 512 << 10;
/* What Linux gives by default. */
static const rlim_t usual_stack = 8 << 20;
/* OpenBLAS starts at most 128 threads; with a limit above this there is room for some dozens of such processes. */
static const rlim_t many_processes = 4096;

static int is_limited(int resource, rlim_t enough) {
  struct rlimit limit;
  return getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < enough;
}

/* Whether the control group counts threads. */
static int is_limited_by_group(void) {
  int file = open("/sys/fs/cgroup/pids.max", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char first = 'm';
  ssize_t count = read(file, &first, 1);
  close(file);
  return count == 1 && first != 'm'; /* "max": no limit */
}

static int begins(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

static void start(int count, char **arguments, char **environment) {
  (void)count;
  struct rlimit stack;
  int wants_stack = getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur < least_stack;
  if (wants_stack) {
    stack.rlim_cur = stack.rlim_max < usual_stack ? stack.rlim_max : usual_stack;
    if (stack.rlim_cur < least_stack || setrlimit(RLIMIT_STACK, &stack) != 0) {
      static const char text[] =
          "evodb: the stack is limited to less than 512 KiB (RLIMIT_STACK); raise the limit: ulimit -s 8192\n";
      ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
      (void)written;
      _exit(71);
    }
  }
  int has_threads = 0, has_arenas = 0;
  size_t size = 0;
  for (; environment[size] != NULL; size++) {
    if (strcmp(environment[size], "OPENBLAS_NUM_THREADS=1") == 0) has_threads = 1;
    if (begins(environment[size], "MALLOC_ARENA_MAX=")) has_arenas = 1;
  }
  int wants_environment =
      !(has_threads && has_arenas) &&
      (is_limited(RLIMIT_AS, RLIM_INFINITY) || is_limited(RLIMIT_DATA, RLIM_INFINITY) ||
       is_limited(RLIMIT_NPROC, many_processes) || is_limited_by_group());
  /* The stack of threads is read from its limit at the start, too. */
  if (!wants_environment && !wants_stack) return;
  /* Without an interpreter the file that runs is the loader itself (ld.so PROGRAM), which would take no PROGRAM again. */
  const char *program = (const char *)getauxval(AT_EXECFN);
  if (getauxval(AT_BASE) == 0 || program == NULL) return;
  char **wider = mmap(NULL, (size + 3) * sizeof(char *), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (wider == MAP_FAILED) return;
  size_t used = 0;
  for (size_t i = 0; i < size; i++) {
    if (!begins(environment[i], "OPENBLAS_NUM_THREADS=")) wider[used++] = environment[i];
  }
  wider[used++] = "OPENBLAS_NUM_THREADS=1";
  if (!has_arenas) wider[used++] = "MALLOC_ARENA_MAX=1";
  wider[used] = NULL;
  /* If it fails, the program goes on as it is. */
  execve(program, arguments, wider);
  munmap(wider, (size + 3) * sizeof(char *));
}

__attribute__((section(".preinit_array"), used, retain)) static void (*const start_entry)(int, char **, char **) = start;
#endif
