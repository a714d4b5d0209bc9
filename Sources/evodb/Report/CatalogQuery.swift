import Catalog

/// Rows of a catalog's views as printed results.
struct CatalogQuery {
  /// Text of all cells of a table on paper: it is held in memory to align its columns.
  private static let longestTable = 16 << 20

  private struct TableIsFull: Error {}

  /// Runs a statement and streams its rows.
  ///
  /// - Parameters:
  ///   - watchdog: is told when SQLite works and when it waits.
  ///   - shouldStop: asked again and again; true ends the query.
  /// - Returns: why rows were left out; nil if none were.
  @discardableResult
  static func print(
    _ sql: String, parameters: [String: SQLValue] = [:], store: CatalogStore, timeout: Double = 600,
    maximumRows: Int = .max, as format: OutputFormat, in context: CommandContext, watchdog: QueryWatchdog? = nil,
    shouldStop: @escaping () -> Bool = { false }
  ) throws -> String? {
    var writer: ResultWriter?
    var tableByteCount = 0
    var rowCount = 0
    var reason: String?
    do {
      watchdog?.resume()
      defer { watchdog?.pause() }
      let outcome = try store.query(
        sql, parameters: parameters, timeout: timeout, maximumRows: maximumRows, shouldStop: shouldStop,
        onColumns: { names in
          writer = ResultWriter(
            columns: names.map { ResultColumn($0, kind(of: $0)) }, format: format, output: context.output,
            environment: context.environment)
        },
        onRow: { row in
          watchdog?.pause()
          defer { watchdog?.resume() }
          if format == .table {
            tableByteCount += row.reduce(0) { $0 + $1.byteCount }
            guard tableByteCount <= longestTable else { throw TableIsFull() }
          }
          try writer?.append(row.map(ResultValue.init))
          rowCount += 1
        })
      if outcome.truncated { reason = "stopped after \(maximumRows) rows; there are more (--max-rows)" }
    } catch is TableIsFull {
      reason = "stopped after \(rowCount) rows of \(longestTable >> 20) MiB; there are more (--format jsonl or csv)"
    }
    try writer?.finish()
    return reason
  }

  /// How a column of ours is shown: the names carry their units (docs/glossary.md).
  static func kind(of column: String) -> ResultKind {
    if column.hasSuffix("_bytes") { return .bytes }
    if column.hasSuffix("_count") { return .count }
    if column.hasSuffix("bits") { return .bits }
    if column == "seconds" || column.hasSuffix("_seconds") { return .seconds }
    if ["saved", "coverage", "change", "change_standard_error", "kept"].contains(column) || column.hasSuffix("sparsity")
    {
      return .percent
    }
    if column.hasSuffix("standard_error") || column == "z_score" { return .real(significantDigits: 3) }
    let measured = ["value", "difference", "fitness", "nmse", "kl", "perplexity", "gain", "effect", "regret", "error"]
    return measured.contains { column == $0 || column.hasSuffix("_" + $0) } ? .real(significantDigits: 5) : .text
  }
}

extension SQLValue {
  /// Bytes it takes in memory, roughly.
  fileprivate var byteCount: Int {
    switch self {
    case .null, .integer, .real: return 16
    case .text(let text): return 16 + text.utf8.count
    case .blob(let bytes): return 16 + 2 * bytes.count
    }
  }
}

extension ResultValue {
  init(_ value: SQLValue) {
    switch value {
    case .null: self = .null
    case .integer(let value): self = .integer(value)
    case .real(let value): self = .real(value)
    case .text(let value): self = .text(value)
    case .blob(let value): self = .blob(value)
    }
  }
}
