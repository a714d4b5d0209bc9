/// Recomputes what follows from other stored values: digests, recipe and content keys, counts and sums.
///
/// It needs nothing but the rows and trusts none of them: whatever they hold, it reports or throws, and never traps. What
/// it does not look at are the rows' own checks (`RowWriter.check`) and the bytes of blobs, unless `blob` is asked for.
struct RowKeys {
  /// Gets what is wrong; may throw to end the search.
  typealias Report = (RowDefect) throws -> Void

  let transaction: CatalogTransaction
  var connection: Connection { transaction.connection }

  /// - Parameter transaction: reads one consistent state; of this file or, over a hardened connection, of another's.
  init(_ transaction: CatalogTransaction) { self.transaction = transaction }

  /// The tables whose rows have something to recompute, parents first. The bytes of blobs are read when they are copied,
  /// and by `verify`.
  static let tables = TableDescription.all.filter { $0.check != nil }

  /// Recomputes all rows of a table of `tables`; nothing for others.
  ///
  /// - Throws: `SQLiteError`, `CatalogError.damaged` for what cannot be read, and whatever `report` throws.
  func check(_ table: TableDescription, _ report: Report) throws { try table.check?(self)(report) }

  // MARK: Small tables

  func checkNumerics(_ report: Report) throws {
    try connection.forEachRow("SELECT id, \(NumericsRecord.columns) FROM numerics") { row in
      try compare(row.bytes("digest"), try NumericsRecord(row).digest, "numerics", row.integer("id"), report)
    }
  }

  func checkMeasures(_ report: Report) throws {
    try connection.forEachRow("SELECT \(MeasureRecord.columns) FROM measure") { row in
      let record = try MeasureRecord(row)
      try compare(row.bytes("digest"), record.digest, "measure", record.id, report)
    }
  }

  func checkMethods(_ report: Report) throws {
    try connection.forEachRow("SELECT id, digest, name, revision, canonical FROM method") { row in
      let (id, digest, text) = (row.integer("id"), row.bytes("digest"), row.text("canonical"))
      try compare(digest, SHA256.digest(of: text.utf8), "method", id, report)
      let lines = Set(text.split(separator: "\n").map(String.init))
      if !lines.contains("name=\(CanonicalRecord.escaped(row.text("name")))")
        || !lines.contains("revision=\(row.integer("revision"))")
      {
        let detail = "name and revision are not those of its key"
        try report(RowDefect(table: "method", row: short(digest), detail: detail, key: [.integer(id)]))
      }
    }
  }

  func checkObservations(_ report: Report) throws {
    let key = TableDescription.observation.identityColumns
    try connection.forEachRow(
      """
      SELECT a.digest AS assignment, s.digest AS sequence, o.prediction_count, s.token_count,
        \(key.map { "o.\($0)" }.joined(separator: ", "))
      FROM observation o
      JOIN assignment a ON a.id = o.assignment_id JOIN sequence s ON s.id = o.sequence_id
      JOIN measure m ON m.id = o.measure_id
      WHERE o.prediction_count <> s.token_count - coalesce(m.first_token, 1)
        OR o.outcome <> CASE WHEN o.sum IS NULL THEN 'diverged' ELSE 'finite' END
        OR o.attempt NOT BETWEEN 0 AND 1000000
        -- Likelihoods and divergences are not below 0, but for rounding; and sums of sums must stay finite.
        OR o.sum < -0.001 * o.prediction_count OR o.sum > 1e290
      """
    ) { row in
      try report(
        RowDefect(
          table: "observation",
          row: "of assignment \(short(row.bytes("assignment"))) on sequence \(short(row.bytes("sequence")))",
          detail: "\(row.integer("prediction_count")) predictions of \(row.integer("token_count")) tokens, "
            + "or an outcome, a sum or an attempt that cannot be",
          key: key.map { .integer(row.integer($0)) }))
    }
  }

  /// Beyond this no process counts, and sums over jobs stay integers.
  private static let largestCount = 1 << 50

  func checkJobs(_ report: Report) throws {
    let counters = ["forward_token_count", "forward_block_token_count", "evaluation_count", "cache_hit_count"]
    let isOdd = counters.map { "\($0) NOT BETWEEN 0 AND \(Self.largestCount)" }.joined(separator: " OR ")
    try connection.forEachRow("SELECT id, uuid FROM job WHERE \(isOdd)") { row in
      try report(
        RowDefect(
          table: "job", row: row.text("uuid"), detail: "it counts what no process can have done",
          key: [.integer(row.integer("id"))]))
    }
  }

  // MARK: Words

  func compare(
    _ stored: [UInt8], _ expected: Digest, _ table: String, _ id: Int64, _ report: Report, name: String? = nil
  ) throws {
    guard stored != expected.bytes else { return }
    try report(
      RowDefect(
        table: table, row: name ?? short(stored), detail: "its key is not that of its content", key: [.integer(id)]))
  }

  func short(_ bytes: [UInt8]) -> String { Hexadecimal.string(bytes.prefix(6)) + "…" }
}

/// A stored row that contradicts itself or the rows it points to.
public struct RowDefect: Error, Equatable, Sendable, CustomStringConvertible {
  /// Its table.
  public var table: String
  /// Which row, in words: a layer's name, the start of a digest, positions.
  public var row: String
  /// The contradiction in words, such as `its key is not that of its content`.
  public var detail: String
  /// The values of the columns by which the table is ordered (`TableDescription.order`): which row, for SQL.
  var key: [SQLValue]
  /// The changes, by column, that would make the row right; nil: only its removal helps.
  var mend: [String: SQLValue]?

  /// Table, row and what is wrong.
  public var description: String { "\(table) \(row): \(detail)" }
}
