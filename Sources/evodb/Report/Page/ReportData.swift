import Catalog

/// The answer of a documented query, as a report shows it.
struct ReportData {
  let query: DocumentedQuery
  /// The values that the query was asked with, one set for each time.
  private(set) var asked: [[String: SQLValue]]
  private(set) var table: ResultTable

  /// Seconds for one query.
  private static let timeout = 60.0

  /// Asks the documented query of this name.
  ///
  /// - Parameter parameters: those that are not named are NULL.
  /// - Throws: as `CatalogStore.query`.
  init(_ name: String, _ parameters: [String: SQLValue] = [:], store: CatalogStore) throws {
    guard let query = DocumentedQuery.named(name) else {
      throw CatalogError.notFound("evodb has no documented query \(name)")
    }
    self.query = query
    var values = parameters
    for parameter in query.parameters where values[parameter.name] == nil { values[parameter.name] = .null }
    asked = [values]
    var columns: [ResultColumn] = []
    var rows: [[ResultValue]] = []
    try store.query(
      query.sql, parameters: values, timeout: Self.timeout, maximumRows: .max,
      onColumns: { columns = $0.map { ResultColumn($0, CatalogQuery.kind(of: $0)) } },
      onRow: { rows.append($0.map(ResultValue.init)) })
    table = ResultTable(columns, rows: rows)
  }

  var rows: Range<Int> { table.rows.indices }
  var isEmpty: Bool { table.rows.isEmpty }

  /// The same query asked again: its rows follow.
  mutating func append(_ other: ReportData) {
    asked += other.asked
    for row in other.table.rows { table.append(row) }
  }

  /// Only the rows that `isKept` takes.
  func filtered(_ isKept: (Int) -> Bool) -> ReportData {
    var result = self
    result.table = ResultTable(table.columns, rows: rows.filter(isKept).map { table.rows[$0] })
    return result
  }

  // MARK: Cells

  private func cell(_ row: Int, _ column: String) -> ResultValue {
    guard let index = table.columns.firstIndex(where: { $0.name == column }) else { return .null }
    return table.rows[row][index]
  }

  func text(_ row: Int, _ column: String) -> String? {
    if case .text(let text) = cell(row, column) { return text }
    return nil
  }

  /// An integer or a real number.
  func number(_ row: Int, _ column: String) -> Double? {
    switch cell(row, column) {
    case .integer(let value): return Double(value)
    case .real(let value): return value
    default: return nil
    }
  }

  func integer(_ row: Int, _ column: String) -> Int? {
    if case .integer(let value) = cell(row, column) { return Int(value) }
    return nil
  }

  /// The cell as tables show it.
  func shown(_ row: Int, _ column: String) -> String {
    CatalogQuery.kind(of: column).shown(cell(row, column))
  }

  /// All finite numbers of a column.
  func numbers(_ column: String) -> [Double] {
    rows.compactMap { number($0, column) }.filter(\.isFinite)
  }

  // MARK: Forms

  /// As `evodb query --format csv` prints it.
  var csv: String {
    table.rows.reduce(CSVRecord.line(table.columns.map { .text($0.name) })) { $0 + CSVRecord.line($1) }
  }

  /// The CSV as a link that holds it, of the first rows that take no more than `limit` bytes there.
  func csvLink(limit: Int) -> (link: String, rowCount: Int) {
    var link = DataLink.csvHead + DataLink.escaped(CSVRecord.line(table.columns.map { .text($0.name) }))
    var count = 0
    for row in table.rows {
      let next = DataLink.escaped(CSVRecord.line(row))
      guard link.utf8.count + next.utf8.count <= limit else { break }
      link += next
      count += 1
    }
    return (link, count)
  }

  /// The statement, after the values that it was asked with as comments.
  var statement: String {
    let values = query.parameters.map { parameter -> String in
      let all = asked.map { Self.literal($0[parameter.name] ?? .null) }
      let different = all.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
      return "-- :\(parameter.name) = \(different.joined(separator: ", then "))\n"
    }
    return values.joined() + query.sql
  }

  private static func literal(_ value: SQLValue) -> String {
    switch value {
    case .null: return "NULL"
    case .integer(let value): return String(value)
    case .real(let value): return value.description
    case .text(let text): return "'\(text.replacing("'", with: "''"))'"
    case .blob(let bytes): return "x'\(ResultValue.hexadecimal(bytes))'"
    }
  }
}
