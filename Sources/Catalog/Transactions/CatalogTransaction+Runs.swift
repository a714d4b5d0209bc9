import Foundation

extension CatalogTransaction {
  /// Stores a space, or finds it.
  public func store(space: SpaceRecord) throws -> SpaceRecord {
    var space = space
    let digest = space.digest
    if let id = try id(of: digest, in: .space) {
      space.id = id
      return space
    }
    space.id = try rows.insert(
      .space, ["digest": .digest(digest), "model_id": .integer(space.modelID), "cost": .text(space.cost)])
    // Rows in the order of the columns: there are thousands.
    for (unitIndex, unit) in space.units.enumerated() {
      let unitKey: [SQLValue] = [.integer(space.id), .integer(unitIndex)]
      try rows.insert(
        .spaceUnit,
        row: unitKey + [
          .text(unit.name), .text(unit.sizeGroup), .text(unit.nameGroup), .integer(unit.weightCount),
        ])
      for (levelIndex, level) in unit.levels.enumerated() {
        let levelKey = unitKey + [.integer(levelIndex)]
        try rows.insert(.spaceLevel, row: levelKey + [.integer(level.cost), .text(level.label)])
        for member in level.members {
          try rows.insert(
            .spaceMember,
            row: levelKey + [.integer(member.layerID), .integer(member.variantID), .flag(member.isDropped)])
        }
      }
    }
    return space
  }

  /// A space by its local id.
  public func space(id: Int64) throws -> SpaceRecord {
    let head = try connection.firstRow(
      "SELECT s.model_id, m.digest AS model, s.cost FROM space s JOIN model m ON m.id = s.model_id WHERE s.id = ?",
      [.integer(id)]
    ) {
      SpaceRecord(modelID: $0.integer("model_id"), modelDigest: try $0.value("model"), cost: $0.text("cost"), units: [])
    }
    guard var space = head else { throw CatalogError.damaged("space \(id) is missing") }
    space.id = id
    space.units = try records("WHERE space_id = ? ORDER BY unit_index", [.integer(id)])
    try connection.forEachRow(
      """
      SELECT l.unit_index, l.level_index, \(SpaceRecord.Level.columns(of: "l")), y.id AS layer_id, y.name AS layer,
        y.layer_index, m.variant_id, v.content_key, m.is_dropped
      FROM space_level l LEFT JOIN space_member m ON m.space_id = l.space_id AND m.unit_index = l.unit_index
        AND m.level_index = l.level_index
      LEFT JOIN layer y ON y.id = m.layer_id LEFT JOIN variant v ON v.id = m.variant_id
      WHERE l.space_id = ? ORDER BY l.unit_index, l.level_index, y.layer_index
      """, [.integer(id)]
    ) { row in
      let unit: Int = try row.value("unit_index")
      guard space.units.indices.contains(unit) else {
        throw CatalogError.damaged("space \(id): a level without its unit")
      }
      if row.integer("level_index") == Int64(space.units[unit].levels.count) {
        space.units[unit].levels.append(try SpaceRecord.Level(row))
      }
      // A level that says nothing about any layer: what covers others, and is not dropped.
      guard let layerID: Int64 = try row.value("layer_id"), let last = space.units[unit].levels.indices.last else {
        return
      }
      let member = SpaceRecord.Member(
        layerID: layerID, layerName: row.text("layer"), layerIndex: try row.value("layer_index"),
        variantID: try row.value("variant_id"), contentKey: try row.value("content_key"),
        isDropped: try row.value("is_dropped"))
      space.units[unit].levels[last].members.append(member)
    }
    return space
  }

  /// Stores a new run.
  ///
  /// - Throws: `CatalogError.nameTaken`.
  public func begin(run: RunRecord) throws -> RunRecord {
    try CatalogName.require(run.name, of: "run")
    if try connection.integer("SELECT 1 FROM run WHERE name = ?", [.text(run.name)]) != nil {
      throw CatalogError.nameTaken("a run called \(run.name) has another recipe", remedy: .choose(.name, values: []))
    }
    var run = run
    run.id = try rows.insert(
      .run,
      run.values.merging([
        "uuid": .text(UUID().uuidString.lowercased()), "created_at": .text(Timestamp.now()),
      ]) { $1 })
    return run
  }

  /// Stores how a run stands now.
  public func update(run: RunRecord) throws { try rows.update(.run, id: run.id, run.values) }

  /// All runs in the order of their making.
  public func runs() throws -> [RunRecord] { try records("ORDER BY id") }

  /// The run called `name`; with nil, the only one, or the newest that is open.
  ///
  /// - Throws: `CatalogError.notFound`.
  public func run(_ name: String?) throws -> RunRecord {
    let all = try runs()
    if let name { return try Self.only(all.filter { $0.name == name }, "run", name, all.map(\.name)) }
    if all.count == 1 { return all[0] }
    if let open = all.last(where: { !$0.isFinished }) { return open }
    guard !all.isEmpty else {
      throw CatalogError.notFound("the catalog holds no run", remedy: .startSearch)
    }
    throw CatalogError.notFound(
      "the catalog holds several runs; name one of: \(all.map(\.name).joined(separator: ", "))")
  }

  /// The run with this recipe, the finished one first; nil if there is none.
  public func run(recipeDigest: Digest) throws -> RunRecord? {
    let all = try runs().filter { $0.recipeDigest == recipeDigest }
    return all.first { $0.isFinished } ?? all.last
  }

  /// Closes a generation.
  public func store(generation: StoredGeneration, ofRun runID: Int64, jobID: Int64) throws {
    let key: [String: SQLValue] = ["run_id": .integer(runID), "generation_index": .integer(generation.index)]
    try rows.insert(
      .generation,
      key.merging([
        "content_digest": .digest(generation.digest),
        "parent_assignment_id": .integer(generation.winner.id),
        "missing_offspring_count": .integer(generation.missingCount), "job_id": .integer(jobID),
        "closed_at": .text(Timestamp.now()),
      ]) { $1 })
    for (index, candidate) in generation.candidates.enumerated() {
      try rows.insert(
        .candidate,
        key.merging([
          "candidate_index": .integer(index), "assignment_id": .integer(candidate.assignment.id),
          "role": .text(candidate.role.rawValue), "switch_count": .integer(candidate.switchCount),
        ]) { $1 })
    }
    for stage in generation.stages {
      let stageKey = key.merging(["stage_index": .integer(stage.index)]) { $1 }
      try rows.insert(.stage, stageKey.merging(["minibatch_id": .integer(stage.minibatch.id)]) { $1 })
      for result in stage.results {
        try rows.insert(
          .stageResult,
          stageKey.merging([
            "candidate_index": .integer(result.candidateIndex), "sum": .real(result.observation.sum),
            "prediction_count": .integer(result.observation.predictionCount), "fitness": .real(result.fitness),
            "is_survivor": .flag(result.survived),
          ]) { $1 })
      }
    }
  }

  /// The last closed generation and the parent it ended with; nil if none is closed.
  public func lastGeneration(ofRun runID: Int64) throws -> (index: Int, parent: AssignmentRecord)? {
    let head = try connection.firstRow(
      """
      SELECT generation_index, parent_assignment_id FROM generation WHERE run_id = ?
      ORDER BY generation_index DESC LIMIT 1
      """, [.integer(runID)]
    ) { (index: try $0.value("generation_index") as Int, parentID: $0.integer("parent_assignment_id")) }
    return try head.map { ($0.index, try assignment(id: $0.parentID)) }
  }

  /// The setting of all layers of an assignment; nil if they differ, or one is dense or dropped. Layers of different
  /// sizes have equal sparsities up to rounding to whole weights.
  public func uniformSetting(ofAssignment assignmentID: Int64) throws -> UniformSetting? {
    try connection.firstRow(
      """
      SELECT CASE WHEN count(DISTINCT level) = 1 THEN min(level) END AS common_level,
        sum(sparsity * weight_count) / sum(weight_count) AS average_sparsity
      FROM assignment_layer WHERE assignment_id = ?
      HAVING count(level) = count(*) AND count(DISTINCT method) = 1 AND (count(DISTINCT level) = 1
        OR count(sparsity) = count(*) AND max(sparsity - 1.0 / weight_count) < min(sparsity + 1.0 / weight_count))
      """, [.integer(assignmentID)]
    ) { UniformSetting(level: try $0.value("common_level"), sparsity: try $0.value("average_sparsity")) }
  }

  /// How many random starts and offspring a run's recipe asked for that do not exist.
  public func missingOffspring(ofRun runID: Int64) throws -> (starts: Int, offspring: Int) {
    let sums = try connection.firstRow(
      """
      SELECT sum(missing_offspring_count * (generation_index = 0)) AS starts,
        sum(missing_offspring_count * (generation_index > 0)) AS offspring
      FROM generation WHERE run_id = ?
      """, [.integer(runID)]
    ) { (starts: try $0.value("starts") as Int, offspring: try $0.value("offspring") as Int) }
    return sums ?? (0, 0)
  }

  /// The report of a run, as the view `run_result` gives it.
  public func results(ofRun name: String) throws -> [RunResult] {
    try rows.settle()
    return try connection.allRows(
      """
      SELECT point, data_set, data_set_role, measure, value, standard_error, difference, difference_standard_error,
        average_bits, average_stored_bits, stored_bytes, sparsity, dropped_subblock_count, assignment
      FROM run_result WHERE run = ? ORDER BY data_set_role, point, measure
      """, [.text(name)]
    ) { row in
      guard let assignment = Digest(hex: row.text("assignment")), let point = RunPoint(rawValue: row.text("point")),
        let role = DataSetRole(rawValue: row.text("data_set_role"))
      else { throw CatalogError.damaged("the results of run \(name)") }
      return RunResult(
        point: point, dataSet: row.text("data_set"), role: role, measure: row.text("measure"),
        value: try row.value("value"), standardError: try row.value("standard_error"),
        difference: try row.value("difference"), differenceStandardError: try row.value("difference_standard_error"),
        averageBits: try row.value("average_bits"), averageStoredBits: try row.value("average_stored_bits"),
        storedByteCount: row.integer("stored_bytes"), sparsity: try row.value("sparsity"),
        droppedSubblockCount: try row.value("dropped_subblock_count"), assignment: assignment)
    }
  }
}
