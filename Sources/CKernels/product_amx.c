#include "amx_tiles.h"

/* bfloat16 products on AMX tiles. */
#if defined(__x86_64__)

enum {
  /* Blocks of 32 along the depth, and rows, that are laid out at once: 1 MB of activations, half of the second cache. */
  SLICE_BLOCKS = 32,
  AMX_SLAB_ROWS = 512,
  /* Columns of the result that follow each other before the next rows: 512 bytes of a row. */
  CHUNK_COLUMNS = 128,
  /* A result that is larger is written past the caches, which spares reading what is overwritten. */
  FAR_BYTES = 8 << 20
};

static int64_t wanted_columns(const evodb_product *p, int64_t row) {
  return p->lower ? larger(0, smaller(p->columns, row + p->lower_offset + 1)) : p->columns;
}

/* Sums [32][32] that are written past the caches while the next ones are multiplied. Two rows a step. */
struct far_sums {
  float sums[2][PAIR * PAIR] __attribute__((aligned(64)));
  int place;
  float *y;
  int64_t y_stride, row, rows;
};

INLINED void write_two_rows(void *context) {
  struct far_sums *w = context;
  const int64_t r = w->row;
  if (r >= w->rows) return;
  w->row = r + 2;
  for (int i = 0; i < 4; i++)
    _mm512_stream_ps(w->y + (r + i / 2) * w->y_stride + i % 2 * TILE,
                     _mm512_load_ps(w->sums[w->place] + r * PAIR + i * TILE));
}

TARGET static void multiply_far(const struct factors *f, float *y, int64_t y_stride, struct far_sums *w) {
  multiply_beside(1, 1, f, w->sums[w->place ^ 1], PAIR, 1, write_two_rows, w);
  while (w->row < w->rows) write_two_rows(w);
  w->place ^= 1;
  w->y = y;
  w->y_stride = y_stride;
  w->row = 0;
  w->rows = PAIR;
}

/* One pair of row tiles by one pair of panels. */
TARGET static void multiply_pair(const evodb_product *p, int64_t row, int64_t rows, int64_t column, const struct factors *f,
                                 int fresh, struct far_sums *far) {
  const int two_rows = rows > TILE, two_columns = p->columns - column > TILE;
  const int64_t height = two_rows ? PAIR : TILE, width = two_columns ? PAIR : TILE;
  float edge[PAIR * PAIR] __attribute__((aligned(64)));
  float *y = p->y + row * p->y_stride + column;
  if (rows == height && wanted_columns(p, row) >= column + width) {
    if (far && two_rows && two_columns) {
      multiply_far(f, y, p->y_stride, far);
      return;
    }
    /* The lines that will be written are asked for before the multiplications, not after. */
    for (int64_t r = 0; r < rows; r++) {
      __builtin_prefetch(y + r * p->y_stride, 1, 3);
      if (two_columns) __builtin_prefetch(y + r * p->y_stride + TILE, 1, 3);
    }
    multiply_tiles(two_rows, two_columns, f, y, p->y_stride, fresh);
    return;
  }
  if (!fresh) {
    memset(edge, 0, sizeof(edge));
    for (int64_t r = 0; r < rows; r++)
      for (int64_t i = 0; i < smaller(width, wanted_columns(p, row + r) - column); i++)
        edge[r * width + i] = y[r * p->y_stride + i];
  }
  multiply_tiles(two_rows, two_columns, f, edge, width, fresh);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < smaller(width, wanted_columns(p, row + r) - column); i++)
      y[r * p->y_stride + i] = edge[r * width + i];
}

/* A slab of rows by a slice of the depth, laid out as tiles. */
struct slab {
  const uint16_t *tiles;
  int64_t a_stride, first_row, end_row, first_block, blocks;
  int fresh;
};

TARGET static void multiply_slab(const evodb_product *p, const struct slab *slab) {
  const int64_t first_row = slab->first_row, end_row = slab->end_row, blocks = slab->blocks, a_stride = slab->a_stride;
  const uint16_t *tiles = slab->tiles;
  int64_t packed_blocks = (p->packed_depth + EVODB_BLOCK_DEPTH - 1) / EVODB_BLOCK_DEPTH;
  int64_t pair_count = (end_row - first_row + PAIR - 1) / PAIR;
  int64_t panel_bytes = packed_blocks * TILE_BYTES, slice_bytes = blocks * TILE_BYTES;
  const char *packed = (const char *)p->packed + p->first_column / TILE * panel_bytes +
                       (p->first_depth / EVODB_BLOCK_DEPTH + slab->first_block) * TILE_BYTES;
  /* Only sums that are done, and rows that begin at multiples of 64 bytes. */
  const int is_far = slab->fresh && !p->accumulate && blocks * EVODB_BLOCK_DEPTH >= p->depth &&
                     p->rows * p->columns * (int64_t)sizeof(float) > FAR_BYTES && p->y_stride % TILE == 0 &&
                     (uintptr_t)p->y % CACHE_LINE == 0;
  struct far_sums far = {.rows = 0};
  for (int64_t chunk = 0; chunk < wanted_columns(p, end_row - 1); chunk += CHUNK_COLUMNS) {
    int64_t chunk_end = smaller(p->columns, chunk + CHUNK_COLUMNS);
    /* Every pair of row tiles and panels fetches its part of the next chunk. */
    int64_t lines = (smaller(p->columns - chunk_end, CHUNK_COLUMNS) + TILE - 1) / TILE * slice_bytes / CACHE_LINE;
    int64_t portions = pair_count * ((chunk_end - chunk + PAIR - 1) / PAIR) * blocks;
    int64_t ahead = (lines + portions - 1) / portions, fetched = 0;
    const char *next = packed + chunk_end / TILE * panel_bytes;
    for (int64_t row = first_row; row < end_row; row += PAIR) {
      int64_t rows = smaller(PAIR, end_row - row);
      for (int64_t column = chunk; column < smaller(chunk_end, wanted_columns(p, row + rows - 1)); column += PAIR) {
        const struct factors f = {.a = tiles + (row - first_row) / TILE * a_stride,
                                  .a_stride = a_stride,
                                  .b = (const uint32_t *)(const void *)(packed + column / TILE * panel_bytes),
                                  .b_stride = panel_bytes / 4,
                                  .blocks = blocks,
                                  .next = next + fetched / slice_bytes * panel_bytes + fetched % slice_bytes,
                                  .ahead = fetched < lines * CACHE_LINE ? ahead : 0};
        multiply_pair(p, row, rows, column, &f, slab->fresh && !p->accumulate, is_far ? &far : 0);
        fetched += ahead * blocks * CACHE_LINE;
      }
    }
  }
  while (far.row < far.rows) write_two_rows(&far);
  if (is_far) _mm_sfence();
}

TARGET int evodb_multiply_amx(const evodb_product *products, int64_t count) {
  const evodb_product *p = products; /* They share x. */
  int64_t slab_count = (p->rows + AMX_SLAB_ROWS - 1) / AMX_SLAB_ROWS;
  int64_t all_blocks = (p->depth + EVODB_BLOCK_DEPTH - 1) / EVODB_BLOCK_DEPTH;
  int64_t slice_count = (all_blocks + SLICE_BLOCKS - 1) / SLICE_BLOCKS;
  int64_t slab_tiles = (p->rows + TILE - 1) / TILE;
  slab_tiles = (slab_tiles + slab_count - 1) / slab_count + 1;
  int64_t slice_blocks = (all_blocks + slice_count - 1) / slice_count;
  int is_gathered = p->x_depth_stride != 1;
  int64_t tile_bytes = slab_tiles * slice_blocks * TILE_BYTES;
  int64_t gathered_bytes = is_gathered ? TILE * slice_blocks * EVODB_BLOCK_DEPTH * (int64_t)sizeof(float) : 0;
  char *workspace = aligned_alloc(64, (size_t)(tile_bytes + gathered_bytes));
  if (!workspace) return EVODB_NO_MEMORY;
  uint16_t *tiles = (uint16_t *)(void *)workspace;
  float *gathered = (float *)(void *)(workspace + tile_bytes);

  configure_tiles();
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
      const struct slab part = {.tiles = tiles,
                                .a_stride = a_stride,
                                .first_row = first_row,
                                .end_row = end_row,
                                .first_block = first_block,
                                .blocks = blocks,
                                .fresh = slice == 0};
      for (int64_t i = 0; i < count; i++)
        if (products[i].columns > 0) multiply_slab(&products[i], &part);
    }
  }
  _tile_release();
  free(workspace);
  return EVODB_DONE;
}
#endif
