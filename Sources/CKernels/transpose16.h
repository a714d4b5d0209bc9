/* A transposition in registers, for kernels of any target that have 16 floats to a vector. */
#ifndef EVODB_TRANSPOSE16_H
#define EVODB_TRANSPOSE16_H

/* row[0] ... row[15] <- the transposed square; `other` is as large, and is overwritten. Four rounds exchange halves, quarters,
   eighths and sixteenths of rows that lie 8, 4, 2 and 1 apart. */
#define TRANSPOSE_16(row, other) \
  do {                           \
    EXCHANGE_ROWS(row, other, 8) \
    EXCHANGE_ROWS(other, row, 4) \
    EXCHANGE_ROWS(row, other, 2) \
    EXCHANGE_ROWS(other, row, 1) \
  } while (0)

#define EXCHANGE_ROWS(from, to, distance)                                                               \
  _Pragma("clang loop unroll(full)") for (int i = 0; i < 16; i++) {                                     \
    if (!(i & (distance))) {                                                                            \
      to[i] = __builtin_shufflevector(from[i], from[i + (distance)], FIRST_##distance);                 \
      to[i + (distance)] = __builtin_shufflevector(from[i], from[i + (distance)], SECOND_##distance);   \
    }                                                                                                   \
  }
#define FIRST_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define SECOND_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define FIRST_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define SECOND_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define FIRST_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define SECOND_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define FIRST_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define SECOND_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31

#endif
