#include "CKernels.h"
#include "amx_tiles.h"
#include "exp_avx512.h"

/* The MLP of a Llama on AMX tiles. */
#if defined(__x86_64__)

/* Panels of packed weights by chunks: while one is multiplied, the next one is fetched in portions. */
struct chunks {
  const char *packed;
  int64_t panel_bytes, panels, chunk_panels;
  const char *next;
  int64_t lines_left, ahead;
};

/* `steps`: tile steps that a whole chunk takes, among which the lines are shared out. */
TARGET static void begin_chunk(struct chunks *c, int64_t first_panel, int64_t steps) {
  int64_t next_panel = first_panel + c->chunk_panels;
  int64_t count = larger(0, smaller(c->chunk_panels, c->panels - next_panel));
  c->next = c->packed + next_panel * c->panel_bytes;
  c->lines_left = count * c->panel_bytes / CACHE_LINE;
  c->ahead = (c->lines_left + steps - 1) / larger(steps, 1);
}

/* The product of row tiles `a` and one or two panels from `panel` on, which fetches its portion. */
TARGET static struct factors next_factors(struct chunks *c, const uint16_t *a, int64_t panel) {
  const int64_t blocks = c->panel_bytes / TILE_BYTES;
  struct factors f = {.a = a,
                      .a_stride = blocks * 512,
                      .b = (const uint32_t *)(const void *)(c->packed + panel * c->panel_bytes),
                      .b_stride = blocks * 256,
                      .blocks = blocks,
                      .next = c->next,
                      .ahead = c->lines_left > 0 ? c->ahead : 0};
  c->next += f.ahead * blocks * CACHE_LINE;
  c->lines_left -= f.ahead * blocks;
  return f;
}

/* Gates and ups [32][32] whose activations become tiles while the next ones are multiplied. */
struct activation {
  const float *gates, *ups;
  uint16_t *target;
  int64_t tile_stride;
  int64_t row, rows;
};

/* Four rows; `meanwhile`, if there is one, is called with 0 to 7. */
INLINED void activate_rows(struct activation *t, void (*meanwhile)(void *, int), void *context) {
  enum { VECTORS = 8 };
  const int64_t r = t->row;
  t->row = r + VECTORS / 2;
  const float *gates = t->gates + r * PAIR, *ups = t->ups + r * PAIR;
  uint16_t *target = t->target + r / TILE * t->tile_stride + r % TILE * EVODB_BLOCK_DEPTH;
  lanes e[VECTORS];
  EACH(VECTORS) e[g] = -(lanes)_mm512_load_ps(gates + g * TILE);
  exp_lanes_beside(VECTORS, e, meanwhile, context);
  EACH(VECTORS) e[g] = (lanes)_mm512_load_ps(gates + g * TILE) / (e[g] + 1.0f);
  if (meanwhile) meanwhile(context, 6);
  EACH(VECTORS) e[g] *= (lanes)_mm512_load_ps(ups + g * TILE);
  EACH(VECTORS / 2)
    _mm512_store_si512(target + g * EVODB_BLOCK_DEPTH, (__m512i)_mm512_cvtne2ps_pbh((__m512)e[2 * g + 1], (__m512)e[2 * g]));
  if (meanwhile) meanwhile(context, 7);
}

TARGET static void finish_activation(struct activation *t) {
  while (t->row < t->rows) activate_rows(t, 0, 0);
}

/* One of the four multiplications of a block: of the first block with 0 to 3, of the second with 4 to 7. */
INLINED void multiply_quarter(void *context, int quarter) {
  struct factors *f = context;
  switch (quarter % 4) {
    case 0:
      _tile_loadd(4, f->a, 64);
      _tile_stream_loadd(6, f->b, 64);
      _tile_dpbf16ps(0, 4, 6);
      break;
    case 1:
      _tile_loadd(5, f->a + f->a_stride, 64);
      _tile_dpbf16ps(2, 5, 6);
      break;
    case 2:
      _tile_stream_loadd(7, f->b + f->b_stride, 64);
      _tile_dpbf16ps(1, 4, 7);
      break;
    default:
      _tile_dpbf16ps(3, 5, 7);
      f->a += 512;
      f->b += 256;
      for (int64_t line = 0; line < f->ahead; line++, f->next += CACHE_LINE) _mm_prefetch(f->next, _MM_HINT_T1);
  }
}

/* c [32][32] <- the products; four rows of t are activated within two blocks. */
INLINED void multiply_activating(struct factors f, float *c, struct activation *t) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  int64_t block = 0;
  for (; block + 2 <= f.blocks && t->row < t->rows; block += 2) activate_rows(t, multiply_quarter, &f);
  for (; block < f.blocks; block++)
    for (int quarter = 0; quarter < 4; quarter++) multiply_quarter(&f, quarter);
  _tile_stored(0, c, PAIR * sizeof(float));
  _tile_stored(1, c + TILE, PAIR * sizeof(float));
  _tile_stored(2, c + TILE * PAIR, PAIR * sizeof(float));
  _tile_stored(3, c + TILE * PAIR + TILE, PAIR * sizeof(float));
}

/* Sums [32][32] that are added to whole pairs of y while the next ones are multiplied. Two rows a step. */
struct addition {
  const float *sums;
  float *y;
  int64_t y_stride;
  int64_t row, rows;
};

INLINED void add_two_rows(void *context) {
  struct addition *t = context;
  const int64_t r = t->row;
  if (r >= t->rows) return;
  t->row = r + 2;
  EACH(GROUP) {
    float *y = t->y + (r + g / 2) * t->y_stride + g % 2 * TILE;
    _mm512_storeu_ps(y, _mm512_add_ps(_mm512_loadu_ps(y), _mm512_load_ps(t->sums + r * PAIR + g * TILE)));
  }
}

TARGET static void finish_addition(struct addition *t) {
  while (t->row < t->rows) add_two_rows(t);
}

/* A slab of rows: inputs and inner activations as tiles. */
struct slab {
  const evodb_gated_mlp *mlp;
  uint16_t *x, *inner;
  int64_t first_row, rows, pairs;
  int64_t width_blocks, inner_blocks, width_panels, inner_panels;
};

enum { CHUNK_PANELS = 4 };

/* inner <- activation(gate(x)) * up(x). Gate and up of 32 x 32 meet in the first cache. */
TARGET static void multiply_inner(const struct slab *s) {
  const evodb_gated_mlp *m = s->mlp;
  float sums[2][2][PAIR * PAIR] __attribute__((aligned(64)));
  struct chunks gate = {m->gate, s->width_blocks * TILE_BYTES, s->inner_panels, CHUNK_PANELS, 0, 0, 0};
  struct chunks up = {m->up, s->width_blocks * TILE_BYTES, s->inner_panels, CHUNK_PANELS, 0, 0, 0};
  struct activation pending = {0};
  int place = 0;
  for (int64_t chunk = 0; chunk < s->inner_panels; chunk += CHUNK_PANELS) {
    const int64_t end = smaller(s->inner_panels, chunk + CHUNK_PANELS);
    begin_chunk(&gate, chunk, s->pairs * ((end - chunk + 1) / 2) * s->width_blocks);
    begin_chunk(&up, chunk, s->pairs * ((end - chunk + 1) / 2) * s->width_blocks);
    for (int64_t row = 0; row < s->rows; row += PAIR) {
      const int64_t rows = up_to_multiple(smaller(PAIR, s->rows - row), TILE);
      const uint16_t *a = s->x + row / TILE * s->width_blocks * 512;
      for (int64_t panel = chunk; panel < end; panel += 2, place ^= 1) {
        const int two_panels = panel + 1 < s->inner_panels;
        float *gates = sums[place][0], *ups = sums[place][1];
        const struct factors g = next_factors(&gate, a, panel), u = next_factors(&up, a, panel);
        if (rows == PAIR && two_panels) {
          multiply_activating(g, gates, &pending);
          multiply_activating(u, ups, &pending);
        } else {
          multiply_tiles(rows == PAIR, two_panels, &g, gates, PAIR, 1);
          multiply_tiles(rows == PAIR, two_panels, &u, ups, PAIR, 1);
        }
        finish_activation(&pending);
        /* A panel that does not exist counts as zeros. */
        for (int64_t r = 0; r < rows && !two_panels; r++) {
          memset(gates + r * PAIR + TILE, 0, TILE * sizeof(float));
          memset(ups + r * PAIR + TILE, 0, TILE * sizeof(float));
        }
        uint16_t *target = s->inner + (row / TILE * s->inner_blocks + panel / 2) * 512;
        if (m->activation == EVODB_GELU) {
          evodb_gelu_multiply(gates, ups, rows * PAIR);
          for (int64_t r = 0; r < rows; r += TILE)
            lay_out_rows(target + r / TILE * s->inner_blocks * 512, gates + r * PAIR, PAIR, TILE, PAIR, 0);
        } else {
          pending = (struct activation){gates, ups, target, s->inner_blocks * 512, 0, rows};
        }
      }
    }
  }
  finish_activation(&pending);
}

/* y <- y + down(inner). */
TARGET static void add_outer(const struct slab *s) {
  const evodb_gated_mlp *m = s->mlp;
  float sums[2][PAIR * PAIR] __attribute__((aligned(64)));
  struct chunks down = {m->down, s->inner_blocks * TILE_BYTES, s->width_panels, CHUNK_PANELS, 0, 0, 0};
  struct addition pending = {0};
  int place = 0;
  for (int64_t chunk = 0; chunk < s->width_panels; chunk += CHUNK_PANELS) {
    const int64_t end = smaller(s->width_panels, chunk + CHUNK_PANELS);
    begin_chunk(&down, chunk, s->pairs * ((end - chunk + 1) / 2) * s->inner_blocks);
    for (int64_t row = 0; row < s->rows; row += PAIR) {
      const int64_t rows = smaller(PAIR, s->rows - row);
      for (int64_t panel = chunk; panel < end; panel += 2, place ^= 1) {
        const struct factors f = next_factors(&down, s->inner + row / TILE * s->inner_blocks * 512, panel);
        const int64_t columns = smaller(PAIR, m->width - panel * TILE);
        float *y = m->y + (s->first_row + row) * m->y_stride + panel * TILE, *outer = sums[place];
        const int is_whole = rows == PAIR && columns == PAIR;
        if (is_whole)
          multiply_beside(1, 1, &f, outer, PAIR, 1, add_two_rows, &pending);
        else
          multiply_tiles(rows > TILE, columns > TILE, &f, outer, PAIR, 1);
        finish_addition(&pending);
        if (is_whole) pending = (struct addition){outer, y, m->y_stride, 0, rows};
        for (int64_t r = 0; r < rows && !is_whole; r++)
          for (int64_t c = 0; c < columns; c++) y[r * m->y_stride + c] += outer[r * PAIR + c];
      }
    }
  }
  finish_addition(&pending);
}

TARGET int evodb_add_gated_mlp_amx(const evodb_gated_mlp *m) {
  enum { SLAB_TILES = 16 };
  struct slab s = {.mlp = m,
                   .width_blocks = up_to_multiple(m->width, EVODB_BLOCK_DEPTH) / EVODB_BLOCK_DEPTH,
                   .inner_blocks = up_to_multiple(m->inner, EVODB_BLOCK_DEPTH) / EVODB_BLOCK_DEPTH,
                   .width_panels = up_to_multiple(m->width, TILE) / TILE,
                   .inner_panels = up_to_multiple(m->inner, TILE) / TILE};
  const int64_t row_tiles = up_to_multiple(m->rows, TILE) / TILE;
  const int64_t slab_count = (row_tiles + SLAB_TILES - 1) / SLAB_TILES;
  const int64_t slab_tiles = up_to_multiple((row_tiles + slab_count - 1) / slab_count, 2);
  const int64_t x_bytes = slab_tiles * s.width_blocks * TILE_BYTES, inner_bytes = slab_tiles * s.inner_blocks * TILE_BYTES;
  char *workspace = aligned_alloc(64, (size_t)(x_bytes + inner_bytes));
  if (!workspace) return EVODB_NO_MEMORY;
  s.x = (uint16_t *)(void *)workspace;
  s.inner = (uint16_t *)(void *)(workspace + x_bytes);
  configure_tiles();
  for (; s.first_row < m->rows; s.first_row += slab_tiles * TILE) {
    s.rows = smaller(slab_tiles * TILE, m->rows - s.first_row);
    s.pairs = (s.rows + PAIR - 1) / PAIR;
    for (int64_t row = 0; row < s.rows; row += TILE)
      lay_out_rows(s.x + row / TILE * s.width_blocks * 512, m->x + (s.first_row + row) * m->x_stride, m->x_stride,
                   smaller(TILE, s.rows - row), m->width, 0);
    multiply_inner(&s);
    add_outer(&s);
  }
  _tile_release();
  free(workspace);
  return EVODB_DONE;
}
#endif
