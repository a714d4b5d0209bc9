/// A column of a result.
struct ResultColumn: Equatable, Sendable {
  enum Alignment: Equatable, Sendable {
    case left
    case right
  }

  let name: String
  let kind: ResultKind
  let alignment: Alignment

  /// - Parameter alignment: texts stand left and numbers right, if not said otherwise.
  init(_ name: String, _ kind: ResultKind = .text, alignment: Alignment? = nil) {
    self.name = name
    self.kind = kind
    self.alignment = alignment ?? (kind == .text ? .left : .right)
  }
}

/// Rows of named columns, printed in any `OutputFormat`.
struct ResultTable: Equatable, Sendable {
  let columns: [ResultColumn]
  private(set) var rows: [[ResultValue]] = []

  init(_ columns: [ResultColumn], rows: [[ResultValue]] = []) {
    self.columns = columns
    for row in rows { append(row) }
  }

  /// Adds a row with a value for every column.
  mutating func append(_ row: [ResultValue]) {
    precondition(row.count == columns.count, "a row has a value for every column")
    rows.append(row)
  }

  /// The table without as many of the columns called `names`, in this order, as do not fit into `width` columns of a terminal.
  func fitting(_ width: Int, leavingOut names: [String]) -> ResultTable {
    var table = self
    for name in names {
      guard TextTable(columns: table.columns, rows: table.rows).width > width,
        let index = table.columns.firstIndex(where: { $0.name == name })
      else { continue }
      var columns = table.columns
      columns.remove(at: index)
      table = ResultTable(
        columns,
        rows: table.rows.map { row in row.enumerated().filter { $0.offset != index }.map(\.element) })
    }
    return table
  }

  /// - Throws: `OutputError`.
  func write(to output: OutputWriter, as format: OutputFormat, environment: TerminalEnvironment) throws {
    let writer = ResultWriter(columns: columns, format: format, output: output, environment: environment)
    for row in rows { try writer.append(row) }
    try writer.finish()
  }
}
