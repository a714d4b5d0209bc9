import Catalog
import Foundation

/// Follows what another process does to a catalog: a small page that is drawn anew on a terminal, else a line whenever it changes.
///
/// Every look is a short reading transaction of its own, so that the writer never waits for it.
struct StatusWatch {
  let path: String
  /// Seconds between two looks.
  let interval: Double
  let format: OutputFormat
  let context: CommandContext
  /// The workers that compute as well; nil: nobody asked for them.
  var spool: SpoolLook?

  /// Looks until nobody writes any more, or ^C.
  ///
  /// - Returns: whether anybody was at work.
  func run() throws -> Bool {
    var page = LivePage(environment: context.environment)
    var spool = spool
    var last = ""
    var sawWork = false
    var rate = RateEstimate(start: context.clock())
    while !context.interruption.isRequested {
      guard let look = try look() else { break }
      sawWork = true
      if let work = look.work {
        let now = context.clock()
        rate.record(done: work.forwardTokenCount, at: now)
        let view = WatchView(work: work, tokensPerSecond: rate.perSecond(at: now))
        let workers = try spool?.lines() ?? []
        if page.isPossible, format == .table {
          try context.output.write(page.drawn(view, workers))
          try context.output.flush()
        } else if look.mark != last {
          // What changes by itself, such as the pace, is no news.
          last = look.mark
          let lines = [view.sentence] + workers
          try context.output.write(
            format == .jsonl ? look.mark + "\n" : lines.map { TerminalText.visible($0) + "\n" }.joined())
          try context.output.flush()
        }
      }
      wait()
    }
    return sawWork
  }

  /// The newest job at work, without `work` in the moments when a job begins or ends; nil if nobody writes.
  private func look() throws -> (work: WatchedWork?, mark: String)? {
    do {
      let store = try CatalogStore(path: path, mode: .read)
      defer { store.close() }
      guard store.currentWriter != nil else { return nil }
      let progress = try ReportData("progress", store: store)
      guard let row = progress.table.rows.first, let work = try WatchedWork(store: store) else { return (nil, "") }
      var object = ResultObject()
      for (column, value) in zip(progress.table.columns, row) { object.add(column.name, value) }
      return (work, object.json.compact)
    } catch let error where ExitCode(for: error) == .tryAgain {
      // The writer is opening or closing the file at this very moment.
      return (nil, "")
    }
  }

  private func wait() {
    let end = context.clock() + interval
    while context.clock() < end, !context.interruption.isRequested {
      Thread.sleep(forTimeInterval: min(0.1, max(0.001, end - context.clock())))
    }
  }
}

/// Lines on a terminal that are drawn again in their own place.
private struct LivePage {
  let environment: TerminalEnvironment
  private var drawnCount = 0

  init(environment: TerminalEnvironment) {
    self.environment = environment
  }

  /// Whether stdout can be drawn over: a terminal that is not dumb, and whose user did not ask for plain text.
  var isPossible: Bool { environment.colorsOutput }

  mutating func drawn(_ view: WatchView, _ workers: [String]) -> String {
    // The last column stays free: some terminals wrap as soon as it is written.
    let width = environment.width - 1
    let shown = workers.prefix(max(environment.height / 2, 3)).map {
      TerminalText.truncated(TerminalText.visible($0), to: width)
    }
    let lines =
      view.lines(width: width, height: environment.height - shown.count, usesUnicode: environment.usesUnicode) + shown
    // Up to the first line, each line and the rest of it, and what an earlier, longer page left (ECMA-48: CUU, EL, ED).
    let up = drawnCount > 0 ? "\u{1B}[\(drawnCount)A\r" : ""
    drawnCount = lines.count
    return up + lines.map { "\($0)\u{1B}[K\n" }.joined() + "\u{1B}[J"
  }
}
