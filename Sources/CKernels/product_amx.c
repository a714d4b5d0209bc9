#include "product_sets.h"

/* bfloat16 products on AMX tiles. TDPBF16PS does what docs/arithmetic.md defines, and reads no control register. */
#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,prfchw")))

enum {
  /* Blocks of 32 along the depth, and rows, that are laid out at once: 1 MB of activations, half of the second cache. */
  SLICE_BLOCKS = 32,
  AMX_SLAB_ROWS = 512,
  /* Columns of the result that follow each other before the next rows: 512 bytes of a row. */
  CHUNK_COLUMNS = 128,
  /* What is smaller stays in the second cache by itself; fetching it ahead would only cost instructions. */
  CACHED_BYTES = 1 << 20,
  TILE = 16,
  TILE_BYTES = 1024
};

struct tile_configuration {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
};

/* 16 rows of activations as tiles [blocks][16][32]; rows beyond `rows` and places beyond `depth` are zero. */
TARGET static void lay_out_rows(uint16_t *tiles, const float *x, int64_t row_stride, int64_t rows, int64_t depth, int negate) {
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

/* c[16 * row_tiles][16 * column_tiles] continues (or, if fresh, starts) with `blocks` blocks of a and b; meanwhile
   `ahead` lines a block are fetched from `next`. */
#define MULTIPLY_TILES(name, ROWS_2, COLUMNS_2)                                                                           \
  TARGET static void name(const uint16_t *a0, const uint16_t *a1, const uint32_t *b0, const uint32_t *b1, int64_t blocks,  \
                          float *c, int64_t c_stride, int fresh, const char *next, int64_t ahead) {                       \
    size_t stride = (size_t)c_stride * sizeof(float);                                                                     \
    if (fresh) {                                                                                                          \
      _tile_zero(0);                                                                                                      \
      if (COLUMNS_2) _tile_zero(1);                                                                                       \
      if (ROWS_2) _tile_zero(2);                                                                                          \
      if (ROWS_2 && COLUMNS_2) _tile_zero(3);                                                                             \
    } else {                                                                                                              \
      _tile_loadd(0, c, stride);                                                                                          \
      if (COLUMNS_2) _tile_loadd(1, c + TILE, stride);                                                                    \
      if (ROWS_2) _tile_loadd(2, c + TILE * c_stride, stride);                                                            \
      if (ROWS_2 && COLUMNS_2) _tile_loadd(3, c + TILE * c_stride + TILE, stride);                                        \
    }                                                                                                                     \
    for (int64_t i = 0; i < blocks; i++) {                                                                                \
      _tile_loadd(4, a0 + i * 512, 64);                                                                                   \
      _tile_loadd(6, b0 + i * 256, 64);                                                                                   \
      _tile_dpbf16ps(0, 4, 6);                                                                                            \
      if (ROWS_2) {                                                                                                       \
        _tile_loadd(5, a1 + i * 512, 64);                                                                                 \
        _tile_dpbf16ps(2, 5, 6);                                                                                          \
      }                                                                                                                   \
      if (COLUMNS_2) {                                                                                                    \
        _tile_loadd(7, b1 + i * 256, 64);                                                                                 \
        _tile_dpbf16ps(1, 4, 7);                                                                                          \
        if (ROWS_2) _tile_dpbf16ps(3, 5, 7);                                                                              \
      }                                                                                                                   \
      for (int64_t line = 0; line < ahead; line++, next += CACHE_LINE) _mm_prefetch(next, _MM_HINT_T1);                   \
    }                                                                                                                     \
    _tile_stored(0, c, stride);                                                                                           \
    if (COLUMNS_2) _tile_stored(1, c + TILE, stride);                                                                     \
    if (ROWS_2) _tile_stored(2, c + TILE * c_stride, stride);                                                             \
    if (ROWS_2 && COLUMNS_2) _tile_stored(3, c + TILE * c_stride + TILE, stride);                                         \
  }

MULTIPLY_TILES(multiply_2_2, 1, 1)
MULTIPLY_TILES(multiply_2_1, 1, 0)
MULTIPLY_TILES(multiply_1_2, 0, 1)
MULTIPLY_TILES(multiply_1_1, 0, 0)

static int64_t wanted_columns(const evodb_product *p, int64_t row) {
  return p->lower ? larger(0, smaller(p->columns, row + p->lower_offset + 1)) : p->columns;
}

/* One pair of row tiles by one pair of panels. */
TARGET static void multiply_pair(const evodb_product *p, int64_t row, int64_t rows, int64_t column, const uint16_t *a,
                          int64_t a_stride, const uint32_t *b, int64_t b_stride, int64_t blocks, int fresh,
                          const char *next, int64_t ahead) {
  const int two_rows = rows > TILE, two_columns = p->columns - column > TILE;
  const int64_t height = two_rows ? 2 * TILE : TILE, width = two_columns ? 2 * TILE : TILE;
  float edge[4 * TILE * TILE] __attribute__((aligned(64)));
  float *y = p->y + row * p->y_stride + column, *c = y;
  int64_t c_stride = p->y_stride;
  const int is_edge = rows < height || wanted_columns(p, row) < column + width;
  if (is_edge) {
    c = edge;
    c_stride = width;
    if (!fresh) {
      memset(edge, 0, sizeof(edge));
      for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < smaller(width, wanted_columns(p, row + r) - column); i++)
          edge[r * width + i] = y[r * p->y_stride + i];
    }
  }
  /* The lines that will be written are asked for before the multiplications, not after. */
  for (int64_t r = 0; r < rows && !is_edge && p->rows * p->columns * (int64_t)sizeof(float) > CACHED_BYTES; r++) {
    __builtin_prefetch(y + r * p->y_stride, 1, 3);
    if (two_columns) __builtin_prefetch(y + r * p->y_stride + TILE, 1, 3);
  }
  (two_rows ? two_columns ? multiply_2_2 : multiply_2_1 : two_columns ? multiply_1_2 : multiply_1_1)(
      a, a + a_stride, b, b + b_stride, blocks, c, c_stride, fresh, next, ahead);
  if (is_edge)
    for (int64_t r = 0; r < rows; r++)
      for (int64_t i = 0; i < smaller(width, wanted_columns(p, row + r) - column); i++)
        y[r * p->y_stride + i] = edge[r * width + i];
}

TARGET int evodb_multiply_amx(const evodb_product *p) {
  int64_t slab_count = (p->rows + AMX_SLAB_ROWS - 1) / AMX_SLAB_ROWS;
  int64_t all_blocks = (p->depth + EVODB_BLOCK_DEPTH - 1) / EVODB_BLOCK_DEPTH;
  int64_t slice_count = (all_blocks + SLICE_BLOCKS - 1) / SLICE_BLOCKS;
  int64_t slab_tiles = (p->rows + TILE - 1) / TILE;
  slab_tiles = (slab_tiles + slab_count - 1) / slab_count + 1;
  int64_t slice_blocks = (all_blocks + slice_count - 1) / slice_count;
  int64_t packed_blocks = (p->packed_depth + EVODB_BLOCK_DEPTH - 1) / EVODB_BLOCK_DEPTH;
  int is_gathered = p->x_depth_stride != 1;
  int64_t tile_bytes = slab_tiles * slice_blocks * TILE_BYTES;
  int64_t gathered_bytes = is_gathered ? TILE * slice_blocks * EVODB_BLOCK_DEPTH * (int64_t)sizeof(float) : 0;
  char *workspace = aligned_alloc(64, (size_t)(tile_bytes + gathered_bytes));
  if (!workspace) return EVODB_NO_MEMORY;
  uint16_t *tiles = (uint16_t *)(void *)workspace;
  float *gathered = (float *)(void *)(workspace + tile_bytes);

  struct tile_configuration configuration = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    configuration.row_bytes[i] = 64;
    configuration.rows[i] = TILE;
  }
  _tile_loadconfig(&configuration);
  int64_t row_tiles = (p->rows + TILE - 1) / TILE;
  for (int64_t slab = 0; slab < slab_count; slab++) {
    int64_t first_tile = slab * row_tiles / slab_count, end_tile = (slab + 1) * row_tiles / slab_count;
    int64_t first_row = first_tile * TILE, end_row = smaller(p->rows, end_tile * TILE);
    for (int64_t slice = 0; slice < slice_count; slice++) {
      int64_t first_block = slice * all_blocks / slice_count;
      int64_t blocks = (slice + 1) * all_blocks / slice_count - first_block;
      int64_t first_depth = first_block * EVODB_BLOCK_DEPTH;
      int64_t depth = smaller(p->depth - first_depth, blocks * EVODB_BLOCK_DEPTH);
      int64_t a_stride = blocks * 512;
      for (int64_t row = first_row; row < end_row; row += TILE) {
        int64_t rows = smaller(TILE, end_row - row);
        const float *x = p->x + row * p->x_row_stride + first_depth * p->x_depth_stride;
        int64_t x_stride = p->x_row_stride;
        if (is_gathered) {
          x_stride = slice_blocks * EVODB_BLOCK_DEPTH;
          evodb_kernels_avx512.copy(gathered, x_stride, x, p->x_row_stride, p->x_depth_stride, rows, depth);
          x = gathered;
        }
        lay_out_rows(tiles + (row - first_row) / TILE * a_stride, x, x_stride, rows, depth, p->negate);
      }
      int fresh = slice == 0 && !p->accumulate;
      int64_t pair_count = (end_row - first_row + 2 * TILE - 1) / (2 * TILE);
      int64_t panel_bytes = packed_blocks * TILE_BYTES, slice_bytes = blocks * TILE_BYTES;
      int fetches_ahead = p->columns / TILE * slice_bytes > CACHED_BYTES;
      const char *packed = (const char *)p->packed + p->first_column / TILE * panel_bytes +
                           (p->first_depth / EVODB_BLOCK_DEPTH + first_block) * TILE_BYTES;
      for (int64_t chunk = 0; chunk < wanted_columns(p, end_row - 1); chunk += CHUNK_COLUMNS) {
        int64_t chunk_end = smaller(p->columns, chunk + CHUNK_COLUMNS);
        /* Every pair of row tiles and panels fetches its part of the next chunk. */
        int64_t lines = !fetches_ahead ? 0 : (smaller(p->columns - chunk_end, CHUNK_COLUMNS) + TILE - 1) / TILE * slice_bytes / CACHE_LINE;
        int64_t portions = pair_count * ((chunk_end - chunk + 2 * TILE - 1) / (2 * TILE)) * blocks;
        int64_t ahead = (lines + portions - 1) / portions, fetched = 0;
        const char *next = packed + chunk_end / TILE * panel_bytes;
        for (int64_t row = first_row; row < end_row; row += 2 * TILE) {
          int64_t rows = smaller(2 * TILE, end_row - row);
          for (int64_t column = chunk; column < smaller(chunk_end, wanted_columns(p, row + rows - 1)); column += 2 * TILE) {
            const uint32_t *b = (const uint32_t *)(const void *)(packed + column / TILE * panel_bytes);
            multiply_pair(p, row, rows, column, tiles + (row - first_row) / TILE * a_stride, a_stride, b, panel_bytes / 4,
                          blocks, fresh, next + fetched / slice_bytes * panel_bytes + fetched % slice_bytes,
                          fetched < lines * CACHE_LINE ? ahead : 0);
            fetched += ahead * blocks * CACHE_LINE;
          }
        }
      }
    }
  }
  _tile_release();
  free(workspace);
  return EVODB_DONE;
}
#endif
