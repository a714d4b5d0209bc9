#ifndef EVODB_AMX_TILES_H
#define EVODB_AMX_TILES_H

/* What the kernels on AMX tiles share. TDPBF16PS does what docs/arithmetic.md defines, and reads no control register. Private to
   this target. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "product_sets.h"

#define TARGET __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,prfchw")))
#define INLINED static inline __attribute__((always_inline)) TARGET

/* Two tiles each way: the sums of a pair are 32 x 32. */
enum { TILE = 16, TILE_BYTES = 1024, PAIR = 2 * TILE };

struct tile_configuration {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
};

/* All eight tiles have 16 rows of 64 bytes. */
INLINED void configure_tiles(void) {
  struct tile_configuration configuration = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    configuration.row_bytes[i] = 64;
    configuration.rows[i] = TILE;
  }
  _tile_loadconfig(&configuration);
}

/* 16 rows of activations as tiles [blocks][16][32]; rows beyond `rows` and places beyond `depth` are zero. */
INLINED void lay_out_rows(uint16_t *tiles, const float *x, int64_t row_stride, int64_t rows, int64_t depth, int negate) {
  const __m512i sign = _mm512_set1_epi32(negate ? INT32_MIN : 0);
  int64_t whole = depth / EVODB_BLOCK_DEPTH, rest = depth % EVODB_BLOCK_DEPTH;
  for (int64_t r = 0; r < TILE; r++) {
    uint16_t *target = tiles + r * EVODB_BLOCK_DEPTH;
    const float *row = x + r * row_stride;
    if (r >= rows) {
      for (int64_t i = 0; i < whole + (rest > 0); i++) _mm512_store_si512(target + i * 512, _mm512_setzero_si512());
      continue;
    }
    for (int64_t i = 0; i < whole; i++) {
      __m512i low = _mm512_xor_si512(_mm512_loadu_si512(row + i * EVODB_BLOCK_DEPTH), sign);
      __m512i high = _mm512_xor_si512(_mm512_loadu_si512(row + i * EVODB_BLOCK_DEPTH + 16), sign);
      _mm512_store_si512(target + i * 512,
                         (__m512i)_mm512_cvtne2ps_pbh(_mm512_castsi512_ps(high), _mm512_castsi512_ps(low)));
    }
    if (rest) {
      __mmask16 low_mask = (__mmask16)(rest >= 16 ? 0xffff : (1u << rest) - 1);
      __mmask16 high_mask = (__mmask16)(rest > 16 ? (1u << (rest - 16)) - 1 : 0);
      __m512i low = _mm512_xor_si512(_mm512_maskz_loadu_epi32(low_mask, row + whole * EVODB_BLOCK_DEPTH), sign);
      __m512i high = _mm512_xor_si512(_mm512_maskz_loadu_epi32(high_mask, row + whole * EVODB_BLOCK_DEPTH + 16), sign);
      low = _mm512_maskz_mov_epi32(low_mask, low);
      high = _mm512_maskz_mov_epi32(high_mask, high);
      _mm512_store_si512(target + whole * 512,
                         (__m512i)_mm512_cvtne2ps_pbh(_mm512_castsi512_ps(high), _mm512_castsi512_ps(low)));
    }
  }
}

/* What one or two row tiles and one or two panels are multiplied from. */
struct factors {
  const uint16_t *a; /* tiles, the second row of them a_stride further */
  int64_t a_stride;
  const uint32_t *b;
  int64_t b_stride;
  int64_t blocks;
  const char *next; /* meanwhile `ahead` lines a block are fetched from here on */
  int64_t ahead;
};

/* c continues (or, if fresh, starts) with the products of all blocks. `beside`, if there is one, is called after every block: the
   multiplications of a block take 64 cycles, in which the processor has nothing else to do. */
INLINED void multiply_beside(const int two_rows, const int two_columns, const struct factors *f, float *c, int64_t c_stride,
                             int fresh, void (*beside)(void *), void *context) {
  const size_t stride = (size_t)c_stride * sizeof(float);
  const uint16_t *a = f->a;
  const uint32_t *b = f->b;
  const char *next = f->next;
  if (fresh) {
    _tile_zero(0);
    if (two_columns) _tile_zero(1);
    if (two_rows) _tile_zero(2);
    if (two_rows && two_columns) _tile_zero(3);
  } else {
    _tile_loadd(0, c, stride);
    if (two_columns) _tile_loadd(1, c + TILE, stride);
    if (two_rows) _tile_loadd(2, c + TILE * c_stride, stride);
    if (two_rows && two_columns) _tile_loadd(3, c + TILE * c_stride + TILE, stride);
  }
  for (int64_t i = 0; i < f->blocks; i++, a += 512, b += 256) {
    _tile_loadd(4, a, 64);
    _tile_stream_loadd(6, b, 64);
    _tile_dpbf16ps(0, 4, 6);
    if (two_rows) {
      _tile_loadd(5, a + f->a_stride, 64);
      _tile_dpbf16ps(2, 5, 6);
    }
    if (two_columns) {
      _tile_stream_loadd(7, b + f->b_stride, 64);
      _tile_dpbf16ps(1, 4, 7);
      if (two_rows) _tile_dpbf16ps(3, 5, 7);
    }
    for (int64_t line = 0; line < f->ahead; line++, next += CACHE_LINE) _mm_prefetch(next, _MM_HINT_T1);
    if (beside) beside(context);
  }
  _tile_stored(0, c, stride);
  if (two_columns) _tile_stored(1, c + TILE, stride);
  if (two_rows) _tile_stored(2, c + TILE * c_stride, stride);
  if (two_rows && two_columns) _tile_stored(3, c + TILE * c_stride + TILE, stride);
}

/* The same with nothing beside it. */
TARGET static inline void multiply_tiles(int two_rows, int two_columns, const struct factors *f, float *c, int64_t c_stride,
                                         int fresh) {
  if (two_rows && two_columns)
    multiply_beside(1, 1, f, c, c_stride, fresh, 0, 0);
  else if (two_rows)
    multiply_beside(1, 0, f, c, c_stride, fresh, 0, 0);
  else if (two_columns)
    multiply_beside(0, 1, f, c, c_stride, fresh, 0, 0);
  else
    multiply_beside(0, 0, f, c, c_stride, fresh, 0, 0);
}
#endif
#endif
