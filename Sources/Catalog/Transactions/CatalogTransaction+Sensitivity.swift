/// The cost of a single change of a base, from the view `unit_sensitivity`.
public struct UnitSensitivity: Equatable, Sendable {
  /// A layer's name, or the names of tied layers.
  public var unit: String
  /// The level that was measured, as its label in the space.
  public var level: String
  /// Rise of the mean over predictions, in nats.
  public var difference: Double
  /// Paired, over different sequences; nil for a single one.
  public var standardError: Double?
  /// Predicted tokens that both were evaluated on.
  public var predictionCount: Int
  /// Different sequences that both were evaluated on.
  public var distinctSequenceCount: Int
  /// Content key of the changed assignment.
  public var assignment: String
}

extension CatalogTransaction {
  /// Notes that an assignment is a base with one unit at another level.
  public func store(changeOf unit: String, to level: String, in assignmentID: Int64, from baseID: Int64) throws {
    guard assignmentID != baseID else { return }
    _ = try rows.insertIfNew(
      .unitChange, row: [.integer(baseID), .integer(assignmentID), .text(unit), .text(level)])
  }

  /// The changes that were measured around a base, the costliest first.
  ///
  /// - Parameter measure: its label.
  public func unitSensitivities(aroundAssignment baseID: Int64, measure: String) throws -> [UnitSensitivity] {
    var result: [UnitSensitivity] = []
    try connection.forEachRow(
      """
      SELECT unit, level, difference, standard_error, prediction_count, distinct_sequence_count, assignment
      FROM unit_sensitivity WHERE base_assignment_id = ? AND measure = ? ORDER BY difference DESC, unit, level
      """, [.integer(baseID), .text(measure)]
    ) { row in
      result.append(
        UnitSensitivity(
          unit: try row.value("unit"), level: try row.value("level"), difference: try row.value("difference"),
          standardError: try row.value("standard_error"), predictionCount: try row.value("prediction_count"),
          distinctSequenceCount: try row.value("distinct_sequence_count"), assignment: try row.value("assignment")))
    }
    return result
  }
}
