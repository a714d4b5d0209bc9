#include "product_sets.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

/* The loops around the register tiles. */

/* Sets that this processor lacks pack in plain C: the layout is the same. */
static const struct product_kernels *kernels_of(int set) {
  if (!evodb_kernel_set_is_available(set)) return &evodb_kernels_portable;
  switch (set) {
#if defined(__x86_64__)
    case EVODB_AVX2: return &evodb_kernels_avx2;
    case EVODB_AVX512:
    case EVODB_AMX: return &evodb_kernels_avx512;
#elif defined(__aarch64__)
    case EVODB_NEON: return &evodb_kernels_neon;
#endif
    default: return &evodb_kernels_portable;
  }
}

int64_t evodb_packed_bytes(int arithmetic, int64_t columns, int64_t depth) {
  int64_t panels = (columns + EVODB_PANEL_COLUMNS - 1) / EVODB_PANEL_COLUMNS;
  return arithmetic == EVODB_BFLOAT16
             ? panels * up_to_multiple(depth, EVODB_BLOCK_DEPTH) * EVODB_PANEL_COLUMNS * (int64_t)sizeof(uint16_t)
             : panels * depth * EVODB_PANEL_COLUMNS * (int64_t)sizeof(float);
}

void *evodb_packed_allocate(int64_t bytes) {
  const int64_t large_page = 2 << 20;
  if (bytes < large_page) return aligned_alloc(64, (size_t)up_to_multiple(larger(bytes, 64), 64));
  bytes = up_to_multiple(bytes, large_page);
  void *packed = aligned_alloc((size_t)large_page, (size_t)bytes);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  /* A wish; without it everything works. */
  if (packed) (void)madvise(packed, (size_t)bytes, MADV_HUGEPAGE);
#endif
  return packed;
}

void evodb_packed_free(void *packed) { free(packed); }

void evodb_pack(int set, int arithmetic, void *packed, const float *w, int64_t columns, int64_t depth, int64_t column_stride,
                int64_t depth_stride, int64_t first_panel, int64_t panels) {
  const struct product_kernels *kernels = kernels_of(set);
  int64_t panel_bytes = evodb_packed_bytes(arithmetic, EVODB_PANEL_COLUMNS, depth);
  for (int64_t panel = first_panel; panel < first_panel + panels; panel++) {
    int64_t column = panel * EVODB_PANEL_COLUMNS;
    int64_t count = smaller(EVODB_PANEL_COLUMNS, columns - column);
    if (count <= 0) return;
    char *target = (char *)packed + panel * panel_bytes;
    const float *source = w + column * column_stride;
    if (arithmetic == EVODB_BFLOAT16)
      kernels->pack_bfloat16((uint32_t *)(void *)target, source, count, depth, column_stride, depth_stride);
    else
      kernels->pack_float32((float *)(void *)target, source, count, depth, column_stride, depth_stride);
  }
}

/* How many columns of row r are wanted, at least 0. */
static int64_t wanted_columns(const evodb_product *p, int64_t row) {
  return p->lower ? larger(0, smaller(p->columns, row + p->lower_offset + 1)) : p->columns;
}

static int exponent_of(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof(u));
  return (int)(u >> 23 & 0xff);
}

/* The smallest biased exponent of the nonzero numbers among `count`; 255 if there are none. */
static int lowest_exponent(const float *x, int64_t count) {
  int lowest = 255;
  for (int64_t i = 0; i < count; i++)
    if (x[i] != 0.0f && exponent_of(x[i]) < lowest) lowest = exponent_of(x[i]);
  return lowest;
}

/* bfloat16 with exponents E and F are multiples of 2^(E - 7) and 2^(F - 7). If E + F - 14 >= -126, no product and no sum of
   products can be a denormal, and a set that does not flush needs not. */
static int may_underflow(int biased_e, int biased_f) { return biased_e + biased_f - 254 - 14 < -126; }

/* Where the sums of a call begin: denormals count as zero, as they do in TDPBF16PS. */
static void flush_sums(const evodb_product *p) {
  for (int64_t r = 0; r < p->rows; r++)
    for (int64_t c = 0; c < wanted_columns(p, r); c++) {
      float *y = p->y + r * p->y_stride + c;
      if (fabsf(*y) < 0x1p-126f) *y = copysignf(0.0f, *y);
    }
}

/* One call's plan: a slab of rows and a slice of the depth at a time, whose activations are laid out for the tiles. */
struct plan {
  const evodb_product *product;
  const struct product_kernels *kernels;
  /* 0, or the distance of 16 rows of x, which is itself packed. */
  int64_t x_panel_stride;
  int is_bfloat16, checks_exponents;
  float *activations, *widened;
  int64_t first_row, rows, first_depth, depth;
  int fresh;
  int row_exponents[SLAB_ROWS];
};

static void lay_out_activations(struct plan *plan) {
  const evodb_product *p = plan->product;
  int64_t padded = plan->is_bfloat16 ? up_to_multiple(plan->depth, EVODB_BLOCK_DEPTH) : plan->depth;
  const float *x = p->x + plan->first_depth * p->x_depth_stride;
  if (plan->x_panel_stride == 0)
    plan->kernels->copy(plan->activations, ROW_STRIDE, x + plan->first_row * p->x_row_stride, p->x_row_stride,
                        p->x_depth_stride, plan->rows, plan->depth);
  for (int64_t r = 0, count; plan->x_panel_stride != 0 && r < plan->rows; r += count) {
    int64_t row = plan->first_row + r, place = row % EVODB_PANEL_COLUMNS;
    count = smaller(plan->rows - r, EVODB_PANEL_COLUMNS - place);
    plan->kernels->copy(plan->activations + r * ROW_STRIDE, ROW_STRIDE,
                        x + row / EVODB_PANEL_COLUMNS * plan->x_panel_stride + place, 1, p->x_depth_stride, count,
                        plan->depth);
  }
  for (int64_t r = 0; r < plan->rows && (p->negate || padded > plan->depth); r++) {
    float *row = plan->activations + r * ROW_STRIDE;
    if (p->negate)
      for (int64_t k = 0; k < plan->depth; k++) row[k] = -row[k];
    for (int64_t k = plan->depth; k < padded; k++) row[k] = 0.0f;
  }
  if (!plan->is_bfloat16) return;
  plan->kernels->round_rows(plan->activations, plan->rows, padded / EVODB_BLOCK_DEPTH);
  for (int64_t r = 0; r < plan->rows && plan->checks_exponents; r++)
    plan->row_exponents[r] = lowest_exponent(plan->activations + r * ROW_STRIDE, padded);
}

static void multiply_tile(const struct plan *plan, int64_t row, int64_t rows, int64_t column, const float *b,
                          int64_t b_stride, int panel_exponent, const char *next, int64_t ahead) {
  const evodb_product *p = plan->product;
  const struct product_kernels *kernels = plan->kernels;
  int64_t tile_columns = kernels->tile_panels * EVODB_PANEL_COLUMNS;
  const float *a = plan->activations + row * ROW_STRIDE;
  int64_t depth = plan->is_bfloat16 ? up_to_multiple(plan->depth, EVODB_BLOCK_DEPTH) : plan->depth;
  product_tile *tile = plan->is_bfloat16 ? kernels->bfloat16_tile : kernels->float32_tile;
  if (plan->checks_exponents) {
    int lowest = 255;
    for (int64_t r = row; r < row + rows; r++) lowest = (int)smaller(lowest, plan->row_exponents[r]);
    /* Both have one panel in a tile. */
    if (may_underflow(lowest, panel_exponent)) tile = evodb_kernels_portable.bfloat16_tile;
  }
  int64_t absolute = plan->first_row + row;
  float *y = p->y + absolute * p->y_stride + column;
  int is_whole = wanted_columns(p, absolute) >= column + tile_columns || p->lower == EVODB_LOWER_AND_MORE;
  /* bfloat16 reads and writes its sums after every block: rows so far apart would drive each other out of the cache. */
  int competes = plan->is_bfloat16 && rows > CACHE_WAYS && p->y_stride % CACHE_WAY_FLOATS == 0;
  if (is_whole && !competes) {
    tile((int)rows, depth, a, b, b_stride, y, p->y_stride, plan->fresh, next, ahead);
    return;
  }
  /* Sums in a buffer of their own; columns outside of what may be read and written stay out of y. */
  float sums[16 * MOST_TILE_COLUMNS] __attribute__((aligned(CACHE_LINE)));
  size_t bytes[16];
  if (!is_whole) memset(sums, 0, sizeof(sums));
  for (int64_t r = 0; r < rows; r++) {
    int64_t columns = is_whole ? tile_columns : larger(0, smaller(tile_columns, wanted_columns(p, absolute + r) - column));
    bytes[r] = (size_t)columns * sizeof(float);
    if (!plan->fresh) memcpy(sums + r * tile_columns, y + r * p->y_stride, bytes[r]);
  }
  tile((int)rows, depth, a, b, b_stride, sums, tile_columns, plan->fresh, next, ahead);
  for (int64_t r = 0; r < rows; r++) memcpy(y + r * p->y_stride, sums + r * tile_columns, bytes[r]);
}

/* Asks for the results of a tile that is multiplied soon. */
static void fetch_results(const evodb_product *p, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  const int64_t line = CACHE_LINE / (int64_t)sizeof(float);
  for (int64_t r = row; r < row + rows; r++)
    for (int64_t c = column; c < column + columns; c += line) __builtin_prefetch(p->y + r * p->y_stride + c, 1, 2);
}

static void multiply_slice(struct plan *plan) {
  const evodb_product *p = plan->product;
  const struct product_kernels *kernels = plan->kernels;
  int64_t tile_columns = kernels->tile_panels * EVODB_PANEL_COLUMNS;
  int64_t group_count = (plan->rows + kernels->tile_rows - 1) / kernels->tile_rows;
  int64_t blocks = (plan->depth + EVODB_BLOCK_DEPTH - 1) / EVODB_BLOCK_DEPTH;
  int64_t last_row = plan->first_row + plan->rows - 1;
  /* The slice of a panel in the packed weights, and the distance of panels, in bytes. */
  int64_t unit = plan->is_bfloat16 ? sizeof(uint16_t) : sizeof(float);
  int64_t packed_depth = plan->is_bfloat16 ? up_to_multiple(p->packed_depth, EVODB_BLOCK_DEPTH) : p->packed_depth;
  int64_t slice_bytes = (plan->is_bfloat16 ? blocks * EVODB_BLOCK_DEPTH : plan->depth) * EVODB_PANEL_COLUMNS * unit;
  int64_t panel_bytes = packed_depth * EVODB_PANEL_COLUMNS * unit;
  const char *packed = (const char *)p->packed + p->first_column / EVODB_PANEL_COLUMNS * panel_bytes +
                       (p->first_depth + plan->first_depth) * EVODB_PANEL_COLUMNS * unit;
  /* Every group of rows fetches its part of the next panels. */
  int64_t portions = group_count * ((plan->depth + FETCH_STEPS - 1) / FETCH_STEPS);
  int64_t lines = kernels->tile_panels * slice_bytes / CACHE_LINE, ahead = (lines + portions - 1) / portions;
  int64_t result_bytes = plan->rows * p->columns * (int64_t)sizeof(float);
  for (int64_t column = 0; column < wanted_columns(p, last_row); column += tile_columns) {
    const char *panel = packed + column / EVODB_PANEL_COLUMNS * panel_bytes;
    /* A second panel that does not exist is the first once more; what comes out of it is dropped. */
    int64_t panels = smaller(kernels->tile_panels, (p->columns - column + EVODB_PANEL_COLUMNS - 1) / EVODB_PANEL_COLUMNS);
    const float *b = (const float *)(const void *)panel;
    int64_t b_stride = panels > 1 ? panel_bytes / unit : 0;
    int panel_exponent = 255;
    if (plan->is_bfloat16) {
      for (int64_t i = 0; i < panels; i++)
        kernels->widen_blocks(plan->widened + i * SLICE_DEPTH * EVODB_PANEL_COLUMNS,
                              (const uint32_t *)(const void *)(panel + i * panel_bytes), blocks);
      b = plan->widened;
      b_stride = panels > 1 ? SLICE_DEPTH * EVODB_PANEL_COLUMNS : 0;
      if (plan->checks_exponents) panel_exponent = lowest_exponent(b, blocks * EVODB_BLOCK_DEPTH * EVODB_PANEL_COLUMNS);
    }
    int has_next = column + 2 * tile_columns <= p->columns;
    int64_t fetched = 0;
    /* Groups of nearly equal size keep more registers busy than full groups and a small rest. */
    for (int64_t group = 0; group < group_count; group++) {
      int64_t row = group * plan->rows / group_count;
      int64_t end = (group + 1) * plan->rows / group_count;
      if (wanted_columns(p, plan->first_row + end - 1) <= column) continue;
      const char *next = panel + kernels->tile_panels * panel_bytes + fetched / slice_bytes * panel_bytes + fetched % slice_bytes;
      if (result_bytes > CACHED_RESULT_BYTES) {
        if (group + 1 < group_count)
          fetch_results(p, plan->first_row + end, (group + 2) * plan->rows / group_count - end, column, tile_columns);
        else if (column + tile_columns < p->columns)
          fetch_results(p, plan->first_row, plan->rows / group_count, column + tile_columns, tile_columns);
      }
      multiply_tile(plan, row, end - row, column, b, b_stride, panel_exponent, next, has_next ? ahead : 0);
      fetched += ahead * CACHE_LINE * portions / group_count;
    }
  }
}

/* `count` products that share x. */
static int multiply_on_vectors(const struct product_kernels *kernels, int arithmetic, const evodb_product *products,
                               int64_t count, int64_t x_panel_stride) {
  const evodb_product *p = products;
  int64_t slab_count = (p->rows + SLAB_ROWS - 1) / SLAB_ROWS;
  int64_t slab_rows = (p->rows + slab_count - 1) / slab_count;
  int64_t activation_bytes = up_to_multiple(slab_rows * ROW_STRIDE * (int64_t)sizeof(float), 64);
  int64_t widened_bytes =
      arithmetic == EVODB_BFLOAT16 ? MOST_TILE_COLUMNS * SLICE_DEPTH * (int64_t)sizeof(float) : 0;
  char *workspace = aligned_alloc(64, (size_t)(activation_bytes + widened_bytes));
  if (!workspace) return EVODB_NO_MEMORY;
  struct plan plan = {.product = p,
                      .kernels = kernels,
                      .x_panel_stride = x_panel_stride,
                      .is_bfloat16 = arithmetic == EVODB_BFLOAT16,
                      .activations = (float *)(void *)workspace,
                      .widened = (float *)(void *)(workspace + activation_bytes)};
  plan.checks_exponents = plan.is_bfloat16 && !kernels->flushes && kernels != &evodb_kernels_portable;
  float_control saved = evodb_float_control_begin(plan.is_bfloat16 && kernels->flushes);
  for (int64_t i = 0; i < count; i++)
    if (plan.is_bfloat16 && !kernels->flushes && products[i].accumulate) flush_sums(&products[i]);
  for (int64_t slab = 0; slab < slab_count; slab++) {
    plan.first_row = slab * p->rows / slab_count;
    plan.rows = (slab + 1) * p->rows / slab_count - plan.first_row;
    for (int64_t depth = 0; depth < p->depth; depth += SLICE_DEPTH) {
      plan.first_depth = depth;
      plan.depth = smaller(SLICE_DEPTH, p->depth - depth);
      plan.product = p;
      lay_out_activations(&plan);
      for (int64_t i = 0; i < count; i++) {
        if (products[i].columns <= 0) continue;
        plan.product = &products[i];
        plan.fresh = depth == 0 && !products[i].accumulate;
        multiply_slice(&plan);
      }
    }
  }
  evodb_float_control_end(saved);
  free(workspace);
  return EVODB_DONE;
}

int evodb_multiply_several(int set, int arithmetic, const evodb_product *products, int64_t count) {
  if (!evodb_kernel_set_is_available(set)) return EVODB_UNAVAILABLE;
  if (count <= 0 || products[0].rows <= 0) return EVODB_DONE;
  if (products[0].depth <= 0) {
    for (int64_t i = 0; i < count; i++)
      for (int64_t r = 0; r < products[i].rows && products[i].columns > 0 && !products[i].accumulate; r++)
        memset(products[i].y + r * products[i].y_stride, 0, (size_t)wanted_columns(&products[i], r) * sizeof(float));
    return EVODB_DONE;
  }
#if defined(__x86_64__)
  if (set == EVODB_AMX && arithmetic == EVODB_BFLOAT16) return evodb_multiply_amx(products, count);
#endif
  return multiply_on_vectors(kernels_of(set), arithmetic, products, count, 0);
}

int evodb_multiply(int set, int arithmetic, const evodb_product *p) { return evodb_multiply_several(set, arithmetic, p, 1); }

int evodb_add_square(int set, float *sum, int64_t stride, const float *packed, int64_t columns, int64_t depth,
                     int64_t first_row, int64_t rows) {
  if (!evodb_kernel_set_is_available(set)) return EVODB_UNAVAILABLE;
  if (rows <= 0 || depth <= 0) return EVODB_DONE;
  int64_t panel_stride = depth * EVODB_PANEL_COLUMNS;
  evodb_product product = {.y = sum + first_row * stride,
                           .y_stride = stride,
                           .x = packed + first_row / EVODB_PANEL_COLUMNS * panel_stride,
                           .x_row_stride = 1,
                           .x_depth_stride = EVODB_PANEL_COLUMNS,
                           .packed = packed,
                           .packed_columns = columns,
                           .packed_depth = depth,
                           .rows = rows,
                           .columns = first_row + rows,
                           .depth = depth,
                           .accumulate = 1,
                           .lower = EVODB_LOWER,
                           .lower_offset = first_row};
  return multiply_on_vectors(kernels_of(set), EVODB_FLOAT32, &product, 1, panel_stride);
}

int evodb_add_gated_mlp(int set, int arithmetic, const evodb_gated_mlp *mlp) {
#if defined(__x86_64__)
  if (set == EVODB_AMX && arithmetic == EVODB_BFLOAT16 && evodb_kernel_set_is_available(set)) {
    if (mlp->rows <= 0 || mlp->width <= 0 || mlp->inner <= 0) return EVODB_DONE;
    return evodb_add_gated_mlp_amx(mlp);
  }
#endif
  (void)set, (void)arithmetic, (void)mlp;
  return EVODB_UNAVAILABLE;
}
