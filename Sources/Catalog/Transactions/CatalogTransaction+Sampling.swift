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
      SELECT o.assignment_id, o.numerics_id, o.sum, o.prediction_count, s.id AS sequence_id, s.digest AS sequence,
        s.token_ids, \(MeasureRecord.columns(of: "m"))
      FROM (SELECT * FROM observation LIMIT 1 OFFSET ?) o JOIN sequence s ON s.id = o.sequence_id
      JOIN measure m ON m.id = o.measure_id
      """, [.integer(place)]
    ) { row in
      let bytes = row.bytes(6)
      let tokens = bytes.withUnsafeBytes { buffer in
        (0..<buffer.count / 4).map { Int32(littleEndian: buffer.loadUnaligned(fromByteOffset: $0 * 4, as: Int32.self)) }
      }
      return StoredObservation(
        assignmentID: row.integer(0),
        sequence: SequenceRecord(id: row.integer(4), digest: try row.digest(5), tokenIDs: tokens),
        measure: try MeasureRecord(row),
        numericsID: row.integer(1),
        observation: Observation(sum: row.optionalReal(2), predictionCount: Int(row.integer(3))))
    }
  }

  /// Local id of an arithmetic; nil if nothing here was computed with it.
  public func id(ofNumerics numerics: NumericsRecord) throws -> Int64? { try id(of: numerics.digest, in: .numerics) }
}
