import Catalog
import Foundation

/// Follows what another process does to a catalog: a line that is redrawn on a terminal, else a line whenever it changes.
///
/// Every look is a short reading transaction of its own, so that the writer never waits for it.
struct StatusWatch {
  let path: String
  /// Seconds between two looks.
  let interval: Double
  let format: OutputFormat
  let context: CommandContext

  /// Looks until nobody writes any more, or ^C.
  ///
  /// - Returns: whether anybody was at work.
  func run() throws -> Bool {
    let isLive =
      context.environment.outputIsTerminal && format == .table && context.environment.variables["TERM"] != "dumb"
    var last = ""
    var sawWork = false
    while !context.interruption.isRequested {
      guard let line = try look() else { break }
      sawWork = true
      if line != last, !line.isEmpty {
        let shown = isLive ? TerminalText.truncated(line, to: context.environment.width - 1) : line
        // Back to the first column, and delete to the end of the line (ECMA-48, EL).
        try context.output.write(isLive ? "\r\(shown)\u{1B}[K" : shown + "\n")
        try context.output.flush()
        last = line
      }
      wait()
    }
    if isLive, sawWork { try context.output.write("\n") }
    return sawWork
  }

  /// The newest job at work; nil if nobody writes.
  private func look() throws -> String? {
    do {
      let store = try CatalogStore(path: path, mode: .read)
      defer { store.close() }
      guard store.currentWriter != nil else { return nil }
      guard let query = DocumentedQuery.named("progress") else { return nil }
      var columns: [ResultColumn] = []
      var values: [ResultValue] = []
      try store.query(
        query.sql, timeout: 60, maximumRows: 1,
        onColumns: { columns = $0.map { ResultColumn($0, CatalogQuery.kind(of: $0)) } },
        onRow: { values = $0.map(ResultValue.init) })
      guard !values.isEmpty else { return "" }
      if format == .jsonl {
        var object = ResultObject()
        for (column, value) in zip(columns, values) { object.add(column.name, value) }
        return object.json.compact
      }
      return sentence(
        Dictionary(zip(columns.map(\.name), zip(columns, values).map { $0.kind.shown($1) })) { first, _ in first })
    } catch let error where ExitCode(for: error) == .tryAgain {
      // The writer is opening or closing the file at this very moment.
      return ""
    }
  }

  private func sentence(_ cells: [String: String]) -> String {
    func cell(_ name: String) -> String? { cells[name].flatMap { $0 == "-" ? nil : $0 } }
    var text = cell("command") ?? ""
    if let run = cell("run") { text += " \(run)" }
    var parts: [String] = []
    if let all = cell("generations") { parts.append("generation \(cell("generation") ?? "-") of \(all)") }
    if let fitness = cell("fitness") { parts.append("fitness \(fitness)") }
    parts.append("\(cell("forward_token_count") ?? "0") tokens")
    parts.append("\(cell("evaluation_count") ?? "0") evaluations")
    parts.append("\(cell("cache_hit_count") ?? "0") from the catalog")
    if let seconds = cell("seconds").flatMap({ Double($0) }) { parts.append(HumanFormat.duration(seconds: seconds)) }
    return text + ": " + parts.joined(separator: ", ")
  }

  private func wait() {
    let end = context.clock() + interval
    while context.clock() < end, !context.interruption.isRequested {
      Thread.sleep(forTimeInterval: min(0.1, max(0.001, end - context.clock())))
    }
  }
}
