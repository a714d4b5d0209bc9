import Foundation

extension CatalogTransaction {
  /// Stores what computes, or finds it; the local id.
  public func store(numerics: NumericsRecord) throws -> Int64 {
    try intern(.numerics, numerics.digest, numerics.values)
  }

  /// Stores a measure, or finds it.
  public func store(measure: MeasureRecord) throws -> MeasureRecord {
    var measure = measure
    measure.id = try intern(.measure, measure.digest, measure.values)
    return measure
  }

  /// Stores an assignment, or finds it.
  ///
  /// - Parameters:
  ///   - variants: by layer index; nil: dense.
  ///   - methods: by local id.
  ///   - dropped: names of removed subblocks, `3.attention`.
  public func store(
    assignmentOf model: ModelRecord, layers: [LayerRecord], variants: [VariantRecord?], methods: [Int64: Digest],
    dropped: Set<String>
  ) throws -> AssignmentRecord {
    let key = AssignmentKey(model: model.digest, layers: layers, methods: methods)
    return try store(
      assignmentOf: model, layers: layers, choices: variants.map { $0.map(key.choice) }, key: key, dropped: dropped)
  }

  /// Stores an assignment, or finds it, by the keys of its model.
  ///
  /// - Parameter choices: by layer index, prepared by `key`; nil: dense.
  public func store(
    assignmentOf model: ModelRecord, layers: [LayerRecord], choices: [AssignmentKey.Choice?], key: AssignmentKey,
    dropped: Set<String>
  ) throws -> AssignmentRecord {
    precondition(layers.count == choices.count)
    let keys = key.digests(choices: choices, dropped: dropped)
    if let id = try id(of: keys.content, in: .assignment) { return try assignment(id: id) }
    var codeBits: Int64 = 0
    var storedBits: Int64 = 0
    var variantIDs: [Int64?] = []
    for (index, choice) in choices.enumerated() {
      let isDropped = !dropped.isEmpty && dropped.contains(layers[index].subblockName)
      variantIDs.append(isDropped ? nil : choice?.id)
      guard !isDropped else { continue }
      if let choice {
        codeBits += choice.codeBits
        storedBits += choice.storedBits
      } else {
        let denseBits = Int64(layers[index].weightCount) * Int64(layers[index].denseBits)
        codeBits += denseBits
        storedBits += denseBits
      }
    }
    let droppedList = dropped.sorted()
    let id = try rows.insert(
      .assignment,
      [
        "digest": .digest(keys.content), "setting_digest": .digest(keys.setting), "model_id": .integer(model.id),
        "variant_ids": .text("[\(variantIDs.map { $0.map { String($0) } ?? "null" }.joined(separator: ","))]"),
        "dropped_subblocks": .text("[\(droppedList.map { "\"\($0)\"" }.joined(separator: ","))]"),
        "code_bits": .integer(codeBits), "stored_bits": .integer(storedBits),
      ])
    return AssignmentRecord(
      id: id, digest: keys.content, modelID: model.id, variantIDs: variantIDs, droppedSubblocks: droppedList,
      codeBits: codeBits, storedBits: storedBits)
  }

  /// An assignment by its local id.
  ///
  /// - Throws: `CatalogError.damaged` if there is none, or its lists are not what they should be.
  public func assignment(id: Int64) throws -> AssignmentRecord {
    let record = try connection.firstRow(
      "SELECT digest, model_id, variant_ids, dropped_subblocks, code_bits, stored_bits FROM assignment WHERE id = ?",
      [.integer(id)]
    ) { row in
      let decoder = JSONDecoder()
      guard let ids = try? decoder.decode([Int64?].self, from: Data(row.text("variant_ids").utf8)),
        let dropped = try? decoder.decode([String].self, from: Data(row.text("dropped_subblocks").utf8))
      else { throw CatalogError.damaged("assignment \(id): its lists are not JSON arrays of the right type") }
      return AssignmentRecord(
        id: id, digest: try row.value("digest"), modelID: row.integer("model_id"), variantIDs: ids,
        droppedSubblocks: dropped, codeBits: row.integer("code_bits"), storedBits: row.integer("stored_bits"))
    }
    guard let record else { throw CatalogError.damaged("assignment \(id) is missing") }
    return record
  }

  /// The assignment whose digest starts with `prefix` (8 or more hexadecimal digits); nil if there is none.
  ///
  /// - Throws: `CatalogError.notFound` if several fit.
  public func assignment(digestPrefix prefix: String) throws -> AssignmentRecord? {
    let prefix = prefix.lowercased()
    guard prefix.count >= 8, let low = Hexadecimal.bytes(prefix.count % 2 == 0 ? prefix : prefix + "0") else {
      return nil
    }
    var ids: [Int64] = []
    try connection.forEachRow(
      "SELECT id, digest FROM assignment WHERE digest >= ? ORDER BY digest LIMIT 2", [.blob(low)]
    ) { row in
      let digest: Digest = try row.value("digest")
      if digest.hex.hasPrefix(prefix) { ids.append(row.integer("id")) }
    }
    guard ids.count < 2 else { throw CatalogError.notFound("\(prefix) fits several assignments; give more digits") }
    return try ids.first.map { try assignment(id: $0) }
  }

  /// The answer of these numerics, else the one with the smallest (numerics digest, attempt); nil if nobody answered or
  /// all answers are void.
  public func observation(assignmentID: Int64, measureID: Int64, sequenceID: Int64, preferring numericsID: Int64)
    throws -> Observation?
  {
    var best: (rank: (Int, [UInt8], Int64), observation: Observation)?
    try connection.forEachRow(
      """
      SELECT o.numerics_id, n.digest AS numerics, o.attempt, o.sum, o.prediction_count
      FROM observation o JOIN numerics n ON n.id = o.numerics_id
      WHERE o.assignment_id = ? AND o.measure_id = ? AND o.sequence_id = ? AND NOT EXISTS (
        SELECT 1 FROM observation_void v
        WHERE v.assignment_id = o.assignment_id AND v.measure_id = o.measure_id AND v.sequence_id = o.sequence_id
          AND v.numerics_id = o.numerics_id AND v.attempt = o.attempt)
      """, [.integer(assignmentID), .integer(measureID), .integer(sequenceID)]
    ) { row in
      let rank = (row.integer("numerics_id") == numericsID ? 0 : 1, row.bytes("numerics"), row.integer("attempt"))
      if let known = best?.rank {
        guard rank.0 <= known.0 else { return }
        if rank.0 == known.0 {
          if known.1.lexicographicallyPrecedes(rank.1) { return }
          if known.1 == rank.1, known.2 <= rank.2 { return }
        }
      }
      best = (rank, try Observation(row))
    }
    return best?.observation
  }

  /// Stores an answer; a valid one that is there from the same numerics stays, and where all are void it becomes the
  /// next attempt.
  public func store(
    observation: Observation, assignmentID: Int64, measureID: Int64, sequenceID: Int64, numericsID: Int64, jobID: Int64
  ) throws {
    let question: [SQLValue] = [
      .integer(assignmentID), .integer(measureID), .integer(sequenceID), .integer(numericsID),
    ]
    guard let attempt = try nextAttempt(question) else { return }
    let sum = SQLValue.real(observation.sum)
    // In the order of the columns: of these rows a search stores thousands.
    try rows.insert(
      .observation,
      row: question + [
        .integer(attempt), sum, .integer(observation.predictionCount), .text(sum == .null ? "diverged" : "finite"),
        .integer(jobID),
      ])
  }

  /// The cached last hidden state of the dense model, float32 bytes [tokens, hidden]; nil if these numerics made none.
  public func teacherState(modelID: Int64, sequenceID: Int64, numericsID: Int64) throws -> [UInt8]? {
    try keyedTeacherState(modelID: modelID, sequenceID: sequenceID, numericsID: numericsID)?.bytes
  }

  /// The cached last hidden state of the dense model with its SHA-256, which its bytes were checked against.
  public func keyedTeacherState(
    modelID: Int64, sequenceID: Int64, numericsID: Int64
  ) throws -> (bytes: [UInt8], key: Digest)? {
    let blobID = try connection.integer(
      "SELECT hidden_blob_id FROM teacher_state WHERE model_id = ? AND sequence_id = ? AND numerics_id = ?",
      [.integer(modelID), .integer(sequenceID), .integer(numericsID)])
    return try blobID.map { try keyedBlob($0) }
  }

  /// Caches the last hidden state of the dense model.
  ///
  /// - Parameter key: SHA-256 of its bytes; nil: it is made.
  public func store(
    teacherState bytes: [UInt8], key: Digest? = nil, modelID: Int64, sequenceID: Int64, numericsID: Int64
  ) throws {
    let known = try connection.integer(
      "SELECT 1 FROM teacher_state WHERE model_id = ? AND sequence_id = ? AND numerics_id = ?",
      [.integer(modelID), .integer(sequenceID), .integer(numericsID)])
    guard known == nil else { return }
    try rows.insert(
      .teacherState,
      [
        "model_id": .integer(modelID), "sequence_id": .integer(sequenceID), "numerics_id": .integer(numericsID),
        "hidden_blob_id": .integer(try store(blob: bytes, digest: key)),
      ])
  }
}

/// Fitness on a whole data set, as the view `evaluation_summary` gives it.
public struct EvaluationSummary: Equatable, Sendable {
  /// The measure's label: `kl`, `topk-kl:10`, `perplexity`.
  public var measure: String
  /// Mean, or perplexity.
  public var value: Double
  /// Over different sequences; nil: there is but one.
  public var standardError: Double?
}

extension CatalogTransaction {
  /// The measures in which an assignment has a finite answer on every sequence of a data set.
  public func evaluationSummaries(ofAssignment assignmentID: Int64, dataSetID: Int64) throws -> [EvaluationSummary] {
    try rows.settle()
    return try connection.allRows(
      "SELECT measure, value, standard_error FROM evaluation_summary WHERE assignment_id = ? AND data_set_id = ?",
      [.integer(assignmentID), .integer(dataSetID)]
    ) { row in
      EvaluationSummary(
        measure: row.text("measure"), value: try row.value("value"), standardError: try row.value("standard_error"))
    }
  }

  /// The assignments with a value on a whole data set, by local id, the lowest value first.
  ///
  /// - Parameter limit: how many at most.
  public func assignments(byValueOnDataSet dataSetID: Int64, measure: String, limit: Int) throws -> [Int64] {
    try rows.settle()
    return try connection.allRows(
      """
      SELECT assignment_id FROM evaluation_summary WHERE data_set_id = ? AND measure = ?
      ORDER BY value, assignment LIMIT ?
      """, [.integer(dataSetID), .text(measure), .integer(Int64(limit))]
    ) { try $0.value("assignment_id") }
  }
}
