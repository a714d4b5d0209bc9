-- The catalog of evodb, schema version 2. This file is embedded into the binary and is the source of every new database.
--
-- Conventions. Shared rows are content-addressed by `digest` (or `recipe_key` + `content_key`): 32-byte SHA-256 values over
-- canonical bytes (docs/catalog-format.md). Children point to parents by local integer ids, which never leave the file.
-- JSON is read with json_each alone: SQLite's JSON functions count as unsafe in a schema that is not trusted.
-- `row_check` is the first 8 bytes of the SHA-256 over the row's other columns. Times are UTC ISO-8601 text; sizes end in
-- `_bytes`, counts in `_count`. Readers use the views at the end of this file: they stay, tables may change by migration.

PRAGMA application_id = 1702260580; -- 0x65766F64, "evod"
PRAGMA user_version = 2;

-- ── The file itself ────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE catalog_property (
  name TEXT NOT NULL PRIMARY KEY, -- schema_digest, created_by_version
  value TEXT NOT NULL, -- its value
  row_check INTEGER NOT NULL -- see the head of this file
) STRICT, WITHOUT ROWID;

-- What may change the bits of an answer. For evodb's own arithmetics the columns of OpenBLAS are empty, and kernels names the
-- arithmetic as well: evodb-float32-1 evodb-kernels-2.
CREATE TABLE numerics (
  id INTEGER PRIMARY KEY, -- local
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32), -- of the columns below
  blas_version TEXT NOT NULL, -- OpenBLAS's version
  blas_core TEXT NOT NULL, -- the kernel set OpenBLAS chose for this processor
  kernels TEXT NOT NULL, -- evodb's own kernels: revision and instruction set
  row_check INTEGER NOT NULL -- see the head of this file
) STRICT;

CREATE TABLE blob (
  id INTEGER PRIMARY KEY, -- local
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32), -- SHA-256 of all bytes
  byte_count INTEGER NOT NULL CHECK (byte_count >= 0), -- of all chunks together
  chunk_count INTEGER NOT NULL CHECK (chunk_count >= 0), -- of at most 16 MiB each
  row_check INTEGER NOT NULL -- see the head of this file
) STRICT;

CREATE TABLE blob_chunk (
  blob_id INTEGER NOT NULL REFERENCES blob (id) ON DELETE CASCADE, -- whose bytes
  chunk_index INTEGER NOT NULL CHECK (chunk_index >= 0), -- position, 0-based
  bytes BLOB NOT NULL, -- the content; its check is blob.digest
  UNIQUE (blob_id, chunk_index)
) STRICT;

-- ── Models ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE model (
  id INTEGER PRIMARY KEY, -- local
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32), -- of the architecture fields and all tensors
  name TEXT NOT NULL UNIQUE, -- what users call it; local
  architecture TEXT NOT NULL, -- llama, …
  architecture_revision INTEGER NOT NULL, -- raised when forward results change beyond rounding
  configuration TEXT NOT NULL, -- the architecture fields as evodb understands them, JSON
  block_count INTEGER NOT NULL CHECK (block_count > 0), -- transformer blocks
  parameter_count INTEGER NOT NULL, -- all weights of all tensors
  compressible_weight_count INTEGER NOT NULL, -- weights in layers: the denominator of every average
  row_check INTEGER NOT NULL -- see the head of this file
) STRICT;

-- The comment of `fingerprint` is that of version 1, which every file holds. Today the text has one line a weight file: its name
-- and its state (device, inode, size, both times of change) when its bytes had been looked at (docs/catalog-format.md).
CREATE TABLE model_source (
  model_id INTEGER NOT NULL PRIMARY KEY REFERENCES model (id), -- which model; this table is local provenance
  folder TEXT NOT NULL, -- the checkpoint folder, absolute
  fingerprint TEXT NOT NULL, -- names, sizes and modification times of the weight files, to notice a change cheaply
  tokenizer_digest BLOB CHECK (length(tokenizer_digest) = 32), -- SHA-256 of tokenizer.json; NULL: none
  imported_at TEXT NOT NULL, -- UTC
  row_check INTEGER NOT NULL -- see the head of this file
) STRICT;

CREATE TABLE tensor (
  model_id INTEGER NOT NULL REFERENCES model (id), -- whose
  name TEXT NOT NULL, -- as in the checkpoint
  dtype TEXT NOT NULL, -- BF16, F16, F32, …
  shape TEXT NOT NULL, -- JSON array
  digest BLOB NOT NULL CHECK (length(digest) = 32), -- SHA-256 of the bytes
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (model_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE site (
  id INTEGER PRIMARY KEY, -- local
  model_id INTEGER NOT NULL REFERENCES model (id), -- whose
  name TEXT NOT NULL, -- model.layers.3.self_attn.in: an input that layers share
  block_index INTEGER NOT NULL, -- 0-based
  width INTEGER NOT NULL CHECK (width > 0), -- length of an input vector
  row_check INTEGER NOT NULL, -- see the head of this file
  UNIQUE (model_id, name)
) STRICT;

CREATE TABLE weight (
  id INTEGER PRIMARY KEY, -- local
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32), -- of dtype, shape and bytes: what a variant is a compression of
  output_count INTEGER NOT NULL CHECK (output_count > 0), -- rows
  input_count INTEGER NOT NULL CHECK (input_count > 0), -- columns
  dense_bits INTEGER NOT NULL CHECK (dense_bits > 0), -- bits per weight as stored in the checkpoint
  row_check INTEGER NOT NULL -- see the head of this file
) STRICT;

CREATE TABLE layer (
  id INTEGER PRIMARY KEY, -- local
  model_id INTEGER NOT NULL REFERENCES model (id), -- whose
  layer_index INTEGER NOT NULL CHECK (layer_index >= 0), -- position in the model, the index into assignment.variant_ids
  name TEXT NOT NULL, -- model.layers.3.self_attn.q_proj
  block_index INTEGER NOT NULL, -- 0-based
  subblock TEXT NOT NULL CHECK (subblock IN ('attention', 'mlp')), -- the half of the block
  role TEXT NOT NULL, -- q_proj, k_proj, …
  site_id INTEGER NOT NULL REFERENCES site (id), -- where its input is measured
  weight_id INTEGER NOT NULL REFERENCES weight (id), -- its dense weight
  row_check INTEGER NOT NULL, -- see the head of this file
  UNIQUE (model_id, name),
  UNIQUE (model_id, layer_index)
) STRICT;

-- ── Texts ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE sequence (
  id INTEGER PRIMARY KEY, -- local
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32), -- of its token ids
  token_count INTEGER NOT NULL CHECK (token_count >= 2), -- tokens fed; one prediction fewer
  token_ids BLOB NOT NULL, -- int32, little-endian
  row_check INTEGER NOT NULL -- see the head of this file
) STRICT;

CREATE TABLE sequence_list (
  id INTEGER PRIMARY KEY, -- local
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32), -- of the sequences' digests in order
  sequence_count INTEGER NOT NULL CHECK (sequence_count > 0), -- how many
  token_count INTEGER NOT NULL, -- input tokens of all
  prediction_count INTEGER NOT NULL, -- predicted tokens of all: token_count - sequence_count
  row_check INTEGER NOT NULL -- see the head of this file
) STRICT;

CREATE TABLE sequence_list_item (
  sequence_list_id INTEGER NOT NULL REFERENCES sequence_list (id), -- the content of a data set or of a minibatch
  position INTEGER NOT NULL CHECK (position >= 0), -- 0-based
  sequence_id INTEGER NOT NULL REFERENCES sequence (id), -- which
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (sequence_list_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX sequence_list_item_by_sequence ON sequence_list_item (sequence_id);

CREATE TABLE data_set (
  id INTEGER PRIMARY KEY, -- local
  name TEXT NOT NULL UNIQUE, -- what users call it
  sequence_list_id INTEGER NOT NULL REFERENCES sequence_list (id), -- its content
  tokenizer_digest BLOB CHECK (length(tokenizer_digest) = 32), -- SHA-256 of tokenizer.json; NULL: ids were given
  text_digest BLOB CHECK (length(text_digest) = 32), -- SHA-256 of the texts' bytes one after another; NULL: ids were given
  options TEXT NOT NULL, -- how the text was cut, or with "source":"self-generated" how it was sampled from a model, JSON
  dropped_token_count INTEGER NOT NULL, -- incomplete tails that were left out
  created_at TEXT NOT NULL, -- UTC
  row_check INTEGER NOT NULL -- see the head of this file
) STRICT;
CREATE INDEX data_set_by_content ON data_set (sequence_list_id);

-- ── Calibration and compression ────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE method (
  id INTEGER PRIMARY KEY, -- local
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32), -- of name, revision and parameters
  name TEXT NOT NULL, -- gptq, rtn, sparsegpt, wanda, magnitude, …
  revision INTEGER NOT NULL, -- raised when results change beyond rounding
  parameters TEXT NOT NULL, -- all parameters with their values, JSON
  canonical TEXT NOT NULL, -- the bytes that digest is of: parameters at their default are left out
  row_check INTEGER NOT NULL -- see the head of this file
) STRICT;

CREATE TABLE statistic (
  id INTEGER PRIMARY KEY, -- local
  recipe_key BLOB NOT NULL CHECK (length(recipe_key) = 32), -- what was asked: kind, revision, model, site, data, upstream
  content_key BLOB NOT NULL CHECK (length(content_key) = 32), -- what came out: SHA-256 of the full accumulated matrix
  kind TEXT NOT NULL, -- hessian
  revision INTEGER NOT NULL, -- of the kind
  site_id INTEGER NOT NULL REFERENCES site (id), -- where
  sequence_list_id INTEGER NOT NULL REFERENCES sequence_list (id), -- calibration data
  upstream_method_id INTEGER REFERENCES method (id), -- how earlier blocks were compressed; NULL: dense
  upstream_level TEXT, -- their level: bits=3, sparsity=0.5, pattern=2:4; NULL: dense
  diagonal_blob_id INTEGER REFERENCES blob (id), -- float32 [width]; NULL: not kept
  matrix_blob_id INTEGER REFERENCES blob (id), -- float32 lower triangle, row by row; NULL: not kept
  numerics_id INTEGER NOT NULL REFERENCES numerics (id), -- what computed it
  row_check INTEGER NOT NULL, -- see the head of this file
  UNIQUE (recipe_key, content_key)
) STRICT;

CREATE TABLE variant (
  id INTEGER PRIMARY KEY, -- local
  recipe_key BLOB NOT NULL CHECK (length(recipe_key) = 32), -- what was asked: weight, method, level, statistic recipe
  content_key BLOB NOT NULL CHECK (length(content_key) = 32), -- what came out: SHA-256 of the packed bytes
  weight_id INTEGER NOT NULL REFERENCES weight (id), -- of which dense weight
  method_id INTEGER NOT NULL REFERENCES method (id), -- by which method
  level TEXT NOT NULL, -- the physical level as text: bits=3, zeros=32768, pattern=2:4; equal for equal settings
  bits REAL, -- bits per weight of the codes; NULL: not a quantization
  sparsity REAL CHECK (sparsity BETWEEN 0 AND 1), -- share of pruned weights; NULL: not a sparsification
  statistic_recipe_key BLOB CHECK (length(statistic_recipe_key) = 32), -- calibration it rests on; NULL: needs none
  statistic_id INTEGER REFERENCES statistic (id), -- the realisation used; NULL: needs none
  nmse REAL, -- relative layer error tr((W-Wc)H(W-Wc)')/tr(WHW'); NULL: the Hessian was not there
  code_bits INTEGER NOT NULL, -- what counts under cost codes: bits x weights, or kept weights x their bits in the checkpoint
  stored_bits INTEGER NOT NULL, -- what counts under cost stored: 8 x packed bytes
  blob_id INTEGER NOT NULL REFERENCES blob (id), -- the packed codes, scales and zero points, or bit mask and kept weights
  damping_used REAL, -- damping fraction that made the Hessian factor; NULL: none
  dead_input_count INTEGER NOT NULL, -- inputs that were always zero
  trouble TEXT, -- numerical trouble in words; NULL: none
  numerics_id INTEGER NOT NULL REFERENCES numerics (id), -- what computed it
  row_check INTEGER NOT NULL, -- see the head of this file
  UNIQUE (recipe_key, content_key)
) STRICT;
CREATE INDEX variant_by_weight ON variant (weight_id, method_id, level);
CREATE INDEX variant_by_sparsity ON variant (sparsity) WHERE sparsity IS NOT NULL;

CREATE TABLE assignment (
  id INTEGER PRIMARY KEY, -- local
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32), -- of model, (layer, variant content key) and drops
  setting_digest BLOB NOT NULL CHECK (length(setting_digest) = 32), -- of model, (layer, method, level) and drops
  model_id INTEGER NOT NULL REFERENCES model (id), -- whose
  variant_ids TEXT NOT NULL, -- JSON array by layer_index; null: dense or dropped
  dropped_subblocks TEXT NOT NULL, -- JSON array such as ["3.attention"], sorted
  code_bits INTEGER NOT NULL, -- sum over layers; a dense layer counts its stored bits, a dropped one nothing
  stored_bits INTEGER NOT NULL, -- sum over layers with scales, zero points and masks
  row_check INTEGER NOT NULL -- see the head of this file
) STRICT;
-- Readers look for the digest as the views show it.
CREATE INDEX assignment_by_text ON assignment (lower(hex(digest)));

-- ── Evaluations ────────────────────────────────────────────────────────────────────────────────────────────────────────

-- Answers from products rounded to bfloat16 are answers to measures whose names end with it: kl-bfloat16.
CREATE TABLE measure (
  id INTEGER PRIMARY KEY, -- local
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32), -- of the columns below
  name TEXT NOT NULL, -- kl, topk-kl, perplexity, continuation
  top_k INTEGER, -- k of topk-kl; NULL for others
  first_token INTEGER CHECK (first_token > 0), -- of continuation: index of the first token it is about; NULL for others
  reference TEXT NOT NULL, -- what is compared with: dense, or none for perplexity
  revision INTEGER NOT NULL, -- raised when results change beyond rounding
  row_check INTEGER NOT NULL -- see the head of this file
) STRICT;

CREATE TABLE observation (
  assignment_id INTEGER NOT NULL REFERENCES assignment (id), -- which weights
  measure_id INTEGER NOT NULL REFERENCES measure (id), -- which question
  sequence_id INTEGER NOT NULL REFERENCES sequence (id), -- on which tokens
  numerics_id INTEGER NOT NULL REFERENCES numerics (id), -- answered by which arithmetic
  attempt INTEGER NOT NULL CHECK (attempt >= 0), -- 0; computed again after a void: one more than the void one
  sum REAL, -- over the predictions: KL in nats, or negative log-likelihood in nats; NULL: diverged
  prediction_count INTEGER NOT NULL CHECK (prediction_count > 0), -- tokens predicted
  outcome TEXT NOT NULL CHECK ((outcome = 'finite') = (sum IS NOT NULL)), -- finite or diverged
  job_id INTEGER NOT NULL REFERENCES job (id), -- who computed it; local
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (assignment_id, measure_id, sequence_id, numerics_id, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE observation_void (
  assignment_id INTEGER NOT NULL REFERENCES assignment (id), -- the five columns name the observation that is wrong
  measure_id INTEGER NOT NULL REFERENCES measure (id), -- as in observation
  sequence_id INTEGER NOT NULL REFERENCES sequence (id), -- as in observation
  numerics_id INTEGER NOT NULL REFERENCES numerics (id), -- as in observation
  attempt INTEGER NOT NULL CHECK (attempt >= 0), -- as in observation
  voided_at TEXT NOT NULL, -- UTC
  voided_by TEXT NOT NULL, -- user@host
  reason TEXT NOT NULL CHECK (length(reason) > 0), -- why it is wrong
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (assignment_id, measure_id, sequence_id, numerics_id, attempt, voided_at, voided_by, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE set_fitness (
  assignment_id INTEGER NOT NULL REFERENCES assignment (id), -- which weights; this table follows from observation
  measure_id INTEGER NOT NULL REFERENCES measure (id), -- which question
  data_set_id INTEGER NOT NULL REFERENCES data_set (id), -- whose every sequence has a finite answer
  distinct_sequence_count INTEGER NOT NULL, -- different sequences of the data set
  prediction_count INTEGER NOT NULL, -- predicted tokens of all its sequences
  sum REAL NOT NULL, -- of the answers, each as often as its sequence is listed
  residual_square_sum REAL NOT NULL, -- over different sequences of (sum - mean x predictions) squared, both as often as listed
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (assignment_id, measure_id, data_set_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE teacher_state (
  model_id INTEGER NOT NULL REFERENCES model (id), -- the dense model
  sequence_id INTEGER NOT NULL REFERENCES sequence (id), -- on which tokens
  numerics_id INTEGER NOT NULL REFERENCES numerics (id), -- computed by which arithmetic; this table is a local cache
  hidden_blob_id INTEGER NOT NULL REFERENCES blob (id), -- float32 [tokens, hidden], after the final norm
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (model_id, sequence_id, numerics_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE calibration_stream (
  recipe_key BLOB NOT NULL PRIMARY KEY CHECK (length(recipe_key) = 32), -- of the block's first statistic: what it leads to
  numerics_id INTEGER NOT NULL REFERENCES numerics (id), -- computed by which arithmetic; this table is a local cache
  blob_id INTEGER NOT NULL REFERENCES blob (id), -- float32, the sequences' streams [tokens, hidden] one after another
  row_check INTEGER NOT NULL -- see the head of this file
) STRICT, WITHOUT ROWID;

CREATE TABLE block_score (
  model_id INTEGER NOT NULL REFERENCES model (id), -- the dense model
  sequence_list_id INTEGER NOT NULL REFERENCES sequence_list (id), -- measured on which tokens
  kind TEXT NOT NULL, -- cosine, norm-ratio, l2, normalized-l2, angular-distance, outlier-ratio
  parameter INTEGER NOT NULL, -- blocks of the window; of outlier-ratio how many times the mean an outlier is
  revision INTEGER NOT NULL, -- raised when scores change beyond rounding
  block_index INTEGER NOT NULL CHECK (block_index >= 0), -- the block, or the first of its window
  numerics_id INTEGER NOT NULL REFERENCES numerics (id), -- computed by which arithmetic; this table is a local cache
  value REAL NOT NULL, -- mean over the tokens; larger where the block matters more
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (model_id, sequence_list_id, kind, parameter, revision, block_index, numerics_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE monotonicity_count (
  sequence_list_id INTEGER NOT NULL REFERENCES sequence_list (id), -- on which tokens all assignments are complete
  measure_id INTEGER NOT NULL REFERENCES measure (id), -- fitness; this table and the next are made by evodb monotonicity
  kind TEXT NOT NULL CHECK (kind IN ('layer-error', 'subset')), -- what should have made the first assignment better
  assignment_count INTEGER NOT NULL, -- assignments compared
  pair_count INTEGER NOT NULL, -- pairs that differ in what kind says
  violation_count INTEGER NOT NULL, -- pairs in which the one that should be better has the worse fitness
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (sequence_list_id, measure_id, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE monotonicity_pair (
  sequence_list_id INTEGER NOT NULL REFERENCES sequence_list (id), -- on which tokens
  measure_id INTEGER NOT NULL REFERENCES measure (id), -- fitness
  kind TEXT NOT NULL CHECK (kind IN ('layer-error', 'subset')), -- what should have made the first assignment better
  lighter_assignment_id INTEGER NOT NULL REFERENCES assignment (id), -- less error, or fewer subblocks removed
  heavier_assignment_id INTEGER NOT NULL REFERENCES assignment (id), -- more of it, and yet the better fitness
  lighter_error REAL NOT NULL, -- sum of the layers' nmse; of subset the number of removed subblocks
  heavier_error REAL NOT NULL, -- the same of the other
  difference REAL NOT NULL, -- lighter minus heavier, mean over predictions in nats; above 0
  standard_error REAL NOT NULL, -- paired, over sequences
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (sequence_list_id, measure_id, kind, lighter_assignment_id, heavier_assignment_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE unit_change (
  base_assignment_id INTEGER NOT NULL REFERENCES assignment (id), -- what a sensitivity sweep starts from
  assignment_id INTEGER NOT NULL REFERENCES assignment (id), -- the base with one unit at another level
  unit TEXT NOT NULL, -- a layer's name, or the names of tied layers
  level TEXT NOT NULL, -- the unit's level here: bits=3, zeros=32768, pattern=2:4, dense, dropped
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (base_assignment_id, assignment_id)
) STRICT, WITHOUT ROWID;

-- ── Multiple choice ────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE task (
  id INTEGER PRIMARY KEY, -- local
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32), -- of all choices in order
  name TEXT NOT NULL, -- the name of the file it came from; local
  item_count INTEGER NOT NULL CHECK (item_count > 0), -- questions
  row_check INTEGER NOT NULL -- see the head of this file
) STRICT;

CREATE TABLE task_choice (
  task_id INTEGER NOT NULL REFERENCES task (id), -- which task
  item_index INTEGER NOT NULL CHECK (item_index >= 0), -- which question, 0-based
  choice_index INTEGER NOT NULL CHECK (choice_index >= 0), -- which of its choices, 0-based
  sequence_id INTEGER NOT NULL REFERENCES sequence (id), -- context and choice as tokens
  measure_id INTEGER NOT NULL REFERENCES measure (id), -- continuation from where the choice begins
  is_answer INTEGER NOT NULL CHECK (is_answer IN (0, 1)), -- whether it is the right one
  character_count INTEGER NOT NULL CHECK (character_count > 0), -- Unicode scalars of the choice as it stands in the file
  byte_count INTEGER NOT NULL CHECK (byte_count > 0), -- its bytes in UTF-8
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (task_id, item_index, choice_index)
) STRICT, WITHOUT ROWID;
CREATE INDEX task_choice_by_sequence ON task_choice (sequence_id, measure_id);

-- ── Runs ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE space (
  id INTEGER PRIMARY KEY, -- local
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32), -- of everything below it
  model_id INTEGER NOT NULL REFERENCES model (id), -- whose
  cost TEXT NOT NULL CHECK (cost IN ('codes', 'stored', 'weights', 'subblocks')), -- what a budget counts
  row_check INTEGER NOT NULL -- see the head of this file
) STRICT;

CREATE TABLE space_unit (
  space_id INTEGER NOT NULL REFERENCES space (id), -- which space
  unit_index INTEGER NOT NULL CHECK (unit_index >= 0), -- position of the search
  name TEXT NOT NULL, -- a layer's name, or the names of tied layers
  size_group TEXT NOT NULL, -- mutation group under --mutation-group size
  name_group TEXT NOT NULL, -- mutation group under --mutation-group name
  weight_count INTEGER NOT NULL, -- dense weights it covers
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (space_id, unit_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE space_level (
  space_id INTEGER NOT NULL REFERENCES space (id), -- which space
  unit_index INTEGER NOT NULL, -- which unit
  level_index INTEGER NOT NULL CHECK (level_index >= 0), -- 0 is the least compressed
  cost_bits INTEGER NOT NULL CHECK (cost_bits >= 0), -- what it takes of the budget: bits, weights or subblocks
  label TEXT NOT NULL, -- the physical level, e.g. bits=3
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (space_id, unit_index, level_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE space_member (
  space_id INTEGER NOT NULL REFERENCES space (id), -- which space
  unit_index INTEGER NOT NULL, -- which unit
  level_index INTEGER NOT NULL, -- at which level
  layer_id INTEGER NOT NULL REFERENCES layer (id), -- which layer of the unit
  variant_id INTEGER REFERENCES variant (id), -- the pinned realisation; NULL: dense, or dropped
  is_dropped INTEGER NOT NULL CHECK (is_dropped IN (0, 1)), -- whether the layer's subblock is removed at this level
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (space_id, unit_index, level_index, layer_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
  id INTEGER PRIMARY KEY, -- local
  uuid TEXT NOT NULL UNIQUE, -- the same in every file that holds the run
  name TEXT NOT NULL UNIQUE, -- what users call it
  recipe_digest BLOB NOT NULL CHECK (length(recipe_digest) = 32), -- of the recipe and everything it points to
  strategy TEXT NOT NULL, -- how assignments were chosen: evolution, or a baseline (uniform, random, dp, owl, …)
  engine_revision INTEGER NOT NULL, -- of the strategy's code: with another one equal recipes may choose otherwise
  recipe TEXT NOT NULL, -- all parameters, JSON
  model_id INTEGER NOT NULL REFERENCES model (id), -- what is compressed
  space_id INTEGER NOT NULL REFERENCES space (id), -- the choices, with pinned variants and costs
  budget_bits INTEGER NOT NULL, -- no candidate costs more, in what space.cost counts
  measure_id INTEGER NOT NULL REFERENCES measure (id), -- fitness
  calibration_set_id INTEGER NOT NULL REFERENCES data_set (id), -- what fitness is measured on
  validation_set_id INTEGER REFERENCES data_set (id), -- held out for the report; NULL: none
  origin_run_id INTEGER REFERENCES run (id), -- the run it branched from; NULL: none
  origin_generation INTEGER, -- and the generation whose parent it started with
  dense_assignment_id INTEGER NOT NULL REFERENCES assignment (id), -- the uncompressed model
  start_assignment_id INTEGER REFERENCES assignment (id), -- first parent; NULL: not chosen yet
  reference_assignment_id INTEGER REFERENCES assignment (id), -- what the result is compared with: uniform, else the start
  found_assignment_id INTEGER REFERENCES assignment (id), -- last parent; NULL: not finished
  recommendation TEXT CHECK (recommendation IN ('found', 'reference')), -- the better of the two; NULL: not finished
  state TEXT NOT NULL CHECK (state IN ('open', 'finished')), -- open: to be resumed
  created_at TEXT NOT NULL, -- UTC
  row_check INTEGER NOT NULL -- see the head of this file
) STRICT;

CREATE TABLE generation (
  run_id INTEGER NOT NULL REFERENCES run (id), -- which run
  generation_index INTEGER NOT NULL CHECK (generation_index >= 0), -- 0 chooses the first parent
  content_digest BLOB NOT NULL CHECK (length(content_digest) = 32), -- of candidates, stages, results and the parent after
  parent_assignment_id INTEGER NOT NULL REFERENCES assignment (id), -- the parent after this generation
  missing_offspring_count INTEGER NOT NULL, -- offspring that an exhausted neighbourhood could not give
  job_id INTEGER NOT NULL REFERENCES job (id), -- who closed it; local
  closed_at TEXT NOT NULL, -- UTC
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (run_id, generation_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE candidate (
  run_id INTEGER NOT NULL REFERENCES run (id), -- which run
  generation_index INTEGER NOT NULL, -- which generation
  candidate_index INTEGER NOT NULL CHECK (candidate_index >= 0), -- the parent is 0, offspring follow; starts in generation 0
  assignment_id INTEGER NOT NULL REFERENCES assignment (id), -- which weights
  role TEXT NOT NULL CHECK (role IN ('start', 'offspring', 'parent')), -- why it is here
  switch_count INTEGER NOT NULL, -- level switches away from the parent
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (run_id, generation_index, candidate_index)
) STRICT, WITHOUT ROWID;
CREATE INDEX candidate_by_assignment ON candidate (assignment_id);

CREATE TABLE stage (
  run_id INTEGER NOT NULL REFERENCES run (id), -- which run
  generation_index INTEGER NOT NULL, -- which generation
  stage_index INTEGER NOT NULL CHECK (stage_index >= 0), -- 0-based
  minibatch_id INTEGER NOT NULL REFERENCES sequence_list (id), -- the tokens all its candidates saw
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (run_id, generation_index, stage_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE stage_result (
  run_id INTEGER NOT NULL REFERENCES run (id), -- which run
  generation_index INTEGER NOT NULL, -- which generation
  stage_index INTEGER NOT NULL, -- which stage
  candidate_index INTEGER NOT NULL, -- which candidate
  sum REAL, -- over the minibatch, or its beginning if it was stopped early; NULL: diverged
  prediction_count INTEGER NOT NULL, -- tokens predicted
  fitness REAL, -- the measure's value; compares only inside its stage; NULL: diverged
  is_survivor INTEGER NOT NULL CHECK (is_survivor IN (0, 1)), -- whether the stage kept it
  row_check INTEGER NOT NULL, -- see the head of this file
  PRIMARY KEY (run_id, generation_index, stage_index, candidate_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE job (
  id INTEGER PRIMARY KEY, -- local
  uuid TEXT NOT NULL UNIQUE, -- one process doing one command
  command TEXT NOT NULL, -- the verb
  run_id INTEGER REFERENCES run (id), -- what it worked on; NULL: no run
  evodb_version TEXT NOT NULL, -- of the program
  numerics_id INTEGER NOT NULL REFERENCES numerics (id), -- its arithmetic
  user_name TEXT NOT NULL, -- who
  host_name TEXT NOT NULL, -- where
  started_at TEXT NOT NULL, -- UTC
  updated_at TEXT NOT NULL, -- UTC, of the last commit
  outcome TEXT NOT NULL CHECK (outcome IN ('running', 'done', 'interrupted', 'failed')), -- running after a crash: killed
  message TEXT, -- why it failed; NULL: it did not
  forward_token_count INTEGER NOT NULL, -- tokens whose forward pass was computed to its end
  forward_block_token_count INTEGER NOT NULL, -- tokens x transformer blocks computed: what prefix sharing lowers
  evaluation_count INTEGER NOT NULL, -- (assignment, sequence) pairs computed
  cache_hit_count INTEGER NOT NULL, -- (assignment, sequence) pairs found in the catalog instead
  estimated_seconds REAL, -- what it was expected to take when it began; NULL: nothing was expected
  estimated_peak_memory_bytes INTEGER, -- the same of the memory it holds at once
  estimated_forward_token_count INTEGER, -- the same of forward_token_count
  estimated_disk_bytes INTEGER, -- the same of what it adds to this file
  elapsed_seconds REAL NOT NULL, -- what it took, up to the last durable commit
  peak_memory_bytes INTEGER NOT NULL, -- the most memory it held at once
  disk_bytes INTEGER NOT NULL, -- what it added to this file, free pages not counted; negative if it freed some
  row_check INTEGER NOT NULL -- see the head of this file
) STRICT;

-- ── Views: the face for readers ────────────────────────────────────────────────────────────────────────────────────────
-- They keep to standard SQL where they can, so that other engines read them too; exp, sqrt and hex are SQLite's.

-- One row per model.
CREATE VIEW model_summary AS
SELECT m.id AS model_id, m.name AS model, m.architecture, m.block_count,
  (SELECT count(*) FROM layer l WHERE l.model_id = m.id) AS layer_count, m.parameter_count, m.compressible_weight_count,
  (SELECT sum(1.0 * w.output_count * w.input_count * w.dense_bits) FROM layer l JOIN weight w ON w.id = l.weight_id
    WHERE l.model_id = m.id) / m.compressible_weight_count AS dense_bits,
  s.folder, s.imported_at, lower(hex(m.digest)) AS digest
FROM model m LEFT JOIN model_source s ON s.model_id = m.id;

-- One row per layer with the size of its dense weight.
CREATE VIEW model_layer AS
SELECT m.name AS model, l.layer_index, l.name AS layer, l.block_index, l.subblock, l.role, s.name AS site,
  w.output_count, w.input_count, w.output_count * w.input_count AS weight_count, w.dense_bits
FROM layer l JOIN model m ON m.id = l.model_id JOIN site s ON s.id = l.site_id JOIN weight w ON w.id = l.weight_id;

-- Relative error of every stored variant of every layer.
CREATE VIEW layer_error AS
SELECT m.name AS model, l.layer_index, l.name AS layer, l.block_index, l.role, me.name AS method, v.level, v.bits,
  v.sparsity, v.nmse, v.stored_bits / 8 AS stored_bytes, v.dead_input_count, v.trouble, v.id AS variant_id,
  lower(hex(v.content_key)) AS variant
FROM variant v JOIN method me ON me.id = v.method_id JOIN layer l ON l.weight_id = v.weight_id
JOIN model m ON m.id = l.model_id;

-- One row per assignment with its sizes. sparsity is the share of all compressible weights that sparse variants set to
-- zero; NULL: no layer is sparse. The weights of dropped subblocks are in no figure but the denominators.
CREATE VIEW assignment_summary AS
SELECT a.id AS assignment_id, lower(hex(a.digest)) AS assignment, m.name AS model,
  1.0 * a.code_bits / m.compressible_weight_count AS average_bits,
  1.0 * a.stored_bits / m.compressible_weight_count AS average_stored_bits, a.stored_bits / 8 AS stored_bytes,
  CASE WHEN a.dropped_subblocks = '[]' THEN 0 ELSE (SELECT count(*) FROM json_each(a.dropped_subblocks)) END
    AS dropped_subblock_count,
  -- The first condition is asked once, and saves opening the lists where no variant is sparse.
  CASE WHEN EXISTS (SELECT 1 FROM variant x WHERE x.sparsity >= 0) THEN
    (SELECT sum(v.sparsity * w.output_count * w.input_count) FROM json_each(a.variant_ids) j
      JOIN variant v ON v.id = CAST(j.atom AS INTEGER) JOIN weight w ON w.id = v.weight_id) / m.compressible_weight_count
    END AS sparsity
FROM assignment a JOIN model m ON m.id = a.model_id;

-- One row per layer of an assignment. bits is NULL where the layer is dense or dropped.
CREATE VIEW assignment_layer AS
SELECT a.id AS assignment_id, lower(hex(a.digest)) AS assignment, l.layer_index, l.name AS layer, l.block_index,
  l.subblock, l.role, w.output_count * w.input_count AS weight_count, me.name AS method, v.level, v.bits, v.sparsity,
  v.nmse, v.stored_bits / 8 AS stored_bytes,
  a.dropped_subblocks LIKE '%"' || l.block_index || '.' || l.subblock || '"%' AS is_dropped
FROM assignment a CROSS JOIN json_each(a.variant_ids) j
JOIN layer l ON l.model_id = a.model_id AND l.layer_index = CAST(j.key AS INTEGER)
JOIN weight w ON w.id = l.weight_id LEFT JOIN variant v ON v.id = CAST(j.atom AS INTEGER)
LEFT JOIN method me ON me.id = v.method_id;

-- Assignments with one level in all layers. First and last layer are held against each other before a list is opened, and equal
-- lists are opened once.
CREATE VIEW uniform_assignment AS
WITH listed AS MATERIALIZED (
  SELECT DISTINCT a.model_id, a.variant_ids, f.level
  FROM assignment a CROSS JOIN json_each(a.variant_ids, '$[0]') i JOIN variant f ON f.id = CAST(i.atom AS INTEGER)
  CROSS JOIN json_each(a.variant_ids, '$[#-1]') k JOIN variant t ON t.id = CAST(k.atom AS INTEGER) AND t.level = f.level
  WHERE a.dropped_subblocks = '[]'),
uniform AS MATERIALIZED (
  SELECT d.model_id, d.variant_ids, d.level FROM listed d
  WHERE NOT EXISTS (
    SELECT 1 FROM json_each(d.variant_ids) j LEFT JOIN variant v ON v.id = CAST(j.atom AS INTEGER)
    WHERE v.level IS NULL OR v.level <> d.level))
SELECT a.id AS assignment_id, lower(hex(a.digest)) AS assignment, m.name AS model, u.level
FROM uniform u JOIN model m ON m.id = u.model_id
JOIN assignment a ON a.model_id = u.model_id AND a.variant_ids = u.variant_ids AND a.dropped_subblocks = '[]';

-- Every measure and its label, under which the other views and the command line know it: kl, topk-kl:10 (k), perplexity,
-- continuation:5 (the index of the first token that counts), kl-bfloat16.
CREATE VIEW measure_summary AS
SELECT m.id AS measure_id,
  CASE WHEN coalesce(m.top_k, m.first_token) IS NULL THEN m.name ELSE m.name || ':' || coalesce(m.top_k, m.first_token) END
    AS measure,
  m.name, m.top_k, m.first_token, m.reference, m.revision
FROM measure m;

-- One answer per (assignment, measure, sequence), void ones left out: of several numerics the one with the smallest digest.
CREATE VIEW evaluation AS
SELECT o.assignment_id, o.measure_id, o.sequence_id, o.sum, o.prediction_count, o.outcome, o.numerics_id, o.job_id
FROM observation o
WHERE NOT EXISTS (
    SELECT 1 FROM observation_void v
    WHERE v.assignment_id = o.assignment_id AND v.measure_id = o.measure_id AND v.sequence_id = o.sequence_id
      AND v.numerics_id = o.numerics_id AND v.attempt = o.attempt)
  AND NOT EXISTS (
    SELECT 1 FROM observation p
    WHERE p.assignment_id = o.assignment_id AND p.measure_id = o.measure_id AND p.sequence_id = o.sequence_id
      AND (p.numerics_id, p.attempt) <> (o.numerics_id, o.attempt)
      AND ((SELECT n.digest FROM numerics n WHERE n.id = p.numerics_id), p.attempt)
        < ((SELECT n.digest FROM numerics n WHERE n.id = o.numerics_id), o.attempt)
      AND NOT EXISTS (
        SELECT 1 FROM observation_void v
        WHERE v.assignment_id = p.assignment_id AND v.measure_id = p.measure_id AND v.sequence_id = p.sequence_id
          AND v.numerics_id = p.numerics_id AND v.attempt = p.attempt));

-- One row per observation that was declared wrong, and by whom; two people may have done so.
CREATE VIEW void_summary AS
SELECT lower(hex(a.digest)) AS assignment, me.measure, lower(hex(s.digest)) AS sequence,
  lower(hex(n.digest)) AS numerics, v.attempt, o.sum, o.prediction_count, j.uuid AS job, v.voided_at, v.voided_by,
  v.reason, v.assignment_id, v.sequence_id
FROM observation_void v JOIN assignment a ON a.id = v.assignment_id JOIN measure_summary me ON me.measure_id = v.measure_id
JOIN sequence s ON s.id = v.sequence_id JOIN numerics n ON n.id = v.numerics_id
LEFT JOIN observation o ON o.assignment_id = v.assignment_id AND o.measure_id = v.measure_id
  AND o.sequence_id = v.sequence_id AND o.numerics_id = v.numerics_id AND o.attempt = v.attempt
LEFT JOIN job j ON j.id = o.job_id;

-- Answers to the same question by two arithmetics that differ by more than 1e-4 of the larger one (and more than 1e-6 nats per
-- prediction, the noise of sums that ought to be 0), or of which one diverged. Void ones are left out.
CREATE VIEW conflict AS
SELECT lower(hex(a.digest)) AS assignment, me.measure, lower(hex(s.digest)) AS sequence,
  o.sum, no.blas_version, no.blas_core, no.kernels, p.sum AS other_sum, np.blas_version AS other_blas_version,
  np.blas_core AS other_blas_core, np.kernels AS other_kernels,
  abs(o.sum - p.sum) / CASE WHEN abs(o.sum) > abs(p.sum) THEN abs(o.sum) ELSE abs(p.sum) END AS relative_difference,
  o.assignment_id, o.measure_id, o.sequence_id
FROM observation o CROSS JOIN observation p
JOIN numerics no ON no.id = o.numerics_id JOIN numerics np ON np.id = p.numerics_id
JOIN assignment a ON a.id = o.assignment_id JOIN measure_summary me ON me.measure_id = o.measure_id
JOIN sequence s ON s.id = o.sequence_id
WHERE p.assignment_id = o.assignment_id AND p.measure_id = o.measure_id AND p.sequence_id = o.sequence_id
  AND p.numerics_id > o.numerics_id
  -- Follows from the condition before; it saves looking for a second answer where there is one arithmetic.
  AND o.numerics_id < (SELECT max(id) FROM numerics)
  AND (o.outcome <> p.outcome OR abs(o.sum - p.sum) > 1e-6 * o.prediction_count
    AND abs(o.sum - p.sum) > 1e-4 * abs(o.sum) AND abs(o.sum - p.sum) > 1e-4 * abs(p.sum))
  AND NOT EXISTS (
    SELECT 1 FROM observation_void v
    WHERE v.assignment_id = o.assignment_id AND v.measure_id = o.measure_id AND v.sequence_id = o.sequence_id
      AND (v.numerics_id = o.numerics_id AND v.attempt = o.attempt OR v.numerics_id = p.numerics_id AND v.attempt = p.attempt));

-- One row per data set with its size. A sequence may be listed more than once: distinct_sequence_count counts each once, as
-- standard errors do.
CREATE VIEW data_set_summary AS
SELECT d.id AS data_set_id, d.name AS data_set, l.sequence_count, (SELECT count(DISTINCT i.sequence_id)
    FROM sequence_list_item i WHERE i.sequence_list_id = l.id) AS distinct_sequence_count,
  l.token_count, l.prediction_count, d.dropped_token_count, lower(hex(l.digest)) AS digest, d.options, d.created_at
FROM data_set d JOIN sequence_list l ON l.id = d.sequence_list_id;

-- The different sequences of every data set: how often each is listed, and where first. A sequence that is listed k times
-- counts k times in every mean, and as one observation of k times the weight in every standard error.
CREATE VIEW data_set_sequence AS
SELECT d.id AS data_set_id, d.sequence_list_id, i.sequence_id, min(i.position) AS first_position,
  count(*) AS occurrence_count
FROM data_set d JOIN sequence_list_item i ON i.sequence_list_id = d.sequence_list_id
GROUP BY d.id, d.sequence_list_id, i.sequence_id;

-- Every answer on every sequence of a data set, for plots: sum over the predictions, and per prediction. One row per different
-- sequence, at the position where it is listed first. Ask for one assignment at a time.
CREATE VIEW sequence_result AS
SELECT e.assignment_id, lower(hex(a.digest)) AS assignment, d.id AS data_set_id, d.name AS data_set, me.measure, e.measure_id,
  i.first_position, i.occurrence_count, s.token_count, e.prediction_count, e.sum, e.sum / e.prediction_count AS mean, e.outcome,
  e.sequence_id, lower(hex(s.digest)) AS sequence
-- CROSS JOIN fixes the order of SQLite's loops: a sequence is in far more minibatches than data sets.
FROM assignment a CROSS JOIN evaluation e CROSS JOIN data_set_sequence i
JOIN data_set d ON d.id = i.data_set_id JOIN sequence s ON s.id = e.sequence_id
JOIN measure_summary me ON me.measure_id = e.measure_id
WHERE e.assignment_id = a.id AND i.sequence_id = e.sequence_id;

-- How much of a data set an assignment has answers for. is_complete is 1 where every sequence has a finite answer.
CREATE VIEW evaluation_coverage AS
SELECT a.id AS assignment_id, lower(hex(a.digest)) AS assignment, i.data_set_id, d.name AS data_set, me.measure, e.measure_id,
  sum(i.occurrence_count) AS answered_sequence_count, l.sequence_count,
  1.0 * sum(i.occurrence_count) / l.sequence_count AS coverage,
  count(*) - count(e.sum) AS diverged_sequence_count,
  sum(i.occurrence_count) = l.sequence_count AND count(e.sum) = count(*) AS is_complete
FROM assignment a CROSS JOIN evaluation e CROSS JOIN data_set_sequence i
JOIN data_set d ON d.id = i.data_set_id JOIN sequence_list l ON l.id = d.sequence_list_id
JOIN measure_summary me ON me.measure_id = e.measure_id
WHERE e.assignment_id = a.id AND i.sequence_id = e.sequence_id
GROUP BY a.id, a.digest, e.measure_id, me.measure, i.data_set_id, d.name, l.sequence_count;

-- Fitness of an assignment on a data set: one row where every sequence of the set has a finite answer. value is mean KL per
-- token in nats, or perplexity; standard_error is over different sequences, NULL where there is but one.
CREATE VIEW evaluation_summary AS
SELECT f.assignment_id, lower(hex(a.digest)) AS assignment, f.data_set_id, d.name AS data_set, f.measure_id, me.measure,
  l.sequence_count, f.distinct_sequence_count, f.prediction_count,
  CASE WHEN me.name LIKE 'perplexity%' THEN exp(f.sum / f.prediction_count) ELSE f.sum / f.prediction_count END AS value,
  CASE WHEN f.distinct_sequence_count > 1 THEN
    sqrt(f.residual_square_sum * f.distinct_sequence_count / (f.distinct_sequence_count - 1)) / f.prediction_count
      * CASE WHEN me.name LIKE 'perplexity%' THEN exp(f.sum / f.prediction_count) ELSE 1 END END AS standard_error
FROM set_fitness f JOIN assignment a ON a.id = f.assignment_id JOIN data_set d ON d.id = f.data_set_id
JOIN sequence_list l ON l.id = d.sequence_list_id JOIN measure_summary me ON me.measure_id = f.measure_id;

-- The assignment with the lowest value at each size, per data set and measure.
CREATE VIEW best_assignment AS
SELECT model, data_set, measure, average_bits, stored_bytes, assignment_id, assignment, value, standard_error
FROM (
  SELECT s.model, e.data_set, e.measure, s.average_bits, s.stored_bytes, e.assignment_id, e.assignment, e.value,
    e.standard_error, row_number() OVER (PARTITION BY s.model, e.data_set_id, e.measure_id, s.average_bits
      ORDER BY e.value, e.assignment) AS place
  FROM evaluation_summary e JOIN assignment_summary s ON s.assignment_id = e.assignment_id) t
WHERE place = 1;

-- Multiple choice, question by question, where all choices of a question are answered. A choice is taken if no other has a
-- higher log-likelihood, or a higher one per character (norm) or per byte (bytes); of equal ones the first, and never one that
-- diverged. is_correct, is_correct_norm and is_correct_bytes are 1 if the right choice is taken.
CREATE VIEW task_item_result AS
SELECT a.id AS assignment_id, lower(hex(a.digest)) AS assignment, k.task_id, k.item_index, count(*) AS choice_count,
  min(CASE WHEN e.sum IS NULL OR f.sum < e.sum OR f.sum = e.sum AND c.choice_index < k.choice_index THEN 0 ELSE 1 END)
    AS is_correct,
  min(CASE WHEN e.sum IS NULL OR f.sum / c.character_count < e.sum / k.character_count
    OR f.sum / c.character_count = e.sum / k.character_count AND c.choice_index < k.choice_index THEN 0 ELSE 1 END)
    AS is_correct_norm,
  min(CASE WHEN e.sum IS NULL OR f.sum / c.byte_count < e.sum / k.byte_count
    OR f.sum / c.byte_count = e.sum / k.byte_count AND c.choice_index < k.choice_index THEN 0 ELSE 1 END)
    AS is_correct_bytes,
  -min(e.sum) AS answer_log_likelihood
FROM assignment a CROSS JOIN evaluation e CROSS JOIN task_choice k CROSS JOIN task_choice c CROSS JOIN evaluation f
WHERE e.assignment_id = a.id AND k.sequence_id = e.sequence_id AND k.measure_id = e.measure_id AND k.is_answer = 1
  AND c.task_id = k.task_id AND c.item_index = k.item_index
  AND f.assignment_id = e.assignment_id AND f.measure_id = c.measure_id AND f.sequence_id = c.sequence_id
  -- Follows from the conditions before; it passes over all answers to other measures at once.
  AND e.measure_id IN (SELECT n.id FROM measure n WHERE n.first_token IS NOT NULL)
GROUP BY a.id, a.digest, k.task_id, k.item_index
HAVING count(*) = (SELECT count(*) FROM task_choice n WHERE n.task_id = k.task_id AND n.item_index = k.item_index);

-- The different questions of every task: how often each stands there, and where first.
CREATE VIEW task_question AS
SELECT task_id, min(item_index) AS item_index, count(*) AS occurrence_count
FROM (SELECT k.task_id, k.item_index, group_concat(k.choice_index || ':' || k.sequence_id || ':' || k.measure_id || ':'
    || k.is_answer || ':' || k.character_count || ':' || k.byte_count) AS content
  FROM task_choice k GROUP BY k.task_id, k.item_index) q
GROUP BY task_id, content;

-- Multiple choice as lm-evaluation-harness reports it: acc by log-likelihood, acc_norm by log-likelihood per character of
-- the choice, acc_bytes per byte; standard errors over different questions, sqrt(p (1 - p) / (n - 1)) where none is repeated.
-- NULL unless every question is answered (is_complete = 1).
CREATE VIEW task_result AS
SELECT p.assignment_id, p.assignment, p.task_id, t.name AS task, lower(hex(t.digest)) AS task_digest,
  t.item_count, p.answered_item_count, p.distinct_item_count, p.answered_item_count = t.item_count AS is_complete,
  p.acc, sqrt(p.squares * (1 - p.acc) * (1 - p.acc) + (p.all_squares - p.squares) * p.acc * p.acc) * p.scale
    AS acc_standard_error,
  p.acc_norm, sqrt(p.norm_squares * (1 - p.acc_norm) * (1 - p.acc_norm)
    + (p.all_squares - p.norm_squares) * p.acc_norm * p.acc_norm) * p.scale AS acc_norm_standard_error,
  p.acc_bytes, sqrt(p.bytes_squares * (1 - p.acc_bytes) * (1 - p.acc_bytes)
    + (p.all_squares - p.bytes_squares) * p.acc_bytes * p.acc_bytes) * p.scale AS acc_bytes_standard_error
FROM (
  -- w is how often a question stands in the task; the squares are those of w, of all questions and of the correct ones.
  SELECT r.assignment_id, r.assignment, r.task_id, sum(r.w) AS answered_item_count, count(*) AS distinct_item_count,
    CASE WHEN sum(r.w) = r.item_count THEN 1.0 * sum(r.w * r.is_correct) / sum(r.w) END AS acc,
    CASE WHEN sum(r.w) = r.item_count THEN 1.0 * sum(r.w * r.is_correct_norm) / sum(r.w) END AS acc_norm,
    CASE WHEN sum(r.w) = r.item_count THEN 1.0 * sum(r.w * r.is_correct_bytes) / sum(r.w) END AS acc_bytes,
    sum(r.w * r.w) AS all_squares, sum(r.w * r.w * r.is_correct) AS squares,
    sum(r.w * r.w * r.is_correct_norm) AS norm_squares, sum(r.w * r.w * r.is_correct_bytes) AS bytes_squares,
    CASE WHEN count(*) > 1 THEN sqrt(1.0 * count(*) / (count(*) - 1)) / sum(r.w) END AS scale
  FROM (SELECT i.*, q.occurrence_count AS w, t.item_count FROM task_item_result i
    JOIN task_question q ON q.task_id = i.task_id AND q.item_index = i.item_index JOIN task t ON t.id = i.task_id) r
  GROUP BY r.assignment_id, r.assignment, r.task_id, r.item_count) p
JOIN task t ON t.id = p.task_id;

-- The choices of a space: one row per unit, level and layer. cost_bits is what the level takes of the budget (bits, weights or
-- subblocks, as cost says) for all layers of the unit; a layer without variant is dense or dropped.
CREATE VIEW space_choice AS
SELECT s.id AS space_id, lower(hex(s.digest)) AS space, m.name AS model, s.cost, u.unit_index, u.name AS unit, u.weight_count,
  l.level_index, l.label AS level, l.cost_bits, y.layer_index, y.name AS layer, b.is_dropped, me.name AS method, v.bits,
  v.sparsity, v.nmse, v.stored_bits / 8 AS stored_bytes, v.id AS variant_id
FROM space s JOIN model m ON m.id = s.model_id JOIN space_unit u ON u.space_id = s.id
JOIN space_level l ON l.space_id = u.space_id AND l.unit_index = u.unit_index
LEFT JOIN space_member b ON b.space_id = l.space_id AND b.unit_index = l.unit_index AND b.level_index = l.level_index
LEFT JOIN layer y ON y.id = b.layer_id LEFT JOIN variant v ON v.id = b.variant_id LEFT JOIN method me ON me.id = v.method_id;

-- One row per run with its ends and its size. Of the target columns those have a value that fit what the budget counts
-- (cost): target_bits are averages of the codes (codes), target_stored_bits of all stored bytes (stored). Where the budget
-- is that of a file (run_parameter has budget), target_bytes is the file, and target_stored_bits are the layers in it.
CREATE VIEW run_summary AS
SELECT r.id AS run_id, r.name AS run, r.strategy, r.state, m.name AS model, me.measure, cal.name AS calibration_set,
  val.name AS validation_set, sp.cost,
  CASE WHEN sp.cost = 'codes' THEN 1.0 * r.budget_bits / m.compressible_weight_count END AS target_bits,
  CASE WHEN sp.cost = 'stored' THEN 1.0 * r.budget_bits / m.compressible_weight_count END AS target_stored_bits,
  CASE WHEN sp.cost = 'stored' THEN coalesce((SELECT j.atom FROM json_each(r.recipe) j WHERE j.key = 'target_bytes'),
    r.budget_bits / 8) END AS target_bytes,
  CASE WHEN sp.cost = 'weights' THEN 1 - 1.0 * r.budget_bits / m.compressible_weight_count END AS target_sparsity,
  CASE WHEN sp.cost = 'subblocks' THEN (SELECT sum(l.cost_bits) FROM space_level l WHERE l.space_id = sp.id
    AND l.level_index = 0) - r.budget_bits END AS target_dropped_subblock_count,
  (SELECT j.atom FROM json_each(r.recipe) j WHERE j.key = 'seed') AS seed,
  (SELECT j.atom FROM json_each(r.recipe) j WHERE j.key = 'generations') AS generation_count,
  (SELECT max(g.generation_index) FROM generation g WHERE g.run_id = r.id) AS closed_generation,
  nullif(lower(hex(st.digest)), '') AS start_assignment, nullif(lower(hex(re.digest)), '') AS reference_assignment,
  nullif(lower(hex(fo.digest)), '') AS found_assignment, r.recommendation, o.name AS origin_run, r.origin_generation,
  sp.id AS space_id, r.created_at
FROM run r JOIN model m ON m.id = r.model_id JOIN measure_summary me ON me.measure_id = r.measure_id
JOIN space sp ON sp.id = r.space_id
JOIN data_set cal ON cal.id = r.calibration_set_id LEFT JOIN data_set val ON val.id = r.validation_set_id
LEFT JOIN assignment st ON st.id = r.start_assignment_id LEFT JOIN assignment re ON re.id = r.reference_assignment_id
LEFT JOIN assignment fo ON fo.id = r.found_assignment_id LEFT JOIN run o ON o.id = r.origin_run_id;

-- The recipe of every run, a row per parameter; lists as JSON, NULL where there is none.
CREATE VIEW run_parameter AS
SELECT r.id AS run_id, r.name AS run, j.key AS name,
  CASE WHEN CAST(j.value AS TEXT) IN ('', '""', '[]') THEN NULL ELSE j.value END AS value
FROM run r CROSS JOIN json_each(r.recipe) j;

-- One row per closed generation of a run: who entered, what the last stage said, whether the parent changed.
CREATE VIEW run_progress AS
SELECT r.name AS run, g.generation_index AS generation,
  (SELECT count(*) FROM candidate c WHERE c.run_id = g.run_id AND c.generation_index = g.generation_index
    AND c.role = 'offspring') AS offspring_count,
  g.missing_offspring_count,
  (SELECT count(DISTINCT x.stage_index) FROM stage_result x WHERE x.run_id = g.run_id
    AND x.generation_index = g.generation_index) AS stage_count,
  (SELECT sum(x.prediction_count) FROM stage_result x WHERE x.run_id = g.run_id
    AND x.generation_index = g.generation_index) AS evaluated_prediction_count,
  (SELECT x.fitness FROM stage_result x JOIN candidate c ON c.run_id = x.run_id AND c.generation_index = x.generation_index
    AND c.candidate_index = x.candidate_index WHERE x.run_id = g.run_id AND x.generation_index = g.generation_index
    AND c.assignment_id = g.parent_assignment_id ORDER BY x.stage_index DESC LIMIT 1) AS parent_stage_fitness,
  g.generation_index > 0 AND g.parent_assignment_id <> (SELECT p.parent_assignment_id FROM generation p
    WHERE p.run_id = g.run_id AND p.generation_index = g.generation_index - 1) AS is_parent_changed,
  lower(hex(a.digest)) AS parent_assignment, g.closed_at
FROM generation g JOIN run r ON r.id = g.run_id JOIN assignment a ON a.id = g.parent_assignment_id;

-- The parents of a run from its first ancestor on: those of the runs that it branched from, up to the generation where it did,
-- then its own. depth is 0 for its own generations, 1 for those of the run it branched from, and so on; switch_count says how
-- far the parent is from the one before.
CREATE VIEW run_lineage AS
WITH RECURSIVE ancestor (run_id, depth, ancestor_id, last_generation) AS (
  SELECT r.id, 0, r.id, CAST(NULL AS INTEGER) FROM run r
  UNION ALL
  SELECT t.run_id, t.depth + 1, r.origin_run_id,
    CASE WHEN t.last_generation < r.origin_generation THEN t.last_generation ELSE r.origin_generation END
  FROM ancestor t JOIN run r ON r.id = t.ancestor_id WHERE r.origin_run_id IS NOT NULL AND t.depth < 1000)
SELECT r.name AS run, t.depth, o.name AS ancestor_run, g.generation_index AS generation, g.parent_assignment_id,
  lower(hex(a.digest)) AS parent_assignment,
  (SELECT max(c.switch_count) FROM candidate c WHERE c.run_id = g.run_id AND c.generation_index = g.generation_index
    AND c.assignment_id = g.parent_assignment_id) AS switch_count
FROM ancestor t JOIN run r ON r.id = t.run_id JOIN run o ON o.id = t.ancestor_id JOIN generation g ON g.run_id = t.ancestor_id
JOIN assignment a ON a.id = g.parent_assignment_id
WHERE t.last_generation IS NULL OR g.generation_index <= t.last_generation;

-- Every candidate of every stage with its fitness there. History stays as it was: is_based_on_void marks a fitness that may
-- rest on an observation which was declared wrong after the generation was closed.
CREATE VIEW candidate_result AS
SELECT r.name AS run, x.generation_index AS generation, x.stage_index AS stage, x.candidate_index AS candidate, c.role,
  c.switch_count, x.fitness, x.is_survivor, x.prediction_count, sl.token_count, lower(hex(sl.digest)) AS minibatch, c.assignment_id,
  lower(hex(a.digest)) AS assignment,
  EXISTS (
    SELECT 1 FROM observation_void v CROSS JOIN generation g
    WHERE g.run_id = x.run_id AND g.generation_index = x.generation_index AND v.assignment_id = c.assignment_id
      AND v.measure_id = r.measure_id AND v.voided_at >= g.closed_at
      AND v.sequence_id IN (SELECT i.sequence_id FROM sequence_list_item i WHERE i.sequence_list_id = st.minibatch_id)
  ) AS is_based_on_void
FROM stage_result x JOIN run r ON r.id = x.run_id JOIN candidate c ON c.run_id = x.run_id
  AND c.generation_index = x.generation_index AND c.candidate_index = x.candidate_index
JOIN assignment a ON a.id = c.assignment_id JOIN stage st ON st.run_id = x.run_id
  AND st.generation_index = x.generation_index AND st.stage_index = x.stage_index
JOIN sequence_list sl ON sl.id = st.minibatch_id;

-- Two assignments compared on the same sequences: difference of the values (first minus second) and its paired standard
-- error over different sequences, for perplexity by the delta method. Complete pairs only. Ask for one assignment at a time: all pairs
-- of a large file are many.
CREATE VIEW paired_difference AS
SELECT t.data_set_id, t.data_set, t.measure_id, t.measure, t.assignment_id, t.assignment, t.other_assignment_id,
  t.other_assignment, t.value - t.other_value AS difference,
  -- Residuals of the linearised difference: slope is the derivative of the value by the mean.
  CASE WHEN t.distinct_sequence_count > 1 THEN (
    SELECT sqrt(sum(i.occurrence_count * i.occurrence_count * (t.slope * (e.sum - t.mean * e.prediction_count)
        - t.other_slope * (f.sum - t.other_mean * f.prediction_count))
      * (t.slope * (e.sum - t.mean * e.prediction_count) - t.other_slope * (f.sum - t.other_mean * f.prediction_count)))
      * t.distinct_sequence_count / (t.distinct_sequence_count - 1)) / t.prediction_count
    FROM data_set_sequence i
    CROSS JOIN evaluation e CROSS JOIN evaluation f
    WHERE i.data_set_id = t.data_set_id
      AND e.assignment_id = t.assignment_id AND e.measure_id = t.measure_id AND e.sequence_id = i.sequence_id
      AND f.assignment_id = t.other_assignment_id AND f.measure_id = t.measure_id AND f.sequence_id = i.sequence_id) END AS standard_error
FROM (
  SELECT f.data_set_id, d.name AS data_set, f.measure_id, me.measure, f.assignment_id,
    lower(hex(a.digest)) AS assignment, g.assignment_id AS other_assignment_id, lower(hex(b.digest)) AS other_assignment,
    f.distinct_sequence_count, f.prediction_count, f.sum / f.prediction_count AS mean,
    g.sum / g.prediction_count AS other_mean,
    CASE WHEN me.name LIKE 'perplexity%' THEN exp(f.sum / f.prediction_count) ELSE 1.0 END AS slope,
    CASE WHEN me.name LIKE 'perplexity%' THEN exp(g.sum / g.prediction_count) ELSE 1.0 END AS other_slope,
    CASE WHEN me.name LIKE 'perplexity%' THEN exp(f.sum / f.prediction_count) ELSE f.sum / f.prediction_count END AS value,
    CASE WHEN me.name LIKE 'perplexity%' THEN exp(g.sum / g.prediction_count) ELSE g.sum / g.prediction_count END AS other_value
  FROM set_fitness f JOIN set_fitness g ON g.measure_id = f.measure_id AND g.data_set_id = f.data_set_id
  JOIN data_set d ON d.id = f.data_set_id JOIN measure_summary me ON me.measure_id = f.measure_id
  JOIN assignment a ON a.id = f.assignment_id JOIN assignment b ON b.id = g.assignment_id) t;

-- The four assignments of a run that its report is about.
CREATE VIEW run_point AS
SELECT r.id AS run_id, r.name AS run, 'found' AS point, r.found_assignment_id AS assignment_id FROM run r
UNION ALL SELECT r.id, r.name, 'reference', r.reference_assignment_id FROM run r
UNION ALL SELECT r.id, r.name, 'start', r.start_assignment_id FROM run r
UNION ALL SELECT r.id, r.name, 'dense', r.dense_assignment_id FROM run r;

-- The report of a run: dense, start, reference and found assignment on both data sets, in the run's measure and in
-- perplexity; difference and its paired standard error are against the reference.
CREATE VIEW run_result AS
SELECT p.run, p.point, e.data_set, CASE WHEN e.data_set_id = r.calibration_set_id THEN 'calibration'
    ELSE 'validation' END AS data_set_role, e.measure, e.value, e.standard_error,
  (SELECT d.difference FROM paired_difference d WHERE d.assignment_id = p.assignment_id
    AND d.other_assignment_id = r.reference_assignment_id AND d.measure_id = e.measure_id AND d.data_set_id = e.data_set_id)
    AS difference,
  (SELECT d.standard_error FROM paired_difference d WHERE d.assignment_id = p.assignment_id
    AND d.other_assignment_id = r.reference_assignment_id AND d.measure_id = e.measure_id AND d.data_set_id = e.data_set_id)
    AS difference_standard_error,
  s.average_bits, s.average_stored_bits, s.stored_bytes, s.sparsity, s.dropped_subblock_count, s.assignment,
  s.assignment_id
FROM run_point p JOIN run r ON r.id = p.run_id
JOIN evaluation_summary e ON e.assignment_id = p.assignment_id
  AND e.data_set_id IN (r.calibration_set_id, r.validation_set_id)
JOIN assignment_summary s ON s.assignment_id = p.assignment_id;

-- Pairs of assignments complete on the same data set where the one with the lower sum of layer errors, or the strict subset
-- of removed subblocks, has the worse fitness: the most certain ones that evodb monotonicity last found. difference is a
-- mean over predictions in nats (for perplexity of the negative log-likelihood); z_score is that in its standard errors.
CREATE VIEW monotonicity_violation AS
SELECT d.name AS data_set, me.measure, p.kind, lower(hex(a.digest)) AS lighter_assignment,
  lower(hex(b.digest)) AS heavier_assignment, p.lighter_error, p.heavier_error, p.difference, p.standard_error,
  CASE WHEN p.standard_error > 0 THEN p.difference / p.standard_error END AS z_score,
  c.violation_count, c.pair_count, c.assignment_count, p.lighter_assignment_id, p.heavier_assignment_id
FROM monotonicity_pair p JOIN data_set d ON d.sequence_list_id = p.sequence_list_id
JOIN measure_summary me ON me.measure_id = p.measure_id JOIN assignment a ON a.id = p.lighter_assignment_id
JOIN assignment b ON b.id = p.heavier_assignment_id JOIN monotonicity_count c
  ON c.sequence_list_id = p.sequence_list_id AND c.measure_id = p.measure_id AND c.kind = p.kind;

-- What single changes cost: every unit at every level that a sensitivity sweep measured, against the sweep's base on the
-- sequences that both were evaluated on. difference is the rise of the mean over predictions in nats (for perplexity of the
-- negative log-likelihood), with its paired standard error over different sequences. For the dense base it is the loss.
CREATE VIEW unit_sensitivity AS
SELECT m.name AS model, me.measure, lower(hex(b.digest)) AS base_assignment, t.unit, t.level, t.difference,
  CASE WHEN t.distinct_sequence_count > 1 THEN sqrt(abs(t.squares - 2 * t.difference * t.products
      + t.difference * t.difference * t.prediction_squares)
    * t.distinct_sequence_count / (t.distinct_sequence_count - 1)) / t.prediction_count END AS standard_error,
  t.prediction_count, t.distinct_sequence_count, lower(hex(a.digest)) AS assignment, t.base_assignment_id,
  t.assignment_id, t.measure_id
FROM (
  SELECT c.base_assignment_id, c.assignment_id, c.unit, c.level, e.measure_id, count(*) AS distinct_sequence_count,
    sum(e.prediction_count) AS prediction_count, sum(e.sum - f.sum) / sum(e.prediction_count) AS difference,
    sum((e.sum - f.sum) * (e.sum - f.sum)) AS squares, sum((e.sum - f.sum) * e.prediction_count) AS products,
    1.0 * sum(e.prediction_count * e.prediction_count) AS prediction_squares
  FROM unit_change c CROSS JOIN evaluation e CROSS JOIN evaluation f
  WHERE e.assignment_id = c.assignment_id AND e.sum IS NOT NULL AND f.assignment_id = c.base_assignment_id
    AND f.measure_id = e.measure_id AND f.sequence_id = e.sequence_id AND f.sum IS NOT NULL
  GROUP BY c.base_assignment_id, c.assignment_id, c.unit, c.level, e.measure_id) t
JOIN assignment a ON a.id = t.assignment_id JOIN assignment b ON b.id = t.base_assignment_id
JOIN model m ON m.id = a.model_id JOIN measure_summary me ON me.measure_id = t.measure_id;

-- What was computed when, by whom and where, and what the cache saved.
CREATE VIEW job_summary AS
SELECT j.id AS job_id, j.command, r.name AS run, j.user_name, j.host_name, j.evodb_version, n.kernels, n.blas_version, n.blas_core,
  j.started_at, j.updated_at, j.outcome, j.message, j.forward_token_count, j.forward_block_token_count, j.evaluation_count,
  j.cache_hit_count, j.elapsed_seconds, j.estimated_seconds, j.peak_memory_bytes, j.estimated_peak_memory_bytes,
  j.estimated_forward_token_count, j.disk_bytes, j.estimated_disk_bytes, j.uuid AS job, lower(hex(n.digest)) AS numerics
FROM job j JOIN numerics n ON n.id = j.numerics_id LEFT JOIN run r ON r.id = j.run_id;
