extension CatalogTransaction {
  /// The scores of a model's blocks, by block: those of these numerics, else those of the smallest numerics digest.
  public func blockScores(
    modelID: Int64, sequenceListID: Int64, kind: String, parameter: Int, revision: Int, preferring numericsID: Int64
  ) throws -> [Double] {
    var scores: [Double] = []
    try connection.forEachRow(
      """
      SELECT s.block_index, s.value FROM block_score s JOIN numerics n ON n.id = s.numerics_id
      WHERE s.model_id = ? AND s.sequence_list_id = ? AND s.kind = ? AND s.parameter = ? AND s.revision = ?
      ORDER BY s.block_index, s.numerics_id <> ?, n.digest
      """,
      [
        .integer(modelID), .integer(sequenceListID), .text(kind), .integer(parameter), .integer(revision),
        .integer(numericsID),
      ]
    ) { row in
      if row.integer("block_index") == Int64(scores.count) { scores.append(try row.value("value")) }
    }
    return scores
  }

  /// Stores the score of a block; one that is there from the same numerics stays.
  public func store(
    blockScore value: Double, ofBlock block: Int, modelID: Int64, sequenceListID: Int64, kind: String, parameter: Int,
    revision: Int, numericsID: Int64
  ) throws {
    let known = try connection.integer(
      """
      SELECT 1 FROM block_score WHERE model_id = ? AND sequence_list_id = ? AND kind = ? AND parameter = ?
        AND revision = ? AND block_index = ? AND numerics_id = ?
      """,
      [
        .integer(modelID), .integer(sequenceListID), .text(kind), .integer(parameter), .integer(revision),
        .integer(block), .integer(numericsID),
      ])
    guard known == nil else { return }
    try rows.insert(
      .blockScore,
      [
        "model_id": .integer(modelID), "sequence_list_id": .integer(sequenceListID), "kind": .text(kind),
        "parameter": .integer(parameter), "revision": .integer(revision), "block_index": .integer(block),
        "numerics_id": .integer(numericsID), "value": .real(value),
      ])
  }
}
