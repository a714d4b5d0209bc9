/// Prints rows one by one, for results that should not be held in memory: only `table` keeps them, to align its columns.
final class ResultWriter {
  private let columns: [ResultColumn]
  private let format: OutputFormat
  private let output: OutputWriter
  private let environment: TerminalEnvironment
  private var kept: [[ResultValue]] = []
  private var rowCount = 0

  init(columns: [ResultColumn], format: OutputFormat, output: OutputWriter, environment: TerminalEnvironment) {
    self.columns = columns
    self.format = format
    self.output = output
    self.environment = environment
  }

  /// - Throws: `OutputError`.
  func append(_ row: [ResultValue]) throws {
    precondition(row.count == columns.count, "a row has a value for every column")
    switch format {
    case .table: kept.append(row)
    case .json: try output.write((rowCount == 0 ? "[\n  " : ",\n  ") + object(row).compact)
    case .jsonl: try output.write(object(row).compact + "\n")
    case .csv:
      if rowCount == 0 { try writeHeader() }
      try output.write(CSVRecord.line(row, isTerminal: environment.outputIsTerminal))
    }
    rowCount += 1
  }

  /// Ends the document. Call once, also when there were no rows.
  ///
  /// - Throws: `OutputError`.
  func finish() throws {
    switch format {
    case .table:
      let limit = environment.outputIsTerminal ? environment.width : nil
      try output.write(TextTable(columns: columns, rows: kept).rendered(fitting: limit))
    case .json: try output.write(rowCount == 0 ? "[]\n" : "\n]\n")
    case .jsonl: break
    case .csv: if rowCount == 0 { try writeHeader() }
    }
  }

  private func writeHeader() throws {
    try output.write(CSVRecord.line(columns.map { .text($0.name) }, isTerminal: environment.outputIsTerminal))
  }

  /// A query may name two columns alike; the second becomes `name_2`, for an object may not repeat a name.
  private lazy var memberNames: [String] = {
    var names: [String] = []
    for column in columns {
      var name = column.name
      var number = 2
      while names.contains(name) {
        name = "\(column.name)_\(number)"
        number += 1
      }
      names.append(name)
    }
    return names
  }()

  private func object(_ row: [ResultValue]) -> JSONValue {
    var object = JSONObject()
    for (name, value) in zip(memberNames, row) { object[name] = value.json }
    return .object(object)
  }
}

/// How results are printed on stdout.
enum OutputFormat: String, ArgumentChoice, Sendable {
  /// Aligned columns with units, for people.
  case table
  /// One JSON document: an array of objects, or one object.
  case json
  /// One JSON object a line.
  case jsonl
  /// Comma-separated values as in RFC 4180, with a header line.
  case csv
}
