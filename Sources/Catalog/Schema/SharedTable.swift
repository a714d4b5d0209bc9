/// What two catalogs have in common of a table: a query whose column names and values make a row's canonical bytes.
///
/// What a file has only for itself is left out: local ids, a model's name, times, people, machines, which of several
/// numerics happened to make a statistic or a variant first, and which matrices are kept.
struct SharedTable {
  /// The table.
  var name: String
  /// Its shared columns, with digests in the place of local ids.
  var sql: String

  /// The tables to which the first columns point by local ids, whose digests take their place; for a table that is
  /// large enough for joins to matter.
  var parents: [String]

  private init(_ name: String, _ sql: String, parents: [String] = []) {
    self.name = name
    self.sql = sql
    self.parents = parents
  }

  /// Everything that is content-addressed.
  static let contents: [SharedTable] = [
    SharedTable("numerics", "SELECT digest, blas_version, blas_core, kernels FROM numerics"),
    SharedTable(
      "model",
      """
      SELECT digest, architecture, architecture_revision, configuration, block_count, parameter_count,
        compressible_weight_count FROM model
      """),
    SharedTable(
      "tensor",
      """
      SELECT m.digest AS model, t.name, t.dtype, t.shape, t.digest FROM tensor t JOIN model m ON m.id = t.model_id
      """),
    SharedTable(
      "site",
      """
      SELECT m.digest AS model, s.name, s.block_index, s.width FROM site s JOIN model m ON m.id = s.model_id
      """),
    SharedTable("weight", "SELECT digest, output_count, input_count, dense_bits FROM weight"),
    SharedTable(
      "layer",
      """
      SELECT m.digest AS model, l.layer_index, l.name, l.block_index, l.subblock, l.role, s.name AS site,
        w.digest AS weight
      FROM layer l JOIN model m ON m.id = l.model_id JOIN site s ON s.id = l.site_id JOIN weight w ON w.id = l.weight_id
      """),
    SharedTable("sequence", "SELECT digest, token_count FROM sequence"),
    SharedTable(
      "sequence_list", "SELECT digest, sequence_count, token_count, prediction_count FROM sequence_list"),
    SharedTable(
      "sequence_list_item",
      """
      SELECT l.digest AS list, i.position, s.digest AS sequence FROM sequence_list_item i
      JOIN sequence_list l ON l.id = i.sequence_list_id JOIN sequence s ON s.id = i.sequence_id
      """),
    SharedTable("method", "SELECT digest, name, revision, parameters FROM method"),
    SharedTable(
      "statistic",
      """
      SELECT t.recipe_key, t.content_key, t.kind, t.revision, o.digest AS model, s.name AS site, l.digest AS list,
        m.digest AS upstream_method, t.upstream_level
      FROM statistic t JOIN site s ON s.id = t.site_id JOIN model o ON o.id = s.model_id
      JOIN sequence_list l ON l.id = t.sequence_list_id LEFT JOIN method m ON m.id = t.upstream_method_id
      """),
    SharedTable(
      "variant",
      """
      SELECT v.recipe_key, v.content_key, w.digest AS weight, m.digest AS method, v.level, v.bits, v.sparsity,
        v.statistic_recipe_key, v.nmse, v.code_bits, v.stored_bits, b.digest AS content, v.damping_used,
        v.dead_input_count, v.trouble
      FROM variant v JOIN weight w ON w.id = v.weight_id JOIN method m ON m.id = v.method_id
      JOIN blob b ON b.id = v.blob_id
      """),
    SharedTable(
      "assignment",
      """
      SELECT a.digest, a.setting_digest, m.digest AS model, a.dropped_subblocks, a.code_bits, a.stored_bits
      FROM assignment a JOIN model m ON m.id = a.model_id
      """),
    SharedTable("measure", "SELECT digest, name, top_k, first_token, reference, revision FROM measure"),
    SharedTable(
      "observation",
      """
      SELECT assignment_id, measure_id, sequence_id, numerics_id, attempt, sum, prediction_count, outcome FROM observation
      """, parents: ["assignment", "measure", "sequence", "numerics"]),
    SharedTable(
      "observation_void",
      """
      SELECT a.digest AS assignment, m.digest AS measure, s.digest AS sequence, n.digest AS numerics, v.attempt,
        v.voided_at, v.voided_by, v.reason
      FROM observation_void v JOIN assignment a ON a.id = v.assignment_id JOIN measure m ON m.id = v.measure_id
      JOIN sequence s ON s.id = v.sequence_id JOIN numerics n ON n.id = v.numerics_id
      """),
    SharedTable("task", "SELECT digest, item_count FROM task"),
    SharedTable(
      "task_choice",
      """
      SELECT t.digest AS task, c.item_index, c.choice_index, s.digest AS sequence, m.digest AS measure, c.is_answer,
        c.character_count, c.byte_count
      FROM task_choice c JOIN task t ON t.id = c.task_id JOIN sequence s ON s.id = c.sequence_id
      JOIN measure m ON m.id = c.measure_id
      """),
    SharedTable("space", "SELECT s.digest, m.digest AS model, s.cost FROM space s JOIN model m ON m.id = s.model_id"),
  ]

  /// Who did what with it, by name.
  static let provenance: [SharedTable] = [
    SharedTable(
      "data_set",
      """
      SELECT d.name, l.digest AS list, d.tokenizer_digest, d.text_digest, d.options, d.dropped_token_count
      FROM data_set d JOIN sequence_list l ON l.id = d.sequence_list_id
      """),
    SharedTable(
      "run",
      """
      SELECT r.name, r.strategy, r.engine_revision, r.recipe_digest, r.recipe, m.digest AS model, p.digest AS space,
        r.budget_bits, e.digest AS measure, c.name AS calibration_set, v.name AS validation_set, o.name AS origin,
        r.origin_generation, d.digest AS dense, s.digest AS start, f.digest AS reference, g.digest AS found,
        r.recommendation, r.state
      FROM run r JOIN model m ON m.id = r.model_id JOIN space p ON p.id = r.space_id
      JOIN measure e ON e.id = r.measure_id JOIN data_set c ON c.id = r.calibration_set_id
      JOIN assignment d ON d.id = r.dense_assignment_id LEFT JOIN data_set v ON v.id = r.validation_set_id
      LEFT JOIN run o ON o.id = r.origin_run_id LEFT JOIN assignment s ON s.id = r.start_assignment_id
      LEFT JOIN assignment f ON f.id = r.reference_assignment_id LEFT JOIN assignment g ON g.id = r.found_assignment_id
      """),
    SharedTable(
      "generation",
      """
      SELECT r.name AS run, g.generation_index, g.content_digest, a.digest AS parent, g.missing_offspring_count
      FROM generation g JOIN run r ON r.id = g.run_id JOIN assignment a ON a.id = g.parent_assignment_id
      """),
    SharedTable(
      "candidate",
      """
      SELECT r.name AS run, c.generation_index, c.candidate_index, a.digest AS assignment, c.role, c.switch_count
      FROM candidate c JOIN run r ON r.id = c.run_id JOIN assignment a ON a.id = c.assignment_id
      """),
    SharedTable(
      "stage",
      """
      SELECT r.name AS run, s.generation_index, s.stage_index, l.digest AS minibatch
      FROM stage s JOIN run r ON r.id = s.run_id JOIN sequence_list l ON l.id = s.minibatch_id
      """),
    SharedTable(
      "stage_result",
      """
      SELECT r.name AS run, x.generation_index, x.stage_index, x.candidate_index, x.sum, x.prediction_count, x.fitness,
        x.survived
      FROM stage_result x JOIN run r ON r.id = x.run_id
      """),
  ]
}
