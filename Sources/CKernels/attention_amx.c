#include "CKernels.h"
#include "amx_tiles.h"
#include "softmax.h"

/* Attention of a head on AMX tiles. */
#if defined(__x86_64__)

/* Numerators of softmax [rows, columns], times a factor each, as one or two rows of tiles [blocks][16][32]; rows, columns and
   blocks beyond are zero. */
TARGET static void lay_out_probabilities(uint16_t *tiles, int64_t tile_stride, const float *x, int64_t stride,
                                         const float *factors, int64_t rows, int64_t columns, int64_t blocks) {
  int64_t whole = columns / EVODB_BLOCK_DEPTH, rest = columns % EVODB_BLOCK_DEPTH;
  __mmask16 low_mask = (__mmask16)(rest >= TILE ? 0xffff : (1u << rest) - 1);
  __mmask16 high_mask = (__mmask16)(rest > TILE ? (1u << (rest - TILE)) - 1 : 0);
  for (int64_t r = 0; r < up_to_multiple(rows, TILE); r++, x += stride) {
    uint16_t *target = tiles + r / TILE * tile_stride + r % TILE * EVODB_BLOCK_DEPTH;
    for (int64_t i = r < rows ? whole + (rest > 0) : 0; i < blocks; i++)
      _mm512_store_si512(target + i * 512, _mm512_setzero_si512());
    if (r >= rows) continue;
    const __m512 factor = _mm512_set1_ps(factors[r]);
    for (int64_t i = 0; i < whole; i++) {
      __m512 low = _mm512_mul_ps(_mm512_loadu_ps(x + i * EVODB_BLOCK_DEPTH), factor);
      __m512 high = _mm512_mul_ps(_mm512_loadu_ps(x + i * EVODB_BLOCK_DEPTH + TILE), factor);
      _mm512_store_si512(target + i * 512, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
    if (rest) {
      __m512 low = _mm512_maskz_mul_ps(low_mask, _mm512_maskz_loadu_ps(low_mask, x + whole * EVODB_BLOCK_DEPTH), factor);
      __m512 high =
          _mm512_maskz_mul_ps(high_mask, _mm512_maskz_loadu_ps(high_mask, x + whole * EVODB_BLOCK_DEPTH + TILE), factor);
      _mm512_store_si512(target + whole * 512, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
  }
}

/* A strip of two row tiles. Its sums begin and end where those of the strips of other sets do. */
struct strip {
  int64_t start, rows, first, begin, columns, blocks;
};

static struct strip strip_from(const evodb_attention *a, int64_t start) {
  const int64_t outer = start / EVODB_ATTENTION_STRIP * EVODB_ATTENTION_STRIP;
  const int64_t outer_end = smaller(a->rows, outer + EVODB_ATTENTION_STRIP);
  struct strip s = {.start = start, .rows = smaller(PAIR, a->rows - start), .first = a->first + start};
  s.begin = evodb_first_key(a, a->first + outer);
  s.columns = s.first + s.rows - s.begin;
  s.blocks = up_to_multiple(a->first + outer_end - s.begin, EVODB_BLOCK_DEPTH) / EVODB_BLOCK_DEPTH;
  return s;
}

/* What the strips of a head share. */
struct head {
  const evodb_attention *attention;
  int64_t size_blocks, length_blocks, score_stride;
  float *scores;
  uint16_t *queries, *probabilities;
};

TARGET static void score(const struct head *h, const struct strip *s) {
  const evodb_attention *a = h->attention;
  const uint32_t *keys = a->keys;
  for (int64_t r = 0; r < s->rows; r += TILE)
    lay_out_rows(h->queries + r / TILE * h->size_blocks * 512, a->queries + (s->start + r) * a->query_stride,
                 a->query_stride, smaller(TILE, s->rows - r), a->size, 0);
  for (int64_t c = 0; c < s->columns; c += PAIR)
    multiply_tiles(s->rows > TILE, s->columns - c > TILE,
                   &(struct factors){.a = h->queries,
                                     .a_stride = h->size_blocks * 512,
                                     .b = keys + (s->begin + c) / TILE * h->size_blocks * 256,
                                     .b_stride = h->size_blocks * 256,
                                     .blocks = h->size_blocks},
                   h->scores + c, h->score_stride, 1);
}

/* Probabilities become tiles as they are normalized. */
TARGET static void normalize(const struct head *h, const struct strip *s) {
  const evodb_attention *a = h->attention;
  float factors[PAIR], scale = a->scale;
  if (a->cap > 0) {
    evodb_soft_cap(h->scores, s->rows, s->columns, h->score_stride, scale, a->cap);
    scale = 1;
  }
  evodb_exponentiate_scores(h->scores, s->rows, s->columns, up_to_multiple(s->columns, TILE), h->score_stride,
                            s->first - s->begin, a->window, scale, factors);
  lay_out_probabilities(h->probabilities, h->length_blocks * 512, h->scores, h->score_stride, factors, s->rows, s->columns,
                        s->blocks);
}

/* Lines that are a row apart, and that a processor would not fetch by itself: the next strip's queries, and this one's result. */
TARGET static void fetch(const evodb_attention *a, const struct strip *s, const struct strip *next) {
  for (int64_t r = 0; r < s->rows; r++)
    for (int64_t i = 0; i < a->size; i += TILE) {
      if (r < next->rows) __builtin_prefetch(a->queries + (next->start + r) * a->query_stride + i, 0, 2);
      __builtin_prefetch(a->y + (s->start + r) * a->y_stride + i, 1, 2);
    }
}

TARGET static void mix(const struct head *h, const struct strip *s) {
  const evodb_attention *a = h->attention;
  const uint32_t *values = a->values;
  for (int64_t c = 0; c < a->size; c += PAIR) {
    const struct factors f = {.a = h->probabilities,
                              .a_stride = h->length_blocks * 512,
                              .b = values + (c / TILE * h->length_blocks + s->begin / EVODB_BLOCK_DEPTH) * 256,
                              .b_stride = h->length_blocks * 256,
                              .blocks = s->blocks};
    const int64_t width = smaller(PAIR, a->size - c);
    float *y = a->y + s->start * a->y_stride + c, mixed[PAIR * PAIR] __attribute__((aligned(64)));
    if (s->rows % TILE == 0 && width % TILE == 0) {
      multiply_tiles(s->rows > TILE, width > TILE, &f, y, a->y_stride, 1);
      continue;
    }
    multiply_tiles(s->rows > TILE, width > TILE, &f, mixed, PAIR, 1);
    for (int64_t r = 0; r < s->rows; r++) memcpy(y + r * a->y_stride, mixed + r * PAIR, (size_t)width * sizeof(float));
  }
}

/* Scores stay in the first caches. The values of a strip are mixed after the scores of the next one: probabilities that were
   just written would have to be waited for. */
TARGET int evodb_attend_amx(const evodb_attention *a) {
  _Static_assert(PAIR <= EVODB_SOFTMAX_ROWS, "a strip is exponentiated at once");
  struct head h = {.attention = a,
                   .size_blocks = up_to_multiple(a->size, EVODB_BLOCK_DEPTH) / EVODB_BLOCK_DEPTH,
                   .length_blocks = up_to_multiple(a->length, EVODB_BLOCK_DEPTH) / EVODB_BLOCK_DEPTH,
                   .score_stride = up_to_multiple(a->length, EVODB_BLOCK_DEPTH) + EVODB_PANEL_COLUMNS};
  const int64_t score_bytes = PAIR * h.score_stride * (int64_t)sizeof(float);
  const int64_t query_bytes = 2 * h.size_blocks * TILE_BYTES, probability_bytes = 2 * h.length_blocks * TILE_BYTES;
  char *workspace = aligned_alloc(64, (size_t)(score_bytes + query_bytes + probability_bytes));
  if (!workspace) return EVODB_NO_MEMORY;
  h.scores = (float *)(void *)workspace;
  h.queries = (uint16_t *)(void *)(workspace + score_bytes);
  h.probabilities = (uint16_t *)(void *)(workspace + score_bytes + query_bytes);
  configure_tiles();
  struct strip s = strip_from(a, 0);
  score(&h, &s);
  while (s.rows > 0) {
    const struct strip next = strip_from(a, s.start + s.rows);
    fetch(a, &s, &next);
    normalize(&h, &s);
    if (next.rows > 0) score(&h, &next);
    mix(&h, &s);
    s = next;
  }
  _tile_release();
  free(workspace);
  return EVODB_DONE;
}
#endif
