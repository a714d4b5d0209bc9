import Catalog

/// Two columns of an answer that are drawn: `stored_bytes,value`, or `generation,fitness:line`.
struct ChartColumns: ArgumentValue, Equatable {
  let x: String
  let y: String
  let isLine: Bool

  static var rule: String { "two names of columns such as stored_bytes,value, or with :line at the end" }

  init?(argument: String) {
    isLine = argument.hasSuffix(":line")
    let names = (isLine ? argument.dropLast(5) : argument[...]).split(separator: ",", omittingEmptySubsequences: false)
    guard names.count == 2, names.allSatisfy({ !$0.isEmpty }) else { return nil }
    (x, y) = (String(names[0]), String(names[1]))
  }

  var argumentText: String { "\(x),\(y)\(isLine ? ":line" : "")" }

  /// Points of one drawing; more could not be told apart.
  private static let mostPoints = 1_000_000

  /// Runs a statement and draws its rows.
  ///
  /// - Returns: why rows were left out; nil if none were.
  /// - Throws: `UsageError` for a column that the answer does not have, and for columns without a row of two numbers.
  func draw(
    _ sql: String, parameters: [String: SQLValue], store: CatalogStore, timeout: Double, maximumRows: Int,
    in context: CommandContext, watchdog: QueryWatchdog, shouldStop: @escaping () -> Bool
  ) throws -> String? {
    var places: (x: Int, y: Int) = (0, 0)
    var points: [(x: Double, y: Double)] = []
    var skipped = 0
    let most = min(maximumRows, Self.mostPoints)
    watchdog.resume()
    defer { watchdog.pause() }
    let outcome = try store.query(
      sql, parameters: parameters, timeout: timeout, maximumRows: most, shouldStop: shouldStop,
      onColumns: { names in places = (try Self.place(of: x, in: names), try Self.place(of: y, in: names)) },
      onRow: { row in
        guard let x = Self.number(row[places.x]), let y = Self.number(row[places.y]) else {
          skipped += 1
          return
        }
        points.append((x, y))
      })
    let environment = context.environment
    let plot = CharacterPlot(xName: x, yName: y, points: points, isLine: isLine)
    let lines = plot.lines(
      width: environment.outputIsTerminal ? environment.width : 80, usesUnicode: environment.usesUnicode)
    guard !lines.isEmpty else {
      throw UsageError(
        "--chart: no row has numbers in both \(TerminalText.visible(x)) and \(TerminalText.visible(y)) "
          + "(\(skipped) \(skipped == 1 ? "row" : "rows"))")
    }
    for line in lines { try context.output.write(line + "\n") }
    if skipped > 0 {
      context.note("evodb query: \(skipped) \(skipped == 1 ? "row has" : "rows have") no number in one of the columns")
    }
    return outcome.truncated ? "stopped after \(most) rows; there are more (--max-rows)" : nil
  }

  private static func place(of name: String, in names: [String]) throws -> Int {
    if let place = names.firstIndex(of: name) { return place }
    let hint = Suggestion.nearest(to: name, among: names).map { "; did you mean \(TerminalText.visible($0))?" }
    throw UsageError(
      "--chart: the answer has no column \(TerminalText.visible(name))"
        + (hint ?? "; it has \(names.map { TerminalText.visible($0) }.joined(separator: ", "))"))
  }

  private static func number(_ value: SQLValue) -> Double? {
    switch value {
    case .integer(let value): return Double(value)
    case .real(let value): return value.isFinite ? value : nil
    case .null, .text, .blob: return nil
    }
  }
}
