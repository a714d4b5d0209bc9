extension CatalogTransaction {
  /// The answers to a measure on all sequences of a list, of every assignment of a model that has them all.
  ///
  /// - Returns: sums over predictions, by assignment in the order of local ids, then by sequence in the order in which the
  ///   different ones first occur in the list; the number of predictions of every sequence, and how often it is listed.
  public func completeSums(modelID: Int64, measureID: Int64, sequenceListID: Int64) throws
    -> (assignments: [(id: Int64, sums: [Double])], predictionCounts: [Int], occurrenceCounts: [Int])
  {
    let listings = try connection.allRows(
      """
      SELECT s.token_count - 1 AS prediction_count, count(*) AS occurrence_count
      FROM sequence_list_item i JOIN sequence s ON s.id = i.sequence_id
      WHERE i.sequence_list_id = ? GROUP BY i.sequence_id ORDER BY min(i.position)
      """, [.integer(sequenceListID)]
    ) { (predictionCount: Int($0.integer("prediction_count")), count: Int($0.integer("occurrence_count"))) }
    try rows.settle()
    var result: [(id: Int64, sums: [Double])] = []
    var current: (id: Int64, sums: [Double])?
    func finish() {
      if let current, current.sums.count == listings.count { result.append(current) }
    }
    try connection.forEachRow(
      """
      SELECT a.id, e.sum FROM set_fitness f CROSS JOIN assignment a ON a.id = f.assignment_id
      CROSS JOIN (SELECT sequence_id, min(position) AS position
        FROM sequence_list_item WHERE sequence_list_id = ?1 GROUP BY sequence_id) i
      CROSS JOIN evaluation e
        ON e.assignment_id = f.assignment_id AND e.measure_id = f.measure_id AND e.sequence_id = i.sequence_id
      WHERE f.measure_id = ?2 AND f.data_set_id = (SELECT min(id) FROM data_set WHERE sequence_list_id = ?1)
        AND a.model_id = ?3 ORDER BY a.id, i.position
      """, [.integer(sequenceListID), .integer(measureID), .integer(modelID)]
    ) { row in
      let id = row.integer("id")
      if current?.id != id {
        finish()
        current = (id, [])
      }
      current?.sums.append(try row.value("sum"))
    }
    finish()
    return (result, listings.map(\.predictionCount), listings.map(\.count))
  }

  /// Relative layer error of every variant that has one, by local id.
  public func layerErrors() throws -> [Int64: Double] {
    var result: [Int64: Double] = [:]
    try connection.forEachRow("SELECT id, nmse FROM variant WHERE nmse IS NOT NULL") { row in
      result[row.integer("id")] = try row.value("nmse") as Double
    }
    return result
  }

  /// All measures.
  public func measures() throws -> [MeasureRecord] {
    try records("ORDER BY id")
  }

  /// Replaces what was known about pairs that break monotonicity.
  ///
  /// - Parameter measure: the label of the only measure that was looked at; nil: all were.
  public func replace(monotonicity findings: [MonotonicityFinding], measure: String? = nil) throws {
    for table in ["monotonicity_pair", "monotonicity_count"] {
      guard let measure else {
        try connection.run("DELETE FROM \(table)")
        continue
      }
      let ids = "SELECT measure_id FROM measure_summary WHERE measure = ?"
      try connection.run("DELETE FROM \(table) WHERE measure_id IN (\(ids))", [.text(measure)])
    }
    for finding in findings {
      let key: [String: SQLValue] = [
        "sequence_list_id": .integer(finding.sequenceListID), "measure_id": .integer(finding.measureID),
        "kind": .text(finding.kind),
      ]
      try rows.insert(
        .monotonicityCount,
        key.merging([
          "assignment_count": .integer(finding.assignmentCount), "pair_count": .integer(finding.pairCount),
          "violation_count": .integer(finding.violationCount),
        ]) { $1 })
      for pair in finding.pairs {
        try rows.insert(
          .monotonicityPair,
          key.merging([
            "lighter_assignment_id": .integer(pair.lighterID), "heavier_assignment_id": .integer(pair.heavierID),
            "lighter_error": .real(pair.lighterError), "heavier_error": .real(pair.heavierError),
            "difference": .real(pair.difference), "standard_error": .real(pair.standardError),
          ]) { $1 })
      }
    }
  }
}

/// Pairs of assignments where less error has the worse fitness, on one data set by one measure.
public struct MonotonicityFinding: Equatable, Sendable {
  /// A pair.
  public struct Pair: Equatable, Sendable {
    /// Local id of the one with less error.
    public var lighterID: Int64
    /// Local id of the better one.
    public var heavierID: Int64
    /// Sum of layer errors, or removed subblocks.
    public var lighterError: Double
    /// The same of the other.
    public var heavierError: Double
    /// Lighter minus heavier, above 0.
    public var difference: Double
    /// Of the difference.
    public var standardError: Double

    /// Creates a pair.
    public init(
      lighterID: Int64, heavierID: Int64, lighterError: Double, heavierError: Double, difference: Double,
      standardError: Double
    ) {
      self.lighterID = lighterID
      self.heavierID = heavierID
      self.lighterError = lighterError
      self.heavierError = heavierError
      self.difference = difference
      self.standardError = standardError
    }
  }

  /// Local id of the sequences.
  public var sequenceListID: Int64
  /// Local id of the measure.
  public var measureID: Int64
  /// `layer-error` or `subset`.
  public var kind: String
  /// Assignments compared.
  public var assignmentCount: Int
  /// Pairs compared.
  public var pairCount: Int
  /// Pairs that break monotonicity.
  public var violationCount: Int
  /// The most certain of them.
  public var pairs: [Pair]

  /// Creates a finding.
  public init(
    sequenceListID: Int64, measureID: Int64, kind: String, assignmentCount: Int, pairCount: Int, violationCount: Int,
    pairs: [Pair]
  ) {
    self.sequenceListID = sequenceListID
    self.measureID = measureID
    self.kind = kind
    self.assignmentCount = assignmentCount
    self.pairCount = pairCount
    self.violationCount = violationCount
    self.pairs = pairs
  }
}
