extension TableDescription {
  // MARK: The file itself

  static let catalogProperty = TableDescription(
    "catalog_property", .local,
    .key(.text, "name"), .local(.text, "value"))

  static let numerics = TableDescription(
    "numerics", .content, check: RowKeys.checkNumerics,
    .id, .key(.blob, "digest"), .shared(.text, "blas_version", "blas_core", "kernels"))

  static let blob = TableDescription(
    "blob", .accompanying,
    .id, .key(.blob, "digest"), .implied(.integer, "byte_count", by: "the bytes of the digest"),
    .provenance(.integer, "chunk_count", because: "0 in a file without the bytes"))

  static let blobChunk = TableDescription(
    "blob_chunk", .accompanying, partOf: "blob", hasRowCheck: false,
    .key(to: "blob", "blob_id"), .key(.integer, "chunk_index"), .implied(.blob, "bytes", by: "the blob's digest"))

  // MARK: Models

  static let model = TableDescription(
    "model", .content, agreed: ["architecture", "architecture_revision"], naming: Naming(key: "digest"),
    check: RowKeys.checkModels,
    .id, .key(.blob, "digest"), .provenance(.text, "name", because: "what the users of a file call it"),
    .shared(.text, "architecture"), .shared(.integer, "architecture_revision"), .shared(.text, "configuration"),
    .shared(.integer, "block_count", "parameter_count", "compressible_weight_count"))

  static let modelSource = TableDescription(
    "model_source", .local, isUnproven: true,
    .key(to: "model", "model_id"), .local(.text, "folder", "fingerprint"), .local(.blob, "tokenizer_digest").optional,
    .local(.text, "imported_at"))

  static let tensor = TableDescription(
    "tensor", .content, partOf: "model",
    .key(to: "model", "model_id"), .key(.text, "name"), .shared(.text, "dtype", "shape"), .shared(.blob, "digest"))

  static let site = TableDescription(
    "site", .content, partOf: "model",
    .id, .key(to: "model", "model_id"), .key(.text, "name"), .shared(.integer, "block_index", "width"))

  static let weight = TableDescription(
    "weight", .content, check: RowKeys.checkWeights,
    .id, .key(.blob, "digest"), .shared(.integer, "output_count", "input_count", "dense_bits"))

  static let layer = TableDescription(
    "layer", .content, partOf: "model",
    .id, .key(to: "model", "model_id"), .shared(.integer, "layer_index"), .key(.text, "name"),
    .shared(.integer, "block_index"), .shared(.text, "subblock", "role"), .shared(to: "site", "site_id"),
    .shared(to: "weight", "weight_id"))

  // MARK: Texts

  static let sequence = TableDescription(
    "sequence", .content, check: RowKeys.checkSequences,
    .id, .key(.blob, "digest"), .shared(.integer, "token_count"), .implied(.blob, "token_ids", by: "the digest"))

  static let sequenceList = TableDescription(
    "sequence_list", .content, check: RowKeys.checkSequenceLists,
    .id, .key(.blob, "digest"), .shared(.integer, "sequence_count", "token_count", "prediction_count"))

  static let sequenceListItem = TableDescription(
    "sequence_list_item", .content, partOf: "sequence_list",
    .key(to: "sequence_list", "sequence_list_id"), .key(.integer, "position"), .shared(to: "sequence", "sequence_id"))

  static let dataSet = TableDescription(
    "data_set", .provenance, isUnproven: true, naming: Naming(key: "sequence_list_id"),
    .id, .key(.text, "name"), .shared(to: "sequence_list", "sequence_list_id"),
    .shared(.blob, "tokenizer_digest", "text_digest").optional, .shared(.text, "options"),
    .shared(.integer, "dropped_token_count"), .provenance(.text, "created_at", because: "when it was made in a file"))

  // MARK: Calibration and compression

  static let method = TableDescription(
    "method", .content, check: RowKeys.checkMethods,
    .id, .key(.blob, "digest"), .shared(.text, "name"), .shared(.integer, "revision"), .shared(.text, "parameters"),
    .implied(.text, "canonical", by: "the digest"))

  static let statistic = TableDescription(
    "statistic", .content, check: RowKeys.checkStatistics,
    .id, .key(.blob, "recipe_key", "content_key"), .shared(.text, "kind"), .shared(.integer, "revision"),
    .shared(to: "site", "site_id"), .shared(to: "sequence_list", "sequence_list_id"),
    .shared(to: "method", "upstream_method_id").optional, .shared(.text, "upstream_level").optional,
    .provenance(to: "blob", "diagonal_blob_id", "matrix_blob_id", because: "each file decides what it keeps").optional
      .dispensable().holding("statistics"),
    .provenance(to: "numerics", "numerics_id", because: "several arithmetics may come to the same content"))

  static let variant = TableDescription(
    "variant", .content, check: RowKeys.checkVariants,
    .id, .key(.blob, "recipe_key", "content_key"), .shared(to: "weight", "weight_id"),
    .shared(to: "method", "method_id"), .shared(.text, "level"), .shared(.real, "bits", "sparsity").optional,
    .shared(.blob, "statistic_recipe_key").optional,
    .provenance(
      to: "statistic", "statistic_id", because: "several realisations of the statistic may lead to the same content"
    ).optional,
    .shared(.real, "nmse").optional, .shared(.integer, "code_bits", "stored_bits"),
    .shared(to: "blob", "blob_id").holding("packed variants"), .shared(.real, "damping_used").optional,
    .shared(.integer, "dead_input_count"), .shared(.text, "trouble").optional,
    .provenance(to: "numerics", "numerics_id", because: "several arithmetics may come to the same content"))

  static let assignment = TableDescription(
    "assignment", .content, check: RowKeys.checkAssignments,
    .id, .key(.blob, "digest"), .shared(.blob, "setting_digest"), .shared(to: "model", "model_id"),
    .implied(.text, "variant_ids", by: "the digest, of their content keys").listing("variant"),
    .shared(.text, "dropped_subblocks"), .shared(.integer, "code_bits", "stored_bits"))

  // MARK: Evaluations

  static let measure = TableDescription(
    "measure", .content, check: RowKeys.checkMeasures,
    .id, .key(.blob, "digest"), .shared(.text, "name"), .shared(.integer, "top_k", "first_token").optional,
    .shared(.text, "reference"), .shared(.integer, "revision"))

  static let observation = TableDescription(
    "observation", .content, isUnproven: true, winner: .smaller("sum"), check: RowKeys.checkObservations,
    .key(to: "assignment", "assignment_id"), .key(to: "measure", "measure_id"), .key(to: "sequence", "sequence_id"),
    .key(to: "numerics", "numerics_id"), .key(.integer, "attempt"), .shared(.real, "sum").optional,
    .shared(.integer, "prediction_count"), .shared(.text, "outcome"),
    .provenance(to: "job", "job_id", because: "several processes may find the same answer"))

  static let observationVoid = TableDescription(
    "observation_void", .content, isUnproven: true,
    .key(to: "assignment", "assignment_id"), .key(to: "measure", "measure_id"), .key(to: "sequence", "sequence_id"),
    .key(to: "numerics", "numerics_id"), .key(.integer, "attempt"), .key(.text, "voided_at", "voided_by", "reason"))

  static let setFitness = TableDescription(
    "set_fitness", .derived,
    .key(to: "assignment", "assignment_id"), .key(to: "measure", "measure_id"), .key(to: "data_set", "data_set_id"),
    .local(.integer, "distinct_sequence_count", "prediction_count"), .local(.real, "sum", "residual_square_sum"))

  static let teacherState = TableDescription(
    "teacher_state", .cache,
    .key(to: "model", "model_id"), .key(to: "sequence", "sequence_id"), .key(to: "numerics", "numerics_id"),
    .local(to: "blob", "hidden_blob_id").holding("dense states"))

  static let calibrationStream = TableDescription(
    "calibration_stream", .cache,
    .key(.blob, "recipe_key"), .local(to: "numerics", "numerics_id"),
    .local(to: "blob", "blob_id").holding("calibration streams"))

  static let blockScore = TableDescription(
    "block_score", .local, isUnproven: true,
    .key(to: "model", "model_id"), .key(to: "sequence_list", "sequence_list_id"), .key(.text, "kind"),
    .key(.integer, "parameter", "revision", "block_index"), .key(to: "numerics", "numerics_id"),
    .local(.real, "value"))

  static let monotonicityCount = TableDescription(
    "monotonicity_count", .local, isUnproven: true,
    .key(to: "sequence_list", "sequence_list_id"), .key(to: "measure", "measure_id"), .key(.text, "kind"),
    .local(.integer, "assignment_count", "pair_count", "violation_count"))

  static let monotonicityPair = TableDescription(
    "monotonicity_pair", .local, isUnproven: true,
    .key(to: "sequence_list", "sequence_list_id"), .key(to: "measure", "measure_id"), .key(.text, "kind"),
    .key(to: "assignment", "lighter_assignment_id", "heavier_assignment_id"),
    .local(.real, "lighter_error", "heavier_error", "difference", "standard_error"))

  static let unitChange = TableDescription(
    "unit_change", .content, since: 2, isUnproven: true,
    .key(to: "assignment", "base_assignment_id", "assignment_id"), .shared(.text, "unit", "level"))

  // MARK: Multiple choice

  static let task = TableDescription(
    "task", .content, standsAlone: true, check: RowKeys.checkTasks,
    .id, .key(.blob, "digest"),
    .provenance(.text, "name", because: "the same choices may come from files of other names"),
    .shared(.integer, "item_count"))

  static let taskChoice = TableDescription(
    "task_choice", .content, partOf: "task",
    .key(to: "task", "task_id"), .key(.integer, "item_index", "choice_index"), .shared(to: "sequence", "sequence_id"),
    .shared(to: "measure", "measure_id"), .shared(.integer, "is_answer", "character_count", "byte_count"))

  // MARK: Runs

  static let space = TableDescription(
    "space", .content, check: RowKeys.checkSpaces,
    .id, .key(.blob, "digest"), .shared(to: "model", "model_id"), .shared(.text, "cost"))

  static let spaceUnit = TableDescription(
    "space_unit", .accompanying, partOf: "space",
    .key(to: "space", "space_id"), .key(.integer, "unit_index"), .shared(.text, "name", "size_group", "name_group"),
    .shared(.integer, "weight_count"))

  static let spaceLevel = TableDescription(
    "space_level", .accompanying, partOf: "space",
    .key(to: "space", "space_id"), .key(.integer, "unit_index", "level_index"), .shared(.integer, "cost_bits"),
    .shared(.text, "label"))

  static let spaceMember = TableDescription(
    "space_member", .accompanying, partOf: "space",
    .key(to: "space", "space_id"), .key(.integer, "unit_index", "level_index"), .key(to: "layer", "layer_id"),
    .shared(to: "variant", "variant_id").optional, .shared(.integer, "is_dropped"))

  static let run = TableDescription(
    "run", .provenance, standsAlone: true, isUnproven: true, naming: Naming(key: "uuid"),
    // Searches of the same recipe have UUIDs of their own: digests know a run by its name.
    digested: [
      "name", "strategy", "engine_revision", "recipe_digest", "recipe", "model_id", "space_id", "budget_bits",
      "measure_id", "calibration_set_id", "validation_set_id", "origin_run_id", "origin_generation",
      "dense_assignment_id", "start_assignment_id", "reference_assignment_id", "found_assignment_id", "recommendation",
      "state",
    ],
    citation: ["name"], check: RowKeys.checkRuns,
    .id, .key(.text, "uuid"), .shared(.text, "name"), .shared(.blob, "recipe_digest"), .shared(.text, "strategy"),
    .shared(.integer, "engine_revision"), .shared(.text, "recipe"), .shared(to: "model", "model_id"),
    .shared(to: "space", "space_id"), .shared(.integer, "budget_bits"), .shared(to: "measure", "measure_id"),
    .shared(to: "data_set", "calibration_set_id"), .shared(to: "data_set", "validation_set_id").optional,
    .shared(to: "run", "origin_run_id").optional.dispensable(["origin_run_id": .null, "origin_generation": .null]),
    .shared(.integer, "origin_generation").optional, .shared(to: "assignment", "dense_assignment_id"),
    .shared(to: "assignment", "start_assignment_id").optional.dispensable(),
    .shared(to: "assignment", "reference_assignment_id").optional,
    .shared(to: "assignment", "found_assignment_id").optional
      .dispensable(["found_assignment_id": .null, "recommendation": .null, "state": .text("open")]),
    .shared(.text, "recommendation").optional, .shared(.text, "state"),
    .provenance(.text, "created_at", because: "when it began"))

  static let generation = TableDescription(
    "generation", .provenance, check: RowKeys.checkGenerationRows,
    .key(to: "run", "run_id"), .key(.integer, "generation_index"), .shared(.blob, "content_digest"),
    .shared(to: "assignment", "parent_assignment_id"), .shared(.integer, "missing_offspring_count"),
    .provenance(to: "job", "job_id", because: "a generation that is computed again closes with the same content"),
    .provenance(.text, "closed_at", because: "as job_id"))

  static let candidate = TableDescription(
    "candidate", .provenance,
    .key(to: "run", "run_id"), .key(.integer, "generation_index", "candidate_index"),
    .shared(to: "assignment", "assignment_id"), .shared(.text, "role"), .shared(.integer, "switch_count"))

  static let stage = TableDescription(
    "stage", .provenance,
    .key(to: "run", "run_id"), .key(.integer, "generation_index", "stage_index"),
    .shared(to: "sequence_list", "minibatch_id"))

  static let stageResult = TableDescription(
    "stage_result", .provenance,
    .key(to: "run", "run_id"), .key(.integer, "generation_index", "stage_index", "candidate_index"),
    .shared(.real, "sum").optional, .shared(.integer, "prediction_count"), .shared(.real, "fitness").optional,
    .shared(.integer, "is_survivor"))

  static let job = TableDescription(
    "job", .accompanying, winner: .later("updated_at"), check: RowKeys.checkJobs,
    .id, .key(.text, "uuid"), .provenance(.text, "command", because: process),
    .provenance(to: "run", "run_id", because: process).optional.dispensable(),
    .provenance(.text, "evodb_version", because: process),
    .provenance(to: "numerics", "numerics_id", because: process),
    .provenance(.text, "user_name", "host_name", "started_at", "updated_at", "outcome", because: process),
    .provenance(.text, "message", because: process).optional,
    .provenance(
      .integer, "forward_token_count", "forward_block_token_count", "evaluation_count",
      "cache_hit_count", because: process),
    .provenance(.real, "estimated_seconds", because: process).optional,
    .provenance(
      .integer, "estimated_peak_memory_bytes", "estimated_forward_token_count", "estimated_disk_bytes",
      because: process
    ).optional,
    .provenance(.real, "elapsed_seconds", because: process),
    .provenance(.integer, "peak_memory_bytes", "disk_bytes", because: process))

  private static let process = "what a process did and where; of two states the later one stays"

  // MARK: All

  /// All tables: parents before children, and before those whose parts are their children.
  static let all: [TableDescription] = [
    catalogProperty, numerics, blob, blobChunk, weight, model, modelSource, tensor, site, layer, sequence, sequenceList,
    sequenceListItem, dataSet, method, statistic, variant, assignment, measure, observationVoid, setFitness,
    teacherState, calibrationStream, blockScore, monotonicityCount, monotonicityPair, unitChange, task, taskChoice,
    space, spaceUnit, spaceLevel, spaceMember, run, candidate, stage, stageResult, job, observation, generation,
  ]

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  /// The table called `name`.
  static func named(_ name: String) -> TableDescription {
    guard let table = byName[name] else { preconditionFailure("there is no table \(name)") }
    return table
  }

  /// The columns of all tables that point to rows of this one.
  var references: [(table: TableDescription, column: ColumnDescription)] {
    Self.all.flatMap { table in
      table.columns.filter { $0.parent == name || $0.listed == name }.map { (table, $0) }
    }
  }

  /// SQL for the ids that a column of this table holds.
  func ids(in column: ColumnDescription) -> String {
    guard column.listed != nil else {
      return "SELECT \(column.name) FROM \(name)" + (column.isRequired ? "" : " WHERE \(column.name) IS NOT NULL")
    }
    return "SELECT j.value FROM \(name) t JOIN json_each(t.\(column.name)) j WHERE j.value IS NOT NULL"
  }

  /// SQL for the ids of all blobs that something points to.
  static let usedBlobs = blob.references.filter { $0.table.owner != "blob" }
    .map { $0.table.ids(in: $0.column) }.joined(separator: " UNION ")
}
