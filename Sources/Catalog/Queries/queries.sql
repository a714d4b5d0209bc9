-- The documented queries: `evodb query FILE --list` names them, `evodb query FILE @NAME` runs one. docs/queries.md and
-- docs/datasette.yml are written from this file (evodb query FILE --document …), and tests hold them in step.
--
-- A query begins with a line `-- @NAME: the question it answers`. Lines `-- :PARAMETER (TYPE): meaning` follow for its parameters,
-- which are all optional: without a value they are NULL. The other comment lines are its description. Queries read views only.

-- @runs: Which searches are there, and how did they end?
-- One line a run, the oldest first, with its result on held-out data (on the calibration set if there is none). The target is written
-- as the option --target reads it.
SELECT s.run, s.origin_run, s.origin_generation, s.state, s.strategy,
  CASE s.cost WHEN 'weights' THEN printf('%.4g%%', 100 * s.target_sparsity)
    WHEN 'subblocks' THEN printf('drop=%g', s.target_dropped_subblock_count / 2.0)
    WHEN 'stored' THEN printf('%.4gbit-stored', s.target_stored_bits) ELSE printf('%.4gbit', s.target_bits) END AS target,
  s.measure, s.seed, s.closed_generation AS generation, s.generation_count, r.value, r.difference,
  r.difference_standard_error, s.recommendation
FROM run_summary s LEFT JOIN run_result r ON r.run = s.run AND r.point = 'found' AND r.measure = s.measure
  AND r.data_set_role = CASE WHEN s.validation_set IS NULL THEN 'calibration' ELSE 'validation' END
ORDER BY s.run_id;

-- @results: What did each run find, how much better than its reference is it, and what did it cost?
-- :run (text): which run; without it all of them
-- One line a run, the oldest first, on held-out data (on the calibration set if there is none). change and its standard error
-- are shares of the reference's value. An open run has no result yet. Tokens, evaluations and hits are those of the run's own
-- jobs.
SELECT s.run, s.model, s.strategy, s.state,
  CASE s.cost WHEN 'weights' THEN printf('%.4g%%', 100 * s.target_sparsity)
    WHEN 'subblocks' THEN printf('drop=%g', s.target_dropped_subblock_count / 2.0)
    WHEN 'stored' THEN printf('%.4gbit-stored', s.target_stored_bits) ELSE printf('%.4gbit', s.target_bits) END AS target,
  coalesce(s.validation_set, s.calibration_set) AS data_set, s.measure, r.value, r.standard_error, e.value AS reference_value, r.difference,
  r.difference_standard_error, r.difference / nullif(e.value, 0) AS change,
  r.difference_standard_error / nullif(e.value, 0) AS change_standard_error, s.recommendation, r.average_bits, r.stored_bytes,
  e.stored_bytes AS reference_stored_bytes, r.sparsity, r.dropped_subblock_count,
  substr(s.found_assignment, 1, 12) AS found, substr(s.reference_assignment, 1, 12) AS reference,
  j.forward_token_count, j.evaluation_count, j.cache_hit_count,
  1.0 * j.cache_hit_count / nullif(j.cache_hit_count + j.evaluation_count, 0) AS saved, j.seconds
FROM run_summary s
LEFT JOIN run_result r ON r.run = s.run AND r.point = 'found' AND r.measure = s.measure
  AND r.data_set_role = CASE WHEN s.validation_set IS NULL THEN 'calibration' ELSE 'validation' END
LEFT JOIN run_result e ON e.run = s.run AND e.point = 'reference' AND e.measure = s.measure AND e.data_set = r.data_set
LEFT JOIN (SELECT run, sum(forward_token_count) AS forward_token_count, sum(evaluation_count) AS evaluation_count,
  sum(cache_hit_count) AS cache_hit_count, sum(elapsed_seconds) AS seconds FROM job_summary GROUP BY run) j ON j.run = s.run
WHERE s.run = coalesce(nullif(:run, ''), s.run) ORDER BY s.run_id;

-- @models: Which models are there?
-- One line a model. dense_bits are those that the checkpoint stores a compressible weight in.
SELECT model, architecture, block_count, layer_count, parameter_count, compressible_weight_count, dense_bits, folder
FROM model_summary ORDER BY model_id;

-- @data-sets: Which data sets are there?
SELECT * FROM data_set_summary ORDER BY data_set;

-- @variants: Which compressed variants are built?
-- One line a model, method and level; nmse is the relative layer error.
SELECT model, method, level, count(*) AS layer_count, sum(stored_bytes) AS stored_bytes, avg(nmse) AS mean_nmse,
  max(nmse) AS largest_nmse, count(trouble) AS trouble_count
FROM layer_error GROUP BY model, method, level ORDER BY model, method, min(variant_id);

-- @assignments: Which assignments are there?
-- The newest first.
SELECT substr(assignment, 1, 12) AS assignment, model, average_bits, stored_bytes, sparsity, dropped_subblock_count
FROM assignment_summary ORDER BY assignment_id DESC;

-- @pareto: Which assignments are best at each size?
-- :data_set (text): measured on this data set; without it on the newest run's validation set, else its calibration set
-- :measure (text): kl, topk-kl:10 (with its k) or perplexity; without it that of the newest run
-- Of all assignments that were evaluated on the whole data set, in whatever run, those that no smaller one beats. Sizes are
-- averages over all compressible weights.
WITH newest AS (SELECT * FROM run_summary ORDER BY run_id DESC LIMIT 1),
best AS (
  SELECT average_bits, stored_bytes, value, standard_error, assignment,
    min(value) OVER (ORDER BY average_bits ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS smaller_ones
  FROM best_assignment
  WHERE data_set = coalesce(nullif(:data_set, ''), (SELECT coalesce(validation_set, calibration_set) FROM newest))
    AND measure = coalesce(nullif(:measure, ''), (SELECT measure FROM newest)))
SELECT average_bits, stored_bytes, value, standard_error, substr(assignment, 1, 12) AS assignment
FROM best WHERE smaller_ones IS NULL OR value < smaller_ones ORDER BY average_bits;

-- @front: What is every assignment worth at its size?
-- :model (text): of this model; without it the newest run's
-- :data_set (text): measured on this data set; without it on the newest run's validation set, else its calibration set
-- :measure (text): kl, topk-kl:10 (with its k) or perplexity; without it that of the newest run
-- :points (integer): at most so many of the named, the uniform, the best and all others each, evenly over the sizes; without it all
-- All assignments that were evaluated on the whole data set, the smallest first, with their perplexity where it is known. kind
-- says what is dense, uniform, a result of a search, of a baseline or a reference, and run whose; is_best marks those that no
-- smaller one beats. complete_count is how many there are.
WITH newest AS (SELECT * FROM run_summary ORDER BY run_id DESC LIMIT 1),
named AS (
  SELECT p.assignment_id,
    min(CASE p.point WHEN 'dense' THEN 1 WHEN 'found' THEN CASE WHEN s.strategy IN ('evolution', 'guided') THEN 2 ELSE 3 END
      ELSE 4 END) AS rank, group_concat(CASE p.point WHEN 'found' THEN s.run END, ', ') AS runs
  FROM run_point p JOIN run_summary s ON s.run_id = p.run_id
  WHERE p.point <> 'start' AND p.assignment_id IS NOT NULL GROUP BY p.assignment_id),
complete AS (
  SELECT s.assignment_id, s.assignment, s.average_bits, s.stored_bytes, e.data_set_id, e.measure, e.value, e.standard_error
  FROM evaluation_summary e JOIN assignment_summary s ON s.assignment_id = e.assignment_id
  WHERE s.model = coalesce(nullif(:model, ''), (SELECT model FROM newest))
    AND e.data_set = coalesce(nullif(:data_set, ''), (SELECT coalesce(validation_set, calibration_set) FROM newest))
    AND e.measure = coalesce(nullif(:measure, ''), (SELECT measure FROM newest))),
uniform AS MATERIALIZED (SELECT assignment_id, level FROM uniform_assignment),
marked AS (
  SELECT c.*, n.rank, n.runs,
    u.level AS uniform_level,
    coalesce(c.value < min(c.value) OVER (ORDER BY c.stored_bytes, c.value, c.assignment
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 1) AS is_best
  FROM complete c LEFT JOIN named n ON n.assignment_id = c.assignment_id
  LEFT JOIN uniform u ON u.assignment_id = c.assignment_id),
classed AS (
  SELECT m.*, CASE WHEN m.rank IS NOT NULL THEN 0 WHEN m.uniform_level IS NOT NULL THEN 1 WHEN m.is_best THEN 2 ELSE 3 END AS class
  FROM marked m),
placed AS (
  SELECT c.*, row_number() OVER (PARTITION BY c.class ORDER BY c.stored_bytes, c.value, c.assignment) AS place,
    count(*) OVER (PARTITION BY c.class) AS class_count, count(*) OVER () AS complete_count
  FROM classed c)
SELECT substr(p.assignment, 1, 12) AS assignment,
  CASE WHEN p.uniform_level IS NOT NULL THEN 'uniform' WHEN p.rank = 1 THEN 'dense' WHEN p.rank = 2 THEN 'result'
    WHEN p.rank = 3 THEN 'baseline' WHEN p.rank = 4 THEN 'reference' END AS kind, p.uniform_level, p.runs AS run,
  p.average_bits, p.stored_bytes, p.value, p.standard_error, x.value AS perplexity, x.standard_error AS perplexity_standard_error,
  p.is_best, p.complete_count
FROM placed p LEFT JOIN evaluation_summary x ON x.assignment_id = p.assignment_id AND x.data_set_id = p.data_set_id
  AND x.measure = CASE WHEN p.measure LIKE '%-bfloat16' THEN 'perplexity-bfloat16' ELSE 'perplexity' END
WHERE :points IS NULL OR p.place * :points / p.class_count <> (p.place - 1) * :points / p.class_count
ORDER BY p.stored_bytes, p.value, p.assignment;

-- @bits-by-role: Which kinds of layers got more bits, and at which depth?
-- :run (text): whose result; without it the newest finished run
-- Mean bits a weight of each kind of layer in the first, middle and last third of the blocks; dense layers count with the bits
-- of the checkpoint, dropped ones with none.
WITH chosen AS (
  SELECT found_assignment AS assignment, model FROM run_summary
  WHERE found_assignment IS NOT NULL AND run = coalesce(nullif(:run, ''), run) ORDER BY run_id DESC LIMIT 1),
layers AS (
  SELECT l.role, l.weight_count,
    CASE WHEN l.is_dropped THEN 0 WHEN l.level IS NULL THEN m.dense_bits WHEN l.bits IS NULL THEN (1 - l.sparsity) * m.dense_bits
      ELSE l.bits END AS bits,
    3 * l.block_index / (1 + max(l.block_index) OVER ()) AS third
  FROM chosen c JOIN assignment_summary s ON s.assignment = c.assignment
  JOIN assignment_layer l ON l.assignment_id = s.assignment_id
  JOIN model_layer m ON m.model = c.model AND m.layer_index = l.layer_index)
SELECT role, sum(bits * weight_count) / sum(weight_count) AS mean_bits,
  sum(bits * weight_count) FILTER (WHERE third = 0) / sum(weight_count) FILTER (WHERE third = 0) AS first_third_bits,
  sum(bits * weight_count) FILTER (WHERE third = 1) / sum(weight_count) FILTER (WHERE third = 1) AS middle_third_bits,
  sum(bits * weight_count) FILTER (WHERE third = 2) / sum(weight_count) FILTER (WHERE third = 2) AS last_third_bits,
  min(bits) AS least_bits, max(bits) AS most_bits, count(*) AS layer_count
FROM layers GROUP BY role ORDER BY mean_bits DESC, role;

-- @assignment-layers: What level has every layer of an assignment?
-- :assignment (text): an assignment's digest, or a run for its result; without it the result of the newest finished run
-- One line a layer, in the order of the model. level_bits are those of its codes, of the checkpoint where it is dense, and none
-- where it is dropped; kept is the share of its weights that is not zero.
WITH chosen AS (
  SELECT coalesce((SELECT found_assignment FROM run_summary WHERE run = :assignment), nullif(:assignment, ''),
    (SELECT found_assignment FROM run_summary WHERE found_assignment IS NOT NULL ORDER BY run_id DESC LIMIT 1)) AS assignment)
SELECT l.block_index, l.role, l.layer,
  CASE WHEN l.is_dropped THEN 'drop' ELSE coalesce(l.level, 'dense') END AS level,
  CASE WHEN l.is_dropped THEN 0 WHEN l.bits IS NULL THEN m.dense_bits ELSE l.bits END AS level_bits,
  CASE WHEN l.is_dropped THEN 0 ELSE 1 - coalesce(l.sparsity, 0) END AS kept, l.weight_count,
  CASE WHEN l.is_dropped THEN 0 ELSE coalesce(l.stored_bytes, l.weight_count * m.dense_bits / 8) END AS stored_bytes, l.nmse
FROM chosen c JOIN assignment_summary s ON s.assignment = c.assignment
JOIN assignment_layer l ON l.assignment_id = s.assignment_id
JOIN model_layer m ON m.model = s.model AND m.layer_index = l.layer_index
ORDER BY l.layer_index;

-- @sensitivities: Which layers cost the model most by themselves?
-- :measure (text): kl, topk-kl:10 (with its k) or perplexity; without it kl
-- One line a unit and level that a sweep measured, the costliest first. z_score is the difference in its standard errors.
SELECT model, base_assignment, unit, level, difference, standard_error, difference / standard_error AS z_score,
  prediction_count, distinct_sequence_count
FROM unit_sensitivity WHERE measure = coalesce(:measure, 'kl') ORDER BY model, base_assignment, difference DESC, unit;

-- @layer-errors: How much error has every layer at every level?
-- :model (text): of this model; without it the newest run's, else the only one
-- One line a variant: nmse is the error of the layer's output relative to the output, on the calibration data.
SELECT e.layer_index, e.layer, e.block_index, e.role, e.method, e.level, e.bits, e.sparsity, e.nmse, e.stored_bytes
FROM layer_error e
WHERE e.model = coalesce(nullif(:model, ''), (SELECT model FROM run_summary ORDER BY run_id DESC LIMIT 1),
  (SELECT min(model) FROM model_summary))
ORDER BY e.method, e.bits, e.sparsity DESC, e.level, e.layer_index;

-- @sensitivity-errors: Does a layer's own error tell what it costs the model?
-- :model (text): of this model; without it the newest run's
-- :measure (text): kl, topk-kl:10 (with its k) or perplexity; without it kl
-- Every unit and level that the largest sweep measured: the rise of the measure by this change alone (in nats), beside the mean
-- relative error of the variants of that layer and level; nmse is NULL where the unit is not one layer.
WITH sweep AS (
  SELECT u.unit, u.level, u.difference, u.standard_error, u.base_assignment, u.model,
    count(*) OVER (PARTITION BY u.base_assignment) AS unit_count
  FROM unit_sensitivity u
  WHERE u.model = coalesce(nullif(:model, ''), (SELECT model FROM run_summary ORDER BY run_id DESC LIMIT 1))
    AND u.measure = coalesce(nullif(:measure, ''), 'kl')),
errors AS (
  SELECT e.model, e.layer, e.level, e.layer_index, e.bits, e.sparsity, avg(e.nmse) AS nmse FROM layer_error e
  GROUP BY e.model, e.layer, e.level, e.layer_index, e.bits, e.sparsity)
SELECT s.unit, e.layer_index, s.level, e.bits, e.sparsity, e.nmse, s.difference, s.standard_error,
  substr(s.base_assignment, 1, 12) AS base
FROM sweep s LEFT JOIN errors e ON e.model = s.model AND e.layer = s.unit AND e.level = s.level
WHERE s.base_assignment = (SELECT base_assignment FROM sweep ORDER BY unit_count DESC, base_assignment LIMIT 1)
ORDER BY e.bits, e.sparsity DESC, s.level, e.layer_index, s.unit;

-- @convergence: How did a run converge?
-- :run (text): which run; without it the newest
-- One line a generation: what its last stage said of the parent that it ended with. Stage fitness compares only inside its
-- stage (every generation draws other sequences), so it scatters; switch_count is how far the new parent is from the old one.
WITH chosen AS (
  SELECT run FROM run_summary WHERE run = coalesce(nullif(:run, ''), run) ORDER BY run_id DESC LIMIT 1)
SELECT p.generation, p.offspring_count, p.stage_count, p.evaluated_prediction_count, p.parent_stage_fitness AS fitness,
  (SELECT r.fitness - p.parent_stage_fitness FROM candidate_result r
    WHERE r.run = p.run AND r.generation = p.generation AND r.stage = p.stage_count - 1 AND r.role = 'parent') AS gain,
  (SELECT max(r.switch_count) FROM candidate_result r
    WHERE r.run = p.run AND r.generation = p.generation AND r.assignment = p.parent_assignment) AS switch_count,
  p.is_parent_changed, substr(p.parent_assignment, 1, 12) AS parent
FROM chosen c JOIN run_progress p ON p.run = c.run ORDER BY p.generation;

-- @stage-fitness: How did the candidates of a run do in the last stage of every generation?
-- :run (text): which run; without it the newest
-- :points (integer): at most so many parents and so many offspring, evenly over the generations; without it all
-- Parents (in generation 0 the starts) and the offspring that came so far, with their fitness there. It compares only inside a
-- generation: each draws other sequences. is_survivor marks the parent of the next one; offspring_count is how many there are.
WITH chosen AS (
  SELECT run FROM run_summary WHERE run = coalesce(nullif(:run, ''), run) ORDER BY run_id DESC LIMIT 1),
results AS (
  SELECT r.run, r.generation, r.stage, r.role, r.candidate, r.fitness, r.is_survivor, r.assignment,
    max(r.stage) OVER (PARTITION BY r.generation) AS last_stage
  FROM chosen c JOIN candidate_result r ON r.run = c.run),
placed AS (
  SELECT r.*, row_number() OVER (PARTITION BY r.role <> 'offspring' OR r.is_survivor ORDER BY r.generation, r.candidate) AS place,
    count(*) OVER (PARTITION BY r.role <> 'offspring' OR r.is_survivor) AS part_count,
    count(*) FILTER (WHERE r.role = 'offspring') OVER () AS offspring_count
  FROM results r WHERE r.stage = r.last_stage)
SELECT p.run, p.generation, p.role, p.fitness, p.is_survivor, substr(p.assignment, 1, 12) AS assignment, p.offspring_count
FROM placed p WHERE :points IS NULL OR p.place * :points / p.part_count <> (p.place - 1) * :points / p.part_count
ORDER BY p.generation, p.candidate;

-- @parent-values: How good are the parents of a run on whole data sets?
-- :run (text): which run; without it the newest
-- Parents of closed generations that were evaluated on the run's validation set (on its calibration set if there is none), in the
-- run's measure.
WITH chosen AS (
  SELECT run, measure, coalesce(validation_set, calibration_set) AS data_set FROM run_summary
  WHERE run = coalesce(nullif(:run, ''), run) ORDER BY run_id DESC LIMIT 1)
SELECT c.run, l.generation, e.data_set, e.measure, e.value, e.standard_error, substr(l.parent_assignment, 1, 12) AS parent
FROM chosen c JOIN run_lineage l ON l.run = c.run AND l.depth = 0
JOIN evaluation_summary e ON e.assignment_id = l.parent_assignment_id AND e.data_set = c.data_set AND e.measure = c.measure
ORDER BY l.generation;

-- @level-trials: Which levels of which layers were tried, and how did fitness move?
-- :run (text): which run; without it the newest
-- Every switch of a layer away from the parent's level, over all offspring of the run. mean_effect is the mean first-stage fitness
-- of the offspring with this switch minus that of all offspring of their generation, so a negative one speaks for the switch. Each
-- offspring has several switches, so single trials say little.
WITH chosen AS (
  SELECT run FROM run_summary WHERE run = coalesce(nullif(:run, ''), run) ORDER BY run_id DESC LIMIT 1),
offspring AS (
  SELECT r.generation, r.assignment_id, r.is_survivor, r.fitness - avg(r.fitness) OVER (PARTITION BY r.generation) AS effect
  FROM chosen c JOIN candidate_result r ON r.run = c.run WHERE r.role = 'offspring' AND r.stage = 0),
parents AS (
  SELECT DISTINCT r.generation, r.assignment_id FROM chosen c JOIN candidate_result r ON r.run = c.run
  WHERE r.role = 'parent')
SELECT n.layer, coalesce(o.level, CASE WHEN o.is_dropped THEN 'drop' ELSE 'dense' END) AS from_level,
  coalesce(n.level, CASE WHEN n.is_dropped THEN 'drop' ELSE 'dense' END) AS to_level, count(*) AS trial_count,
  sum(f.is_survivor) AS survivor_count, avg(f.effect) AS mean_effect, min(f.effect) AS best_effect
FROM offspring f JOIN parents p ON p.generation = f.generation
JOIN assignment_layer n ON n.assignment_id = f.assignment_id
JOIN assignment_layer o ON o.assignment_id = p.assignment_id AND o.layer_index = n.layer_index
WHERE n.level IS NOT o.level OR n.is_dropped <> o.is_dropped
GROUP BY n.layer_index, from_level, to_level ORDER BY mean_effect LIMIT 40;

-- @error-misleads: Where does the layer error mislead?
-- :run (text): whose result; without it the newest finished run
-- Layers by their own error at the level of the reference (rank 1 errs most), beside what the search made of them. A method that
-- goes by layer error would relax the first ranks; the rows are those where the search did the opposite, the strongest first.
WITH chosen AS (
  SELECT run, found_assignment, reference_assignment FROM run_summary
  WHERE found_assignment IS NOT NULL AND run = coalesce(nullif(:run, ''), run) ORDER BY run_id DESC LIMIT 1),
layers AS (
  SELECT f.layer_index, f.layer, f.role, r.nmse AS reference_error, r.level AS reference_level, f.level AS found_level,
    f.nmse AS found_error, f.stored_bytes - r.stored_bytes AS spent,
    rank() OVER (ORDER BY r.nmse DESC) AS error_rank, rank() OVER (ORDER BY f.stored_bytes - r.stored_bytes DESC) AS spent_rank,
    count(*) OVER () AS layer_count
  FROM chosen c JOIN assignment_summary a ON a.assignment = c.found_assignment
  JOIN assignment_summary b ON b.assignment = c.reference_assignment
  JOIN assignment_layer f ON f.assignment_id = a.assignment_id
  JOIN assignment_layer r ON r.assignment_id = b.assignment_id AND r.layer_index = f.layer_index
  WHERE r.nmse IS NOT NULL)
SELECT layer, error_rank, layer_count AS ranked_layer_count, reference_error, reference_level, found_level, found_error,
  spent AS spent_bytes
FROM layers
WHERE (spent < 0 AND 2 * error_rank <= layer_count) OR (spent > 0 AND 2 * error_rank > layer_count)
ORDER BY abs(2 * error_rank - layer_count) DESC, layer_index LIMIT 20;

-- @jobs: What was computed when, by whom, on which machine, and what did the catalog save?
-- saved is the share of wanted (assignment, sequence) pairs that the catalog answered. A job that is running after a crash was
-- killed. job and numerics are what evodb void takes.
SELECT started_at, round((julianday(updated_at) - julianday(started_at)) * 86400, 1) AS seconds, command, run, outcome, user_name,
  host_name, kernels, forward_token_count, evaluation_count, cache_hit_count,
  1.0 * cache_hit_count / nullif(cache_hit_count + evaluation_count, 0) AS saved, substr(job, 1, 8) AS job,
  substr(numerics, 1, 8) AS numerics
FROM job_summary ORDER BY job_id;

-- @progress: How far is the work under way?
-- Jobs that have not ended, the newest first; evodb status FILE --watch follows the first. One that was killed stays
-- here until a later job takes its run up.
SELECT j.command, j.run, s.closed_generation AS generation, s.generation_count,
  (SELECT p.parent_stage_fitness FROM run_progress p WHERE p.run = j.run ORDER BY p.generation DESC LIMIT 1) AS fitness,
  j.forward_token_count, j.evaluation_count, j.cache_hit_count,
  round((julianday(j.updated_at) - julianday(j.started_at)) * 86400, 1) AS seconds, j.updated_at
FROM job_summary j LEFT JOIN run_summary s ON s.run = j.run
WHERE j.outcome = 'running' AND (j.run IS NULL OR NOT EXISTS (
  SELECT 1 FROM job_summary k WHERE k.run = j.run AND k.job_id > j.job_id))
ORDER BY j.job_id DESC;

-- @run-differences: What do two runs differ in?
-- :run (text): one run; without it the newest but one
-- :other (text): the other; without it the newest
-- Parameters of the recipes that differ, then what came out. evodb compare FILE RUN RUN shows the layers as well.
WITH newest AS (SELECT run, row_number() OVER (ORDER BY run_id DESC) AS place FROM run_summary),
pair AS (
  SELECT coalesce(nullif(:run, ''), (SELECT run FROM newest WHERE place = 2)) AS one,
    coalesce(nullif(:other, ''), (SELECT run FROM newest WHERE place = 1)) AS two),
facts AS (
  SELECT 1 AS part, run, name, value FROM run_parameter
  UNION ALL
  SELECT 2, run, replace(data_set_role || ' ' || measure, '-', '_'), printf('%.6g ± %.2g', value, standard_error)
  FROM run_result WHERE point = 'found'
  UNION ALL SELECT 2, run, 'found', substr(found_assignment, 1, 12) FROM run_summary
  UNION ALL SELECT 2, run, 'closed_generation', closed_generation FROM run_summary
  UNION ALL SELECT 2, run, 'origin', origin_run || '@' || origin_generation FROM run_summary),
sides AS (
  SELECT part, name, max(value) FILTER (WHERE run = pair.one) AS one, max(value) FILTER (WHERE run = pair.two) AS other
  FROM facts, pair WHERE run IN (pair.one, pair.two) GROUP BY part, name)
SELECT name, one, other FROM sides WHERE one IS NOT other ORDER BY part, name;

-- @layer-differences: Where do two assignments differ?
-- :one (text): an assignment's digest, or a run for its result; without it the result of the newest finished run but one
-- :other (text): the other; without it that of the newest finished run
-- The layers that are not equal, in the order of the model. The difference in bytes is that of the other minus the one.
WITH finished AS (
  SELECT found_assignment, row_number() OVER (ORDER BY run_id DESC) AS place FROM run_summary WHERE found_assignment IS NOT NULL),
pair AS (
  SELECT coalesce((SELECT found_assignment FROM run_summary WHERE run = :one), nullif(:one, ''),
      (SELECT found_assignment FROM finished WHERE place = 2)) AS one,
    coalesce((SELECT found_assignment FROM run_summary WHERE run = :other), nullif(:other, ''),
      (SELECT found_assignment FROM finished WHERE place = 1)) AS two)
SELECT x.layer, coalesce(x.level, CASE WHEN x.is_dropped THEN 'drop' ELSE 'dense' END) AS one,
  coalesce(y.level, CASE WHEN y.is_dropped THEN 'drop' ELSE 'dense' END) AS other, x.nmse AS one_nmse, y.nmse AS other_nmse,
  coalesce(y.stored_bytes, CASE WHEN y.is_dropped THEN 0 ELSE m.weight_count * m.dense_bits / 8 END)
    - coalesce(x.stored_bytes, CASE WHEN x.is_dropped THEN 0 ELSE m.weight_count * m.dense_bits / 8 END) AS difference_bytes
FROM pair p JOIN assignment_summary a ON a.assignment = p.one JOIN assignment_summary b ON b.assignment = p.two
JOIN assignment_layer x ON x.assignment_id = a.assignment_id
JOIN assignment_layer y ON y.assignment_id = b.assignment_id AND y.layer_index = x.layer_index
JOIN model_layer m ON m.model = a.model AND m.layer_index = x.layer_index
WHERE x.level IS NOT y.level OR x.is_dropped <> y.is_dropped OR x.nmse IS NOT y.nmse ORDER BY x.layer_index;

-- @paired-differences: Which of two assignments is better, and how sure is that?
-- :one (text): an assignment's digest, or a run for its result; without it the result of the newest finished run but one
-- :other (text): the other; without it that of the newest finished run
-- On every data set that both were evaluated on as a whole: the values, the difference (the other minus the one) and its paired
-- standard error over the sequences.
WITH finished AS (
  SELECT found_assignment, row_number() OVER (ORDER BY run_id DESC) AS place FROM run_summary WHERE found_assignment IS NOT NULL),
pair AS (
  SELECT coalesce((SELECT found_assignment FROM run_summary WHERE run = :one), nullif(:one, ''),
      (SELECT found_assignment FROM finished WHERE place = 2)) AS one,
    coalesce((SELECT found_assignment FROM run_summary WHERE run = :other), nullif(:other, ''),
      (SELECT found_assignment FROM finished WHERE place = 1)) AS two),
ids AS (
  SELECT a.assignment_id AS one_id, b.assignment_id AS other_id
  FROM pair p JOIN assignment_summary a ON a.assignment = p.one JOIN assignment_summary b ON b.assignment = p.two)
SELECT d.data_set, d.measure,
  (SELECT e.value FROM evaluation_summary e WHERE e.assignment_id = d.other_assignment_id AND e.data_set = d.data_set
    AND e.measure_id = d.measure_id) AS one_value,
  (SELECT e.value FROM evaluation_summary e WHERE e.assignment_id = d.assignment_id AND e.data_set = d.data_set
    AND e.measure_id = d.measure_id) AS other_value, d.difference, d.standard_error
FROM paired_difference d
WHERE d.assignment_id = (SELECT other_id FROM ids) AND d.other_assignment_id = (SELECT one_id FROM ids)
ORDER BY d.data_set, d.measure;

-- @lucky: Which candidates won an early stage and lost later?
-- :run (text): which run; without it the newest
-- The best candidate of each generation's first stage, and its place in the last stage (NULL: it did not come so far). regret is its
-- fitness there minus that of the stage's winner. A high share of losers asks for more tokens in the first stage.
WITH chosen AS (
  SELECT run FROM run_summary WHERE run = coalesce(nullif(:run, ''), run) ORDER BY run_id DESC LIMIT 1),
results AS (
  SELECT r.*, rank() OVER (PARTITION BY r.generation, r.stage ORDER BY r.fitness IS NULL, r.fitness, r.assignment) AS place,
    min(r.fitness) OVER (PARTITION BY r.generation, r.stage) AS best, max(r.stage) OVER (PARTITION BY r.generation) AS last_stage
  FROM chosen c JOIN candidate_result r ON r.run = c.run)
SELECT f.generation, f.candidate, f.switch_count, f.fitness AS first_fitness, l.place AS last_place, l.fitness - l.best AS regret,
  coalesce(l.place, 2) > 1 AS is_lucky, substr(f.assignment, 1, 12) AS assignment
FROM results f LEFT JOIN results l ON l.generation = f.generation AND l.stage = f.last_stage AND l.candidate = f.candidate
WHERE f.stage = 0 AND f.place = 1 AND f.last_stage > 0 ORDER BY f.generation;

-- @held-out: Which results are good on the calibration set and not on held-out text?
-- Complete evaluations on both data sets of a run, for everything that was evaluated there. gap is the validation value minus the
-- calibration value in their joint standard errors; compare it with that of the reference: texts differ in difficulty.
SELECT s.run, c.point, c.measure, c.value AS calibration_value, v.value AS validation_value, c.difference AS calibration_difference,
  v.difference AS validation_difference, v.difference_standard_error,
  (v.difference >= 0) AND (c.difference < 0) AS is_lost_on_validation, substr(c.assignment, 1, 12) AS assignment
FROM run_summary s JOIN run_result c ON c.run = s.run AND c.data_set_role = 'calibration' AND c.measure = s.measure
JOIN run_result v ON v.run = s.run AND v.data_set_role = 'validation' AND v.point = c.point AND v.measure = c.measure
WHERE c.point IN ('found', 'start') ORDER BY s.run_id, c.point;

-- @evaluations: What is known of which assignment on which data set?
-- Fitness of everything that was evaluated on a whole data set, the best first.
SELECT substr(e.assignment, 1, 12) AS assignment, s.average_bits, e.data_set, e.measure, e.value, e.standard_error, e.sequence_count
FROM evaluation_summary e JOIN assignment_summary s ON s.assignment_id = e.assignment_id
ORDER BY e.data_set, e.measure, e.value;

-- @disk: What takes the room?
-- Packed variants by method and level. evodb doctor lists all tables.
SELECT model, method, level, count(*) AS variant_count, sum(stored_bytes) AS stored_bytes, avg(nmse) AS nmse
FROM layer_error GROUP BY model, method, coalesce(round(sparsity, 3), level) ORDER BY model, method, level;

-- @voids: Which results were declared wrong, by whom and why?
SELECT substr(assignment, 1, 12) AS assignment, measure, count(*) AS observation_count, voided_at, voided_by, reason
FROM void_summary GROUP BY assignment, measure, voided_at, voided_by, reason ORDER BY voided_at, assignment, measure;

-- @void-rests: Which generations rest on results that were declared wrong later?
-- History is never rewritten: these candidates were judged with sums that are void now. evodb branch from the generation before
-- searches on with sound ones.
SELECT run, generation, stage, count(*) AS candidate_count, sum(is_survivor) AS survivor_count
FROM candidate_result WHERE is_based_on_void GROUP BY run, generation, stage ORDER BY run, generation, stage;

-- @data: Which models and data sets are there?
-- One line a data set with its sequences, each counted once as distinct, and how many assignments are complete on it.
SELECT d.data_set, d.sequence_count, d.distinct_sequence_count, d.token_count, d.prediction_count,
  (SELECT count(DISTINCT e.assignment_id) FROM evaluation_summary e WHERE e.data_set_id = d.data_set_id) AS assignment_count,
  d.created_at
FROM data_set_summary d ORDER BY d.data_set_id;

-- @sequences: On which sequences does the result differ most from the reference?
-- :run (text): whose result; without it the newest finished run
-- The run's measure on its validation set (its calibration set if there is none), sequence by sequence, per prediction: to plot.
WITH chosen AS (
  SELECT run, measure, coalesce(validation_set, calibration_set) AS data_set, found_assignment, reference_assignment
  FROM run_summary WHERE found_assignment IS NOT NULL AND run = coalesce(nullif(:run, ''), run) ORDER BY run_id DESC LIMIT 1)
SELECT f.first_position AS position, substr(f.sequence, 1, 12) AS sequence, f.occurrence_count, f.prediction_count,
  f.mean AS found, r.mean AS reference, f.mean - r.mean AS difference
FROM chosen c JOIN sequence_result f ON f.assignment = c.found_assignment AND f.data_set = c.data_set AND f.measure = c.measure
JOIN sequence_result r ON r.assignment = c.reference_assignment AND r.data_set_id = f.data_set_id
  AND r.measure_id = f.measure_id AND r.sequence_id = f.sequence_id
ORDER BY difference DESC;

-- @choices: What may a search choose, and what does it cost?
-- :run (text): whose space; without it the newest
-- One line a unit and level; cost_bits is in what cost says (bits of codes or of all that is stored, weights, or subblocks), nmse
-- the mean relative error over the unit's layers.
SELECT s.unit, s.level_index, s.level, s.cost, s.cost_bits, count(s.layer) AS layer_count, avg(s.nmse) AS nmse
FROM space_choice s
WHERE s.space_id = (SELECT space_id FROM run_summary WHERE run = coalesce(nullif(:run, ''), run) ORDER BY run_id DESC LIMIT 1)
GROUP BY s.unit_index, s.unit, s.level_index, s.level, s.cost, s.cost_bits ORDER BY s.unit_index, s.level_index;

-- @lineage: From which parents does a run descend?
-- :run (text): which run; without it the newest
-- Parents of all generations, those of the runs that it branched from first; switch_count is how far each is from the one before.
WITH chosen AS (
  SELECT run FROM run_summary WHERE run = coalesce(nullif(:run, ''), run) ORDER BY run_id DESC LIMIT 1)
SELECT l.ancestor_run, l.generation, l.switch_count, substr(l.parent_assignment, 1, 12) AS parent
FROM chosen c JOIN run_lineage l ON l.run = c.run ORDER BY l.depth DESC, l.generation;
