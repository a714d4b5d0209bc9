extension TableDescription {
  // MARK: The file itself

  static let catalogProperty = TableDescription(
    "catalog_property", .local, [.key("name", .text), .local("value", .text)])

  static let numerics = TableDescription(
    "numerics", .content, check: RowKeys.checkNumerics,
    [
      .id, .key("digest", .blob), .shared("blas_version", .text), .shared("blas_core", .text),
      .shared("kernels", .text),
    ])

  static let blob = TableDescription(
    "blob", .accompanying,
    [
      .id, .key("digest", .blob), .implied("byte_count", .integer, by: "the bytes of the digest"),
      .provenance("chunk_count", .integer, "0 in a file without the bytes"),
    ])

  static let blobChunk = TableDescription(
    "blob_chunk", .accompanying, partOf: "blob", hasRowCheck: false,
    [
      .key("blob_id", to: "blob"), .key("chunk_index", .integer),
      .implied("bytes", .blob, by: "the blob's digest"),
    ])

  // MARK: Models

  static let model = TableDescription(
    "model", .content, naming: Naming(key: "digest"), check: RowKeys.checkModels,
    [
      .id, .key("digest", .blob), .provenance("name", .text, "what the users of a file call it"),
      .shared("architecture", .text), .shared("architecture_revision", .integer), .shared("configuration", .text),
      .shared("block_count", .integer), .shared("parameter_count", .integer),
      .shared("compressible_weight_count", .integer),
    ])

  static let modelSource = TableDescription(
    "model_source", .local, isUnproven: true,
    [
      .key("model_id", to: "model"), .local("folder", .text), .local("fingerprint", .text),
      .local("tokenizer_digest", .blob).optional, .local("imported_at", .text),
    ])

  static let tensor = TableDescription(
    "tensor", .content, partOf: "model",
    [
      .key("model_id", to: "model"), .key("name", .text), .shared("dtype", .text), .shared("shape", .text),
      .shared("digest", .blob),
    ])

  static let site = TableDescription(
    "site", .content, partOf: "model",
    [
      .id, .key("model_id", to: "model"), .key("name", .text), .shared("block_index", .integer),
      .shared("width", .integer),
    ])

  static let weight = TableDescription(
    "weight", .content, check: RowKeys.checkWeights,
    [
      .id, .key("digest", .blob), .shared("output_count", .integer), .shared("input_count", .integer),
      .shared("dense_bits", .integer),
    ])

  static let layer = TableDescription(
    "layer", .content, partOf: "model",
    [
      .id, .key("model_id", to: "model"), .shared("layer_index", .integer), .key("name", .text),
      .shared("block_index", .integer), .shared("subblock", .text), .shared("role", .text),
      .shared("site_id", to: "site"), .shared("weight_id", to: "weight"),
    ])

  // MARK: Texts

  static let sequence = TableDescription(
    "sequence", .content, check: RowKeys.checkSequences,
    [
      .id, .key("digest", .blob), .shared("token_count", .integer), .implied("token_ids", .blob, by: "the digest"),
    ])

  static let sequenceList = TableDescription(
    "sequence_list", .content, check: RowKeys.checkSequenceLists,
    [
      .id, .key("digest", .blob), .shared("sequence_count", .integer), .shared("token_count", .integer),
      .shared("prediction_count", .integer),
    ])

  static let sequenceListItem = TableDescription(
    "sequence_list_item", .content, partOf: "sequence_list",
    [
      .key("sequence_list_id", to: "sequence_list"), .key("position", .integer),
      .shared("sequence_id", to: "sequence"),
    ])

  static let dataSet = TableDescription(
    "data_set", .provenance, isUnproven: true, naming: Naming(key: "sequence_list_id"),
    [
      .id, .key("name", .text), .shared("sequence_list_id", to: "sequence_list"),
      .shared("tokenizer_digest", .blob).optional, .shared("text_digest", .blob).optional, .shared("options", .text),
      .shared("dropped_token_count", .integer), .provenance("created_at", .text, "when it was made in a file"),
    ])

  // MARK: Calibration and compression

  static let method = TableDescription(
    "method", .content, check: RowKeys.checkMethods,
    [
      .id, .key("digest", .blob), .shared("name", .text), .shared("revision", .integer), .shared("parameters", .text),
      .implied("canonical", .text, by: "the digest"),
    ])

  static let statistic = TableDescription(
    "statistic", .content, check: RowKeys.checkStatistics,
    [
      .id, .key("recipe_key", .blob), .key("content_key", .blob), .shared("kind", .text), .shared("revision", .integer),
      .shared("site_id", to: "site"), .shared("sequence_list_id", to: "sequence_list"),
      .shared("upstream_method_id", to: "method").optional, .shared("upstream_level", .text).optional,
      .provenance("diagonal_blob_id", to: "blob", "each file decides what it keeps").optional.dispensable()
        .holding("statistics"),
      .provenance("matrix_blob_id", to: "blob", "each file decides what it keeps").optional.dispensable()
        .holding("statistics"),
      .provenance("numerics_id", to: "numerics", "several arithmetics may come to the same content"),
    ])

  static let variant = TableDescription(
    "variant", .content, check: RowKeys.checkVariants,
    [
      .id, .key("recipe_key", .blob), .key("content_key", .blob), .shared("weight_id", to: "weight"),
      .shared("method_id", to: "method"), .shared("level", .text), .shared("bits", .real).optional,
      .shared("sparsity", .real).optional, .shared("statistic_recipe_key", .blob).optional,
      .provenance("statistic_id", to: "statistic", "several realisations of the statistic may lead to the same content")
        .optional,
      .shared("nmse", .real).optional, .shared("code_bits", .integer), .shared("stored_bits", .integer),
      .shared("blob_id", to: "blob").holding("packed variants"), .shared("damping_used", .real).optional,
      .shared("dead_input_count", .integer), .shared("trouble", .text).optional,
      .provenance("numerics_id", to: "numerics", "several arithmetics may come to the same content"),
    ])

  static let assignment = TableDescription(
    "assignment", .content, check: RowKeys.checkAssignments,
    [
      .id, .key("digest", .blob), .shared("setting_digest", .blob), .shared("model_id", to: "model"),
      .implied("variant_ids", .text, by: "the digest, of their content keys").listing("variant"),
      .shared("dropped_subblocks", .text), .shared("code_bits", .integer), .shared("stored_bits", .integer),
    ])

  // MARK: Evaluations

  static let measure = TableDescription(
    "measure", .content, check: RowKeys.checkMeasures,
    [
      .id, .key("digest", .blob), .shared("name", .text), .shared("top_k", .integer).optional,
      .shared("first_token", .integer).optional, .shared("reference", .text), .shared("revision", .integer),
    ])

  static let observation = TableDescription(
    "observation", .content, isUnproven: true, winner: .smaller("sum"), check: RowKeys.checkObservations,
    [
      .key("assignment_id", to: "assignment"), .key("measure_id", to: "measure"), .key("sequence_id", to: "sequence"),
      .key("numerics_id", to: "numerics"), .key("attempt", .integer), .shared("sum", .real).optional,
      .shared("prediction_count", .integer), .shared("outcome", .text),
      .provenance("job_id", to: "job", "several processes may find the same answer"),
    ])

  static let observationVoid = TableDescription(
    "observation_void", .content, isUnproven: true,
    [
      .key("assignment_id", to: "assignment"), .key("measure_id", to: "measure"), .key("sequence_id", to: "sequence"),
      .key("numerics_id", to: "numerics"), .key("attempt", .integer), .key("voided_at", .text),
      .key("voided_by", .text),
      .key("reason", .text),
    ])

  static let teacherState = TableDescription(
    "teacher_state", .cache,
    [
      .key("model_id", to: "model"), .key("sequence_id", to: "sequence"), .key("numerics_id", to: "numerics"),
      .local("hidden_blob_id", to: "blob").holding("dense states"),
    ])

  static let calibrationStream = TableDescription(
    "calibration_stream", .cache,
    [
      .key("recipe_key", .blob), .local("numerics_id", to: "numerics"),
      .local("blob_id", to: "blob").holding("calibration streams"),
    ])

  static let blockScore = TableDescription(
    "block_score", .local, isUnproven: true,
    [
      .key("model_id", to: "model"), .key("sequence_list_id", to: "sequence_list"), .key("kind", .text),
      .key("parameter", .integer), .key("revision", .integer), .key("block_index", .integer),
      .key("numerics_id", to: "numerics"), .local("value", .real),
    ])

  static let monotonicityCount = TableDescription(
    "monotonicity_count", .local, isUnproven: true,
    [
      .key("sequence_list_id", to: "sequence_list"), .key("measure_id", to: "measure"), .key("kind", .text),
      .local("assignment_count", .integer), .local("pair_count", .integer), .local("violation_count", .integer),
    ])

  static let monotonicityPair = TableDescription(
    "monotonicity_pair", .local, isUnproven: true,
    [
      .key("sequence_list_id", to: "sequence_list"), .key("measure_id", to: "measure"), .key("kind", .text),
      .key("lighter_assignment_id", to: "assignment"), .key("heavier_assignment_id", to: "assignment"),
      .local("lighter_error", .real), .local("heavier_error", .real), .local("difference", .real),
      .local("standard_error", .real),
    ])

  // MARK: Multiple choice

  static let task = TableDescription(
    "task", .content, standsAlone: true, check: RowKeys.checkTasks,
    [
      .id, .key("digest", .blob), .provenance("name", .text, "the same choices may come from files of other names"),
      .shared("item_count", .integer),
    ])

  static let taskChoice = TableDescription(
    "task_choice", .content, partOf: "task",
    [
      .key("task_id", to: "task"), .key("item_index", .integer), .key("choice_index", .integer),
      .shared("sequence_id", to: "sequence"), .shared("measure_id", to: "measure"), .shared("is_answer", .integer),
      .shared("character_count", .integer), .shared("byte_count", .integer),
    ])

  // MARK: Runs

  static let space = TableDescription(
    "space", .content, check: RowKeys.checkSpaces,
    [.id, .key("digest", .blob), .shared("model_id", to: "model"), .shared("cost", .text)])

  static let spaceUnit = TableDescription(
    "space_unit", .accompanying, partOf: "space",
    [
      .key("space_id", to: "space"), .key("unit_index", .integer), .shared("name", .text), .shared("size_group", .text),
      .shared("name_group", .text), .shared("weight_count", .integer),
    ])

  static let spaceLevel = TableDescription(
    "space_level", .accompanying, partOf: "space",
    [
      .key("space_id", to: "space"), .key("unit_index", .integer), .key("level_index", .integer),
      .shared("cost_bits", .integer), .shared("label", .text),
    ])

  static let spaceMember = TableDescription(
    "space_member", .accompanying, partOf: "space",
    [
      .key("space_id", to: "space"), .key("unit_index", .integer), .key("level_index", .integer),
      .key("layer_id", to: "layer"), .shared("variant_id", to: "variant").optional, .shared("dropped", .integer),
    ])

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
    [
      .id, .key("uuid", .text), .shared("name", .text), .shared("recipe_digest", .blob), .shared("strategy", .text),
      .shared("engine_revision", .integer), .shared("recipe", .text), .shared("model_id", to: "model"),
      .shared("space_id", to: "space"), .shared("budget_bits", .integer), .shared("measure_id", to: "measure"),
      .shared("calibration_set_id", to: "data_set"), .shared("validation_set_id", to: "data_set").optional,
      .shared("origin_run_id", to: "run").optional
        .dispensable(["origin_run_id": .null, "origin_generation": .null]),
      .shared("origin_generation", .integer).optional, .shared("dense_assignment_id", to: "assignment"),
      .shared("start_assignment_id", to: "assignment").optional.dispensable(),
      .shared("reference_assignment_id", to: "assignment").optional,
      .shared("found_assignment_id", to: "assignment").optional
        .dispensable(["found_assignment_id": .null, "recommendation": .null, "state": .text("open")]),
      .shared("recommendation", .text).optional, .shared("state", .text),
      .provenance("created_at", .text, "when it began"),
    ])

  static let generation = TableDescription(
    "generation", .provenance, check: RowKeys.checkGenerationRows,
    [
      .key("run_id", to: "run"), .key("generation_index", .integer), .shared("content_digest", .blob),
      .shared("parent_assignment_id", to: "assignment"), .shared("missing_offspring_count", .integer),
      .provenance("job_id", to: "job", "a generation that is computed again closes with the same content"),
      .provenance("closed_at", .text, "as job_id"),
    ])

  static let candidate = TableDescription(
    "candidate", .provenance,
    [
      .key("run_id", to: "run"), .key("generation_index", .integer), .key("candidate_index", .integer),
      .shared("assignment_id", to: "assignment"), .shared("role", .text), .shared("switch_count", .integer),
    ])

  static let stage = TableDescription(
    "stage", .provenance,
    [
      .key("run_id", to: "run"), .key("generation_index", .integer), .key("stage_index", .integer),
      .shared("minibatch_id", to: "sequence_list"),
    ])

  static let stageResult = TableDescription(
    "stage_result", .provenance,
    [
      .key("run_id", to: "run"), .key("generation_index", .integer), .key("stage_index", .integer),
      .key("candidate_index", .integer), .shared("sum", .real).optional, .shared("prediction_count", .integer),
      .shared("fitness", .real).optional, .shared("survived", .integer),
    ])

  static let job = TableDescription(
    "job", .accompanying, winner: .later("updated_at"), check: RowKeys.checkJobs,
    [
      .id, .key("uuid", .text), .provenance("command", .text, process),
      .provenance("run_id", to: "run", process).optional.dispensable(), .provenance("evodb_version", .text, process),
      .provenance("numerics_id", to: "numerics", process), .provenance("user_name", .text, process),
      .provenance("host_name", .text, process), .provenance("started_at", .text, process),
      .provenance("updated_at", .text, process), .provenance("outcome", .text, process),
      .provenance("message", .text, process).optional, .provenance("forward_token_count", .integer, process),
      .provenance("forward_block_token_count", .integer, process), .provenance("evaluation_count", .integer, process),
      .provenance("cache_hit_count", .integer, process), .provenance("estimated_seconds", .real, process).optional,
      .provenance("estimated_peak_memory_bytes", .integer, process).optional,
      .provenance("estimated_forward_token_count", .integer, process).optional,
      .provenance("estimated_disk_bytes", .integer, process).optional, .provenance("elapsed_seconds", .real, process),
      .provenance("peak_memory_bytes", .integer, process), .provenance("disk_bytes", .integer, process),
    ])

  private static let process = "what a process did and where; of two states the later one stays"

  // MARK: All

  /// All tables: parents before children, and before those whose parts are their children.
  static let all: [TableDescription] = [
    catalogProperty, numerics, blob, blobChunk, weight, model, modelSource, tensor, site, layer, sequence, sequenceList,
    sequenceListItem, dataSet, method, statistic, variant, assignment, measure, observationVoid, teacherState,
    calibrationStream, blockScore, monotonicityCount, monotonicityPair, task, taskChoice, space, spaceUnit, spaceLevel,
    spaceMember, run, candidate, stage, stageResult, job, observation, generation,
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
