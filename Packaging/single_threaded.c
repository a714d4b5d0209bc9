// glibc has this variable from 2.32 on, and libstdc++ of newer compilers reads it to do without atomic operations while there is one
// thread. Where the C library has none, false is always right. See sys/single_threaded.h in glibc's manual.
char __libc_single_threaded = 0;
