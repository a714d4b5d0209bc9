import Foundation

extension RowKeys {
  func checkSpaces(_ report: Report) throws {
    var spaces: [(id: Int64, digest: [UInt8])] = []
    try connection.forEachRow("SELECT id, digest FROM space") { spaces.append(($0.integer(0), $0.bytes(1))) }
    for space in spaces {
      try compare(space.digest, try transaction.space(id: space.id).digest, "space", report)
    }
  }

  func checkRuns(_ report: Report) throws {
    try connection.forEachRow(
      """
      SELECT r.recipe_digest, r.name, r.strategy, r.engine_revision, r.recipe, s.digest, c.digest, v.digest
      FROM run r JOIN space s ON s.id = r.space_id
      JOIN data_set cs ON cs.id = r.calibration_set_id JOIN sequence_list c ON c.id = cs.sequence_list_id
      LEFT JOIN data_set vs ON vs.id = r.validation_set_id LEFT JOIN sequence_list v ON v.id = vs.sequence_list_id
      """
    ) { row in
      let expected = RunRecord.recipeDigest(
        strategy: row.text(2), engineRevision: Int(row.integer(3)), recipe: row.text(4), space: try row.digest(5),
        calibration: try row.digest(6), validation: row.isNull(7) ? nil : try row.digest(7))
      try compare(row.bytes(0), expected, "run", report, name: row.text(1))
    }
    try checkRunRows(report)
  }

  /// What of a run follows from its generations, or cannot be.
  private func checkRunRows(_ report: Report) throws {
    var origins: [Int64: Int64] = [:]
    try connection.forEachRow(
      """
      SELECT r.id, r.name, r.uuid, r.budget_bits >= 0
          AND (r.origin_generation IS NULL OR r.origin_generation BETWEEN 0 AND 1000000000)
          AND (r.state = 'open' OR r.found_assignment_id IS NOT NULL), r.origin_run_id,
        r.found_assignment_id IS NULL OR r.found_assignment_id IS (SELECT g.parent_assignment_id FROM generation g
          WHERE g.run_id = r.id ORDER BY g.generation_index DESC LIMIT 1)
      FROM run r
      """
    ) { row in
      let name = row.text(1)
      func defect(_ detail: String) throws { try report(RowDefect(table: "run", row: name, detail: detail)) }
      if UUID(uuidString: row.text(2)) == nil { try defect("its UUID is none") }
      if row.integer(3) != 1 { try defect("its budget, its origin or its state cannot be") }
      if row.integer(5) != 1 { try defect("its result is not the parent that its last generation ended with") }
      if let origin = row.optionalInteger(4) { origins[row.integer(0)] = origin }
    }
    for run in origins.keys.sorted() {
      var steps = 0
      var place = run
      while let next = origins[place], steps <= origins.count { (place, steps) = (next, steps + 1) }
      if steps > origins.count {
        return try report(RowDefect(table: "run", row: "\(run)", detail: "its origins lead in a circle"))
      }
    }
  }

  /// Fitness follows from the sums.
  func checkStageResults(_ report: Report) throws {
    try connection.forEachRow(
      """
      SELECT r.name, x.generation_index, x.stage_index, x.candidate_index FROM stage_result x
      JOIN run r ON r.id = x.run_id JOIN measure m ON m.id = r.measure_id
      WHERE (x.sum IS NULL) <> (x.fitness IS NULL) OR x.prediction_count < 1
        -- A product of numbers that are equal but for their last bits.
        OR abs(x.fitness - CASE m.name WHEN 'perplexity' THEN exp(x.sum / x.prediction_count)
          ELSE x.sum / x.prediction_count END) > 1e-9 * abs(x.fitness)
      """
    ) { row in
      try report(
        RowDefect(
          table: "stage_result",
          row:
            "of candidate \(row.integer(3)) in stage \(row.integer(2)) of generation \(row.integer(1)) of run \(row.text(0))",
          detail: "its fitness is not that of its sum"))
    }
  }

  func checkGenerations(_ report: Report) throws {
    var places: [(run: Int64, index: Int, name: String)] = []
    try connection.forEachRow(
      "SELECT g.run_id, g.generation_index, r.name FROM generation g JOIN run r ON r.id = g.run_id"
    ) { row in places.append((row.integer(0), Int(row.integer(1)), row.text(2))) }
    for place in places {
      let name = "\(place.index) of run \(place.name)"
      guard let generation = try transaction.generation(place.index, ofRun: place.run) else {
        let detail = "its candidates and stages are not numbered from 0, or speak of rows that are not there"
        try report(RowDefect(table: "generation", row: name, detail: detail))
        continue
      }
      if generation.content.digest != generation.digest {
        try report(RowDefect(table: "generation", row: name, detail: "its digest is not that of its content"))
      }
    }
  }
}
