/// A stored answer with everything that it takes to compute it again.
public struct StoredObservation: Equatable, Sendable {
  /// Of which weights.
  public var assignmentID: Int64
  /// On which tokens.
  public var sequence: SequenceRecord
  /// The question.
  public var measure: MeasureRecord
  /// Local id of the arithmetic that answered.
  public var numericsID: Int64
  /// The answer.
  public var observation: Observation
}

extension CatalogTransaction {
  /// How many answers there are.
  public func observationCount() throws -> Int64 { try connection.integer("SELECT count(*) FROM observation") ?? 0 }

  /// The answer at a place (0-based) in the order of the table; nil behind the last.
  public func observation(at place: Int64) throws -> StoredObservation? {
    try connection.firstRow(
      """
      SELECT o.assignment_id, o.sequence_id, s.digest AS sequence, s.token_ids, o.numerics_id, o.sum,
        o.prediction_count, \(MeasureRecord.columns(of: "m"))
      FROM (SELECT * FROM observation LIMIT 1 OFFSET ?) o JOIN sequence s ON s.id = o.sequence_id
      JOIN measure m ON m.id = o.measure_id
      """, [.integer(place)]
    ) { row in
      StoredObservation(
        assignmentID: row.integer("assignment_id"),
        sequence: SequenceRecord(
          id: row.integer("sequence_id"), digest: try row.value("sequence"),
          tokenIDs: SequenceRecord.tokenIDs(row.bytes("token_ids"))),
        measure: try MeasureRecord(row), numericsID: row.integer("numerics_id"), observation: try Observation(row))
    }
  }

  /// Local id of an arithmetic; nil if nothing here was computed with it.
  public func id(ofNumerics numerics: NumericsRecord) throws -> Int64? { try id(of: numerics.digest, in: .numerics) }
}
