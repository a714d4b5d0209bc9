import Foundation

extension RowKeys {
  func checkSpaces(_ report: Report) throws {
    let spaces = try connection.allRows("SELECT id, digest FROM space") {
      (id: $0.integer("id"), digest: $0.bytes("digest"))
    }
    for space in spaces {
      if let detail = try spaceFlaw(space.id) {
        try report(RowDefect(table: "space", row: short(space.digest), detail: detail, key: [.integer(space.id)]))
      } else {
        try compare(space.digest, try transaction.space(id: space.id).digest, "space", space.id, report)
      }
    }
  }

  /// Returns the first contradiction among the parts of a space, or with the rows they point to; nil: none.
  private func spaceFlaw(_ id: Int64) throws -> String? {
    let key: [SQLValue] = [.integer(id)]
    func exists(_ sql: String) throws -> Bool { try connection.integer("SELECT 1 \(sql) LIMIT 1", key) != nil }
    // Numbered from 0, in the order of a window function that counts them.
    if try exists(
      """
      FROM (SELECT unit_index AS i, row_number() OVER (ORDER BY unit_index) AS n FROM space_unit WHERE space_id = ?)
      WHERE i <> n - 1
      """)
      || exists(
        """
        FROM (SELECT level_index AS i, row_number() OVER (PARTITION BY unit_index ORDER BY level_index) AS n
          FROM space_level WHERE space_id = ?) WHERE i <> n - 1
        """)
    {
      return "its units and levels are not numbered from 0"
    }
    if try exists(
      """
      FROM space_level l WHERE l.space_id = ? AND NOT EXISTS (SELECT 1 FROM space_unit u
        WHERE u.space_id = l.space_id AND u.unit_index = l.unit_index)
      """)
      || exists(
        """
        FROM space_member m WHERE m.space_id = ? AND NOT EXISTS (SELECT 1 FROM space_level l
          WHERE l.space_id = m.space_id AND l.unit_index = m.unit_index AND l.level_index = m.level_index)
        """)
    {
      return "a level without its unit, or a layer without its level"
    }
    if try exists(
      """
      FROM space_member m JOIN space s ON s.id = m.space_id LEFT JOIN layer l ON l.id = m.layer_id
        LEFT JOIN variant v ON v.id = m.variant_id
      WHERE m.space_id = ? AND (l.model_id IS NOT s.model_id
        OR m.variant_id IS NOT NULL AND (m.is_dropped OR v.weight_id IS NOT l.weight_id))
      """)
    {
      return "a layer is another model's, or has a variant of another layer"
    }
    return nil
  }

  func checkRuns(_ report: Report) throws {
    try connection.forEachRow(
      """
      SELECT r.id, r.recipe_digest, r.name, r.strategy, r.engine_revision, r.recipe, s.digest AS space,
        c.digest AS calibration, v.digest AS validation
      FROM run r JOIN space s ON s.id = r.space_id
      JOIN data_set cs ON cs.id = r.calibration_set_id JOIN sequence_list c ON c.id = cs.sequence_list_id
      LEFT JOIN data_set vs ON vs.id = r.validation_set_id LEFT JOIN sequence_list v ON v.id = vs.sequence_list_id
      """
    ) { row in
      let expected = RunRecord.recipeDigest(
        strategy: row.text("strategy"), engineRevision: try row.value("engine_revision"), recipe: row.text("recipe"),
        space: try row.value("space"), calibration: try row.value("calibration"),
        validation: try row.value("validation"))
      try compare(
        row.bytes("recipe_digest"), expected, "run", row.integer("id"), report, name: row.text("name"))
    }
    try checkRunRows(report)
    try checkRunAssignments(report)
    try checkRunForest(report)
  }

  /// Checks the columns of a run that follow from its generations, and those with impossible values.
  private func checkRunRows(_ report: Report) throws {
    try connection.forEachRow(
      """
      SELECT r.id, r.name, r.uuid, r.budget_bits >= 0
          AND (r.origin_generation IS NULL OR r.origin_generation BETWEEN 0 AND 1000000000)
          -- SQLite holds CHECK constraints against rows only where it may write.
          AND (r.state = 'open' OR r.state = 'finished' AND r.found_assignment_id IS NOT NULL) AS is_possible,
        r.found_assignment_id IS NULL OR r.found_assignment_id IS (SELECT g.parent_assignment_id FROM generation g
          WHERE g.run_id = r.id ORDER BY g.generation_index DESC LIMIT 1) AS is_result_last,
        EXISTS (SELECT 1 FROM generation g WHERE g.run_id = r.id) AS has_generations, r.start_assignment_id,
        (SELECT g.parent_assignment_id FROM generation g WHERE g.run_id = r.id AND g.generation_index = 0) AS first_id
      FROM run r
      """
    ) { row in
      func defect(_ detail: String, mend: [String: SQLValue]? = nil) throws {
        try report(
          RowDefect(
            table: "run", row: row.text("name"), detail: detail, key: [.integer(row.integer("id"))], mend: mend))
      }
      if UUID(uuidString: row.text("uuid")) == nil { try defect("its UUID is none") }
      if row.integer("is_possible") != 1 { try defect("its budget, its origin or its state cannot be") }
      if row.integer("is_result_last") != 1 {
        var mend: [String: SQLValue] = ["found_assignment_id": .null, "recommendation": .null, "state": .text("open")]
        if row.integer("has_generations") != 1 { mend["start_assignment_id"] = .null }
        try defect("its result is not the parent that its last generation ended with", mend: mend)
      }
      let start: Int64? = try row.value("start_assignment_id")
      if let first: Int64 = try row.value("first_id"), first != start {
        try defect(
          "its first parent is not the one that generation 0 ended with",
          mend: ["start_assignment_id": .integer(first)])
      }
    }
  }

  /// The assignments that a run names are of its model, and the dense one is.
  private func checkRunAssignments(_ report: Report) throws {
    try connection.forEachRow(
      """
      SELECT r.id, r.name, s.model_id = r.model_id AND d.model_id = r.model_id AND d.dropped_subblocks = '[]'
          AND NOT EXISTS (SELECT 1 FROM assignment a WHERE a.model_id <> r.model_id
            AND a.id IN (r.start_assignment_id, r.reference_assignment_id, r.found_assignment_id)) AS is_of_model,
        d.variant_ids
      FROM run r JOIN space s ON s.id = r.space_id JOIN assignment d ON d.id = r.dense_assignment_id
      """
    ) { row in
      // `[null,null]`: no layer has a variant.
      guard row.integer("is_of_model") != 1 || row.text("variant_ids").contains(where: \.isNumber) else { return }
      try report(
        RowDefect(
          table: "run", row: row.text("name"), detail: "its space or an assignment it names is not what it says",
          key: [.integer(row.integer("id"))]))
    }
  }

  /// Origins lead to a beginning, generations follow each other, and branches lie where their UUID says.
  private func checkRunForest(_ report: Report) throws {
    var runs: [Int64: RunForest.Run] = [:]
    try connection.forEachRow("SELECT id, uuid, name, origin_run_id, origin_generation FROM run") { row in
      let id = row.integer("id")
      runs[id] = RunForest.Run(
        id: id, uuid: row.text("uuid"), name: row.text("name"), originID: try row.value("origin_run_id"),
        originGeneration: try row.value("origin_generation"))
    }
    try RunForest.readGenerations(of: &runs, from: connection)
    for run in runs.values.sorted(by: { $0.id < $1.id }) {
      var (steps, place) = (0, run.id)
      while let next = runs[place]?.originID, steps <= runs.count { (place, steps) = (next, steps + 1) }
      guard steps > runs.count else { continue }
      return try report(
        RowDefect(
          table: "run", row: run.name, detail: "its origins lead in a circle", key: [.integer(run.id)],
          mend: ["origin_run_id": .null, "origin_generation": .null]))
    }
    let forest = try RunForest(runs.values.sorted { $0.id < $1.id }, onDefect: report)
    for run in forest.misplaced {
      try report(
        RowDefect(
          table: "run", row: run.name, detail: "its UUID is not that of its place among the branches",
          key: [.integer(run.id)]))
    }
  }

  /// Fitness follows from the sums, except of candidates that were stopped early: theirs is an estimate for the whole stage.
  private func checkStageResults(_ report: Report) throws {
    let key = TableDescription.stageResult.identityColumns
    try connection.forEachRow(
      """
      SELECT r.name, \(key.map { "x.\($0)" }.joined(separator: ", ")) FROM stage_result x
      JOIN run r ON r.id = x.run_id JOIN measure m ON m.id = r.measure_id
      JOIN stage s ON s.run_id = x.run_id AND s.generation_index = x.generation_index AND s.stage_index = x.stage_index
      JOIN sequence_list l ON l.id = s.minibatch_id
      WHERE (x.sum IS NULL) <> (x.fitness IS NULL) OR x.prediction_count < 1
        OR x.prediction_count < l.prediction_count AND x.is_survivor
        -- A product of numbers that are equal but for their last bits.
        OR x.prediction_count >= l.prediction_count AND abs(x.fitness
          - CASE WHEN m.name LIKE 'perplexity%' THEN exp(x.sum / x.prediction_count)
            ELSE x.sum / x.prediction_count END) > 1e-9 * abs(x.fitness)
      """
    ) { row in
      try report(
        RowDefect(
          table: "stage_result",
          row: "of candidate \(row.integer("candidate_index")) in stage \(row.integer("stage_index")) "
            + "of generation \(row.integer("generation_index")) of run \(row.text("name"))",
          detail: "its fitness is not that of its sum", key: key.map { .integer(row.integer($0)) }))
    }
  }

  /// Reports candidates, stages and stage results whose generation is missing.
  private func checkGenerationParts(_ report: Report) throws {
    for table in TableDescription.all where table.isOfGeneration && table.name != "generation" {
      try connection.forEachRow(
        """
        SELECT \(table.identityColumns.joined(separator: ", ")) FROM \(table.name) p
        WHERE NOT EXISTS (SELECT 1 FROM generation g
          WHERE g.run_id = p.run_id AND g.generation_index = p.generation_index)
        """
      ) { row in
        try report(
          RowDefect(
            table: table.name, row: "of run \(row.integer("run_id"))",
            detail: "its generation \(row.integer("generation_index")) is missing", key: row.values))
      }
    }
  }

  func checkGenerationRows(_ report: Report) throws {
    try checkGenerations(report)
    try checkGenerationParts(report)
    try checkStageResults(report)
  }

  private func checkGenerations(_ report: Report) throws {
    let places = try connection.allRows(
      "SELECT g.run_id, g.generation_index, r.name FROM generation g JOIN run r ON r.id = g.run_id"
    ) { (run: $0.integer("run_id"), index: Int($0.integer("generation_index")), name: $0.text("name")) }
    for place in places {
      func defect(_ detail: String) throws {
        try report(
          RowDefect(
            table: "generation", row: "\(place.index) of run \(place.name)", detail: detail,
            key: [.integer(place.run), .integer(place.index)]))
      }
      guard let generation = try transaction.generation(place.index, ofRun: place.run) else {
        try defect("its candidates and stages are not numbered from 0, or speak of rows that are not there")
        continue
      }
      if generation.content.digest != generation.digest {
        try defect("its digest is not that of its content")
      }
    }
  }
}
