import Catalog

/// Rows of a catalog's views as printed results.
struct CatalogQuery {
  /// Runs a statement and streams its rows.
  ///
  /// - Returns: whether rows were left out.
  static func print(
    _ sql: String, parameters: [String: SQLValue] = [:], store: CatalogStore, timeout: Double = 600,
    maximumRows: Int = .max, as format: OutputFormat, in context: CommandContext
  ) throws -> Bool {
    var writer: ResultWriter?
    let outcome = try store.query(
      sql, parameters: parameters, timeout: timeout, maximumRows: maximumRows,
      onColumns: { names in
        writer = ResultWriter(
          columns: names.map { ResultColumn($0, kind(of: $0)) }, format: format, output: context.output,
          environment: context.environment)
      },
      onRow: { row in try writer?.append(row.map(ResultValue.init)) })
    try writer?.finish()
    return outcome.truncated
  }

  /// How a column of ours is shown: the names carry their units (docs/glossary.md).
  static func kind(of column: String) -> ResultKind {
    if column.hasSuffix("_bytes") { return .bytes }
    if column.hasSuffix("_count") { return .count }
    if column.hasSuffix("bits") { return .bits }
    if column.hasSuffix("standard_error") { return .real(significantDigits: 3) }
    return ["value", "difference", "fitness", "nmse", "parent_stage_fitness", "kl", "perplexity"].contains(column)
      ? .real(significantDigits: 5) : .text
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
