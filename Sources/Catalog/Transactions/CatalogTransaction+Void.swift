import Foundation

/// Which observations: those that fit every part that is given.
public struct ObservationSelection: Equatable, Sendable {
  /// Local id of the weights.
  public var assignmentID: Int64?
  /// Local id of the list whose sequences count: the content of a data set.
  public var sequenceListID: Int64?
  /// Local id of the question.
  public var measureID: Int64?
  /// Local id of the process that computed it.
  public var jobID: Int64?
  /// Local id of the arithmetic that answered.
  public var numericsID: Int64?

  /// All observations.
  public init() {}
}

/// Counts of the observations, assignments and runs that voiding concerns.
public struct VoidSummary: Equatable, Sendable {
  /// Observations that fit.
  public var observationCount: Int
  /// Of these, void before.
  public var alreadyVoidCount: Int
  /// Assignments they belong to.
  public var assignmentCount: Int
  /// Runs with candidates of these assignments.
  public var runCount: Int
}

extension CatalogTransaction {
  private static let isVoid = """
    EXISTS (SELECT 1 FROM observation_void v WHERE v.assignment_id = o.assignment_id AND v.measure_id = o.measure_id
      AND v.sequence_id = o.sequence_id AND v.numerics_id = o.numerics_id AND v.attempt = o.attempt)
    """

  /// Counts what `void` would declare wrong, and what is void already. Changes nothing.
  public func voidSummary(_ selections: [ObservationSelection]) throws -> VoidSummary {
    let key = TableDescription.observation.identityColumns
    var found = Set<[Int64]>()
    var void = 0
    var assignments = Set<Int64>()
    for selection in selections {
      let (condition, values) = selection.sql
      try connection.forEachRow(
        """
        SELECT \(key.map { "o.\($0)" }.joined(separator: ", ")), \(Self.isVoid) AS is_void
        FROM observation o WHERE \(condition)
        """, values
      ) { row in
        guard found.insert(key.map { row.integer($0) }).inserted else { return }
        void += row.integer("is_void") != 0 ? 1 : 0
        assignments.insert(row.integer("assignment_id"))
      }
    }
    var runs = Set<Int64>()
    for id in assignments {
      runs.formUnion(
        try connection.integers("SELECT run_id FROM candidate WHERE assignment_id = ?", [.integer(id)]))
    }
    return VoidSummary(
      observationCount: found.count, alreadyVoidCount: void, assignmentCount: assignments.count, runCount: runs.count)
  }

  /// Declares observations wrong: they stay, and nothing uses them any more. Those that are void already are left alone.
  ///
  /// - Returns: how many became void.
  @discardableResult
  public func void(
    _ selections: [ObservationSelection], reason: String, by person: String, at time: String = Timestamp.now()
  ) throws -> Int {
    let names = TableDescription.observation.identityColumns
    var count = 0
    for selection in selections {
      let (condition, values) = selection.sql
      let keys = try connection.allRows(
        """
        SELECT \(names.map { "o.\($0)" }.joined(separator: ", ")) FROM observation o
        WHERE \(condition) AND NOT \(Self.isVoid)
        """, values
      ) { $0.values }
      for key in keys {
        var void: [String: SQLValue] = [
          "voided_at": .text(time), "voided_by": .text(person), "reason": .text(reason),
        ]
        for (name, value) in zip(names, key) { void[name] = value }
        try rows.insert(.observationVoid, void)
      }
      count += keys.count
    }
    return count
  }

  /// Which attempt an answer of these numerics would be: 0, or one more than the last void one; nil if a valid answer
  /// is there.
  ///
  /// - Parameter question: assignment, measure, sequence and numerics.
  func nextAttempt(_ question: [SQLValue]) throws -> Int64? {
    // Nearly always there is none yet. A void row may have come without its observation.
    let attempts = try connection.firstRow(
      """
      SELECT
        (SELECT max(attempt) FROM observation
          WHERE assignment_id = ?1 AND measure_id = ?2 AND sequence_id = ?3 AND numerics_id = ?4) AS last,
        (SELECT max(attempt) FROM observation_void
          WHERE assignment_id = ?1 AND measure_id = ?2 AND sequence_id = ?3 AND numerics_id = ?4) AS last_void
      """, question
    ) { (last: try $0.value("last") as Int64?, lastVoid: try $0.value("last_void") as Int64?) }
    let (last, lastVoid) = (attempts?.last, attempts?.lastVoid)
    guard last != nil else { return (lastVoid ?? -1) + 1 }
    guard lastVoid != nil else { return nil }
    let valid = try connection.integer(
      """
      SELECT 1 FROM observation o
      WHERE assignment_id = ? AND measure_id = ? AND sequence_id = ? AND numerics_id = ? AND NOT \(Self.isVoid) LIMIT 1
      """, question)
    return valid == nil ? max(last ?? 0, lastVoid ?? 0) + 1 : nil
  }

  /// Local ids of the measures called `name`, of all revisions: `kl`, `perplexity`, `topk-kl:10`, or `topk-kl` for every k.
  ///
  /// - Throws: `CatalogError.notFound` naming those that are there.
  public func measureIDs(named name: String) throws -> [Int64] {
    var ids: [Int64] = []
    var known: [String] = []
    try connection.forEachRow("SELECT measure_id, name, measure FROM measure_summary ORDER BY measure_id") { row in
      let full = row.text("measure")
      if !known.contains(full) { known.append(full) }
      if name == full || name == row.text("name") { ids.append(row.integer("measure_id")) }
    }
    guard !ids.isEmpty else {
      throw CatalogError.notFound("no observation in \(name); measures: \(known.joined(separator: ", "))")
    }
    return ids
  }

  /// Who works here, as `voided_by` keeps it: `user@host`.
  public static var person: String { "\(NSUserName())@\(WriterLock.hostName)" }

  /// Local id of the job whose UUID begins with `prefix` (8 or more characters).
  ///
  /// - Throws: `CatalogError.notFound` if none or several fit.
  public func jobID(uuidPrefix prefix: String) throws -> Int64 {
    try onlyID(
      "SELECT id FROM job WHERE substr(uuid, 1, length(?1)) = lower(?1)", "job", prefix)
  }

  /// Local id of the numerics whose digest begins with `prefix` (8 or more hexadecimal digits).
  ///
  /// - Throws: `CatalogError.notFound` if none or several fit.
  public func numericsID(digestPrefix prefix: String) throws -> Int64 {
    try onlyID(
      "SELECT id FROM numerics WHERE substr(lower(hex(digest)), 1, length(?1)) = lower(?1)", "numerics", prefix)
  }

  private func onlyID(_ sql: String, _ kind: String, _ prefix: String) throws -> Int64 {
    guard prefix.count >= 8 else {
      throw CatalogError.notFound("\(kind) \(prefix): give 8 or more digits", remedy: .listJobs)
    }
    let ids = try connection.integers(sql, [.text(prefix)])
    guard let id = ids.first else { throw CatalogError.notFound("no \(kind) \(prefix)", remedy: .listJobs) }
    guard ids.count == 1 else { throw CatalogError.notFound("\(prefix) fits \(ids.count) \(kind)s; give more digits") }
    return id
  }
}

extension ObservationSelection {
  /// A condition on the table `observation o`, and its values.
  fileprivate var sql: (condition: String, values: [SQLValue]) {
    let parts: [(String, Int64?)] = [
      ("o.assignment_id = ?", assignmentID),
      (
        "o.sequence_id IN (SELECT i.sequence_id FROM sequence_list_item i WHERE i.sequence_list_id = ?)", sequenceListID
      ),
      ("o.measure_id = ?", measureID), ("o.job_id = ?", jobID), ("o.numerics_id = ?", numericsID),
    ]
    let given = parts.filter { $0.1 != nil }
    let condition = given.isEmpty ? "1" : given.map(\.0).joined(separator: " AND ")
    return (condition, given.map { .integer($0.1) })
  }
}
