import Foundation
import TestSupport
import Testing

@testable import Catalog

/// Data sets and tasks that list something more than once: it weighs as much in means, and counts once in standard errors.
@Suite(.usualTimeLimit) struct RepeatedSequenceTests {
  private static let names = ["dense", "low", "high", "mixed"]
  private let folder: CatalogFolder
  private let assignments: [String: Int64]

  /// The example with the data sets `once`, `again` (that twice, one after the other), `thrice` and `uneven`.
  init() throws {
    let (folder, contents) = try CatalogFolder.filled()
    self.folder = folder
    assignments = [
      "dense": contents.dense.id, "low": contents.low.id, "high": contents.high.id, "mixed": contents.mixed.id,
    ]
    let store = try folder.write()
    defer { store.close() }
    let tokens = ExampleContents.tokens
    try store.write { tx in
      for (name, list) in [
        ("once", tokens), ("again", tokens + tokens), ("thrice", tokens.flatMap { [$0, $0, $0] }),
        ("uneven", [tokens[1], tokens[0], tokens[1], tokens[2], tokens[1]]), ("single", [tokens[0], tokens[0]]),
      ] {
        _ = try tx.store(
          dataSet: name, sequences: list, tokenizerDigest: nil, textDigest: nil, options: "{}", droppedTokenCount: 0)
      }
    }
  }

  private func reals(_ sql: String) throws -> [Double?] {
    var rows: [[SQLValue]] = []
    try folder.read().query(sql, timeout: 60, maximumRows: 10, onColumns: { _ in }, onRow: { rows.append($0) })
    return try #require(rows.count == 1 ? rows[0] : nil, "\(rows.count) rows of \(sql)").map {
      switch $0 {
      case .real(let value): return value
      case .integer(let value): return Double(value)
      default: return nil
      }
    }
  }

  private func summary(_ set: String, _ name: String, _ measure: String) throws -> [Double?] {
    try reals(
      """
      SELECT value, standard_error, prediction_count, sequence_count, distinct_sequence_count FROM evaluation_summary
      WHERE data_set = '\(set)' AND measure = '\(measure)' AND assignment_id = \(assignments[name] ?? 0)
      """)
  }

  private func difference(_ set: String, _ name: String, _ other: String, _ measure: String) throws -> [Double?] {
    try reals(
      """
      SELECT difference, standard_error FROM paired_difference WHERE data_set = '\(set)' AND measure = '\(measure)'
        AND assignment_id = \(assignments[name] ?? 0) AND other_assignment_id = \(assignments[other] ?? 0)
      """)
  }

  private func best(_ set: String, _ measure: String) throws -> [Double?] {
    try reals(
      """
      SELECT value, standard_error FROM best_assignment WHERE data_set = '\(set)' AND measure = '\(measure)'
        AND assignment_id = \(assignments["low"] ?? 0)
      """)
  }

  /// The definition by plain loops: every different sequence is one observation with w times its sum and its predictions.
  private func plain(_ sums: [Double], _ other: [Double]?, _ weights: [Double], isPerplexity: Bool) -> [Double] {
    let counts = ExampleContents.tokens.map { Double($0.count - 1) }
    let total = zip(weights, counts).map { $0 * $1 }.reduce(0, +)
    func mean(_ sums: [Double]) -> Double { zip(weights, sums).map { $0 * $1 }.reduce(0, +) / total }
    func residuals(_ sums: [Double]) -> [Double] {
      let slope = isPerplexity ? exp(mean(sums)) : 1
      return sums.indices.map { slope * weights[$0] * (sums[$0] - mean(sums) * counts[$0]) }
    }
    func value(_ sums: [Double]) -> Double { isPerplexity ? exp(mean(sums)) : mean(sums) }
    let rest = zip(residuals(sums), other.map(residuals) ?? [0, 0, 0]).map { $0 - $1 }
    let different = Double(weights.count)
    let error = sqrt(rest.map { $0 * $0 }.reduce(0, +) * different / (different - 1)) / total
    return [value(sums) - (other.map(value) ?? 0), error]
  }

  private func close(_ a: [Double?], _ b: [Double]) -> Bool {
    zip(a, b).allSatisfy { found, expected in
      found.map { abs($0 - expected) <= 1e-12 * max(1, abs(expected)) } ?? false
    }
  }

  @Test(arguments: ["kl", "perplexity"])
  func aDataSetTwiceOverHasTheSameMeanAndStandardError(measure: String) throws {
    for name in Self.names {
      let once = try summary("once", name, measure)
      let again = try summary("again", name, measure)
      #expect(again[0] == once[0] && again[1] == once[1], "to the bit: a factor of two rounds nothing")
      #expect(once[3] == 3 && again[3] == 6 && again[4] == 3 && again[2] == once[2].map { 2 * $0 })
      let thrice = try summary("thrice", name, measure)
      #expect(close(thrice, [try #require(once[0]), try #require(once[1])]) && thrice[3] == 9 && thrice[4] == 3)
      for other in Self.names where other != name {
        #expect(
          try difference("again", name, other, measure) == difference("once", name, other, measure), "\(name) \(other)")
      }
    }
    #expect(try best("again", measure) == best("once", measure))
  }

  @Test(arguments: ["kl", "perplexity"])
  func unevenRepetitionsWeighAsOftenAsTheyAreListed(measure: String) throws {
    let isPerplexity = measure == "perplexity"
    let weights: [Double] = [1, 3, 1]
    func sums(_ name: String) throws -> [Double] { try #require(ExampleContents.sums["\(name)/\(measure)"]) }
    for name in Self.names {
      #expect(
        close(try summary("uneven", name, measure), plain(try sums(name), nil, weights, isPerplexity: isPerplexity)))
      for other in Self.names where other != name {
        let expected = plain(try sums(name), try sums(other), weights, isPerplexity: isPerplexity)
        #expect(close(try difference("uneven", name, other, measure), expected), "\(name) \(other)")
      }
    }
    #expect(close(try best("uneven", measure), plain(try sums("low"), nil, weights, isPerplexity: isPerplexity)))
  }

  @Test func aRunsReportCountsDifferentSequences() throws {
    let before = try folder.read().read { try $0.results(ofRun: "first") }
    try folder.tamper("UPDATE run SET calibration_set_id = (SELECT id FROM data_set WHERE name = 'again')")
    let after = try folder.read().read { try $0.results(ofRun: "first") }
    #expect(before.count == after.count && !before.isEmpty)
    for (old, new) in zip(before, after) {
      #expect(new.value == old.value && new.standardError == old.standardError)
      #expect(new.difference == old.difference && new.differenceStandardError == old.differenceStandardError)
    }
    try folder.tamper("UPDATE run SET calibration_set_id = (SELECT id FROM data_set WHERE name = 'uneven')")
    let uneven = try folder.read().read { try $0.results(ofRun: "first") }
    let found = try #require(uneven.first { $0.point == .found && $0.role == .calibration && $0.measure == "kl" })
    let expected = try difference("uneven", "high", "low", "kl")
    #expect(close([found.difference, found.differenceStandardError], expected.compactMap { $0 }))
  }

  @Test func oneSequenceHasAValueAndNoStandardError() throws {
    let found = try summary("single", "low", "kl")
    #expect(close(found, [1.75 / 5]) && found[1] == nil && found[3] == 2 && found[4] == 1)
    #expect(try difference("single", "low", "high", "kl")[1] == nil)
    #expect(try best("single", "kl")[1] == nil)
  }

  @Test func anAnswerThatLacksLeavesTheSetIncomplete() throws {
    let sequence = try #require(
      try reals(
        "SELECT sequence_id FROM data_set_sequence WHERE occurrence_count = 3 AND data_set_id = "
          + "(SELECT id FROM data_set WHERE name = 'uneven')")[0])
    try folder.tamper(
      "DELETE FROM observation WHERE assignment_id = \(assignments["low"] ?? 0) AND sequence_id = \(Int(sequence))")
    try folder.renewFitness()
    let condition = "WHERE data_set = 'uneven' AND measure = 'kl' AND assignment_id = \(assignments["low"] ?? 0)"
    #expect(
      try reals("SELECT is_complete, answered_sequence_count, coverage FROM evaluation_coverage \(condition)")
        == [0, 2, 0.4])
    #expect(try reals("SELECT count(*) FROM evaluation_summary \(condition)") == [0])
  }

  @Test func aDataSetSaysHowManyDifferentSequencesItHas() throws {
    #expect(
      try reals("SELECT sequence_count, distinct_sequence_count FROM data_set_summary WHERE data_set = 'uneven'")
        == [5, 3])
    #expect(try folder.read().read { try $0.dataSet("again") }.distinctSequenceCount == 3)
  }
}
