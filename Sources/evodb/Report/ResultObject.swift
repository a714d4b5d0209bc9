/// The single result of a command: named values, printed as one JSON object, one CSV record, or one line a name.
struct ResultObject: Equatable, Sendable {
  private var columns: [ResultColumn] = []
  private var values: [ResultValue] = []

  init() {}

  /// Adds a value. Names are unique, lower case with underscores, and carry their unit (`size_bytes`).
  mutating func add(_ name: String, _ value: ResultValue, _ kind: ResultKind = .text) {
    precondition(!columns.contains { $0.name == name }, "\(name) is added twice")
    columns.append(ResultColumn(name, kind))
    values.append(value)
  }

  subscript(name: String) -> ResultValue? {
    columns.firstIndex { $0.name == name }.map { values[$0] }
  }

  var json: JSONValue {
    var object = JSONObject()
    for (column, value) in zip(columns, values) { object[column.name] = value.json }
    return .object(object)
  }

  /// - Throws: `OutputError`.
  func write(to output: OutputWriter, as format: OutputFormat, environment: TerminalEnvironment) throws {
    switch format {
    case .json: try output.write(json.pretty + "\n")
    case .jsonl: try output.write(json.compact + "\n")
    case .csv:
      let table = ResultTable(columns, rows: [values])
      try table.write(to: output, as: .csv, environment: environment)
    case .table:
      let width = columns.map { TerminalText.width($0.name) }.max() ?? 0
      for (column, value) in zip(columns, values) {
        let padding = String(repeating: " ", count: width - TerminalText.width(column.name))
        try output.write("\(TerminalText.visible(column.name))\(padding)  \(column.kind.shown(value))\n")
      }
    }
  }
}
