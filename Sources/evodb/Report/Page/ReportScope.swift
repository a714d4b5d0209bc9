import Catalog
import Foundation
import Search

/// What a report is about: its runs, and the one whose result leads.
struct ReportScope {
  let store: CatalogStore
  /// The catalog's file without its folder.
  let fileName: String
  /// In the order in which they were named, else the oldest first.
  let runs: [String]
  /// Runs of the catalog beyond those of the report, if nobody chose.
  let omittedCount: Int
  /// The documented query `results` for these runs, in their order.
  let results: ReportData
  /// The row of `results` that leads: the first run that was named, else the newest finished search.
  let lead: Int

  /// Runs in one report; the newest ones if nobody chose.
  static let mostRuns = 20

  /// - Parameter names: all runs if there are none.
  /// - Throws: `CatalogError.notFound` for a run that is not there, and for a catalog without runs.
  init(_ names: [String], path: String, store: CatalogStore) throws {
    self.store = store
    fileName = URL(fileURLWithPath: path).lastPathComponent
    let known = try store.read { tx in
      for name in names { _ = try tx.run(name) }
      return try tx.runs().map(\.name)
    }
    guard !known.isEmpty else { throw CatalogError.notFound("the catalog holds no run", remedy: .startSearch) }
    let chosen = names.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    runs = chosen.isEmpty ? Array(known.suffix(Self.mostRuns)) : chosen
    omittedCount = chosen.isEmpty ? known.count - runs.count : 0
    var results: ReportData?
    for run in runs {
      let next = try ReportData("results", ["run": .text(run)], store: store)
      if results == nil { results = next } else { results?.append(next) }
    }
    guard let results else { throw CatalogError.notFound("the catalog holds no run", remedy: .startSearch) }
    self.results = results
    let finished = results.rows.filter { results.text($0, "state") == "finished" }
    let searches = finished.filter { Self.isSearch(results.text($0, "strategy")) }
    lead = chosen.isEmpty ? (searches.last ?? finished.last ?? results.rows.last ?? 0) : 0
  }

  static func isSearch(_ strategy: String?) -> Bool {
    strategy.flatMap { RunStrategyName(rawValue: $0) }?.isSearch ?? false
  }

  /// A text of the leading run.
  func leading(_ column: String) -> String? { results.text(lead, column) }

  /// The model, data set and measure of the leading run, as values for a query.
  var leadingSetting: [String: SQLValue] {
    Dictionary(
      uniqueKeysWithValues: ["model", "data_set", "measure"].map { ($0, leading($0).map { .text($0) } ?? .null) })
  }
}
