import Foundation
import TestSupport
import Testing

@testable import Catalog

/// The views about fitness against plain computations on the example's sums.
@Suite(.usualTimeLimit) struct EvaluationViewTests {
  private let lengths = ExampleContents.tokens.map { Double($0.count - 1) }

  private func sums(_ name: String) throws -> [Double] { try #require(ExampleContents.sums[name]) }

  /// The ratio of two sums and its standard error over sequences, by the linearised residuals s - mean·n.
  private func ratio(_ sums: [Double], _ lengths: [Double]) -> (mean: Double, error: Double) {
    let total = lengths.reduce(0, +)
    let mean = sums.reduce(0, +) / total
    let count = Double(sums.count)
    let squares = zip(sums, lengths).map { pow($0 - mean * $1, 2) }.reduce(0, +)
    return (mean, sqrt(squares * count / (count - 1)) / total)
  }

  private func close(_ a: Double?, _ b: Double) -> Bool { a.map { abs($0 - b) <= 1e-12 * max(1, abs(b)) } ?? false }

  private func rows(_ folder: CatalogFolder, _ sql: String) throws -> [[SQLValue]] {
    var rows: [[SQLValue]] = []
    try folder.read().query(sql, timeout: 60, maximumRows: 1000, onColumns: { _ in }, onRow: { rows.append($0) })
    return rows
  }

  private func reals(_ folder: CatalogFolder, _ sql: String) throws -> [Double?] {
    try #require(try rows(folder, sql).first).map {
      switch $0 {
      case .real(let value): return value
      case .integer(let value): return Double(value)
      default: return nil
      }
    }
  }

  @Test(arguments: ["low", "high", "mixed"])
  func aCompleteSummaryHasMeanAndStandardError(name: String) throws {
    let (folder, contents) = try CatalogFolder.filled()
    let assignments = ["low": contents.low, "high": contents.high, "mixed": contents.mixed]
    let id = try #require(assignments[name]).id
    let source = "FROM evaluation_summary WHERE data_set = 'text' AND assignment_id = \(id) AND measure"
    let kl = ratio(try sums("\(name)/kl"), lengths)
    let found = try reals(folder, "SELECT value, standard_error, sequence_count, prediction_count \(source) = 'kl'")
    #expect(close(found[0], kl.mean) && close(found[1], kl.error) && found[2] == 3 && found[3] == lengths.reduce(0, +))
    let loss = ratio(try sums("\(name)/perplexity"), lengths)
    let perplexity = try reals(folder, "SELECT value, standard_error \(source) = 'perplexity'")
    #expect(close(perplexity[0], exp(loss.mean)) && close(perplexity[1], exp(loss.mean) * loss.error))
  }

  @Test func anotherDataSetUsesItsOwnSequences() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let all = try sums("low/kl")
    let expected = ratio([all[2], all[0]], [lengths[2], lengths[0]])
    let found = try reals(
      folder,
      """
      SELECT value, standard_error, sequence_count FROM evaluation_summary
      WHERE data_set = 'held-out' AND measure = 'kl' AND assignment_id = \(contents.low.id)
      """)
    #expect(close(found[0], expected.mean) && close(found[1], expected.error) && found[2] == 2)
  }

  @Test func anIncompleteSummaryHasNoValueButItsCoverage() throws {
    let (folder, contents) = try CatalogFolder.filled()
    try folder.tamper(
      "DELETE FROM observation WHERE assignment_id = \(contents.low.id) AND sequence_id = \(contents.sequences[1].id)")
    try folder.renewFitness()
    let condition = "WHERE measure = 'kl' AND assignment_id = \(contents.low.id) AND data_set ="
    #expect(try rows(folder, "SELECT value FROM evaluation_summary \(condition) 'text'").isEmpty)
    #expect(try rows(folder, "SELECT value FROM evaluation_summary \(condition) 'held-out'").count == 1)
    let found = try reals(
      folder, "SELECT is_complete, coverage, answered_sequence_count FROM evaluation_coverage \(condition) 'text'")
    #expect(found[0] == 0 && close(found[1], 2.0 / 3) && found[2] == 2)
    #expect(try reals(folder, "SELECT is_complete FROM evaluation_coverage \(condition) 'held-out'") == [1])
  }

  @Test func aDivergedSequenceLeavesNoValue() throws {
    let (folder, contents) = try CatalogFolder.filled()
    try folder.tamper(
      """
      UPDATE observation SET sum = NULL, outcome = 'diverged'
      WHERE assignment_id = \(contents.high.id) AND sequence_id = \(contents.sequences[1].id)
      """)
    try folder.renewFitness()
    let condition = "WHERE measure = 'kl' AND data_set = 'text' AND assignment_id = \(contents.high.id)"
    #expect(
      try reals(folder, "SELECT is_complete, diverged_sequence_count, coverage FROM evaluation_coverage \(condition)")
        == [0, 1, 1])
    #expect(try rows(folder, "SELECT value FROM evaluation_summary \(condition)").isEmpty)
    // It is no longer the best one, and no longer compared.
    #expect(
      try rows(folder, "SELECT 1 FROM best_assignment WHERE assignment_id = \(contents.high.id) AND data_set = 'text'")
        .isEmpty)
    #expect(
      try rows(
        folder,
        """
        SELECT 1 FROM paired_difference WHERE data_set = 'text'
          AND \(contents.high.id) IN (assignment_id, other_assignment_id)
        """
      ).isEmpty)
    #expect(
      try rows(folder, "SELECT 1 FROM run_result WHERE point = 'found' AND data_set = 'text'").isEmpty)
  }

  @Test func aSequenceThatOccursTwiceCountsTwice() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.write()
    let tokens = ExampleContents.tokens
    try store.write {
      _ = try $0.store(
        dataSet: "twice", sequences: [tokens[0], tokens[1], tokens[0]], tokenizerDigest: nil, textDigest: nil,
        options: "{}", droppedTokenCount: 0)
    }
    store.close()
    let all = try sums("low/kl")
    let mean = ratio([all[0], all[1], all[0]], [lengths[0], lengths[1], lengths[0]]).mean
    // One observation of twice the weight, and one of its own.
    let error = ratio([2 * all[0], all[1]], [2 * lengths[0], lengths[1]]).error
    let found = try reals(
      folder,
      """
      SELECT distinct_sequence_count, value, standard_error FROM evaluation_summary
      WHERE data_set = 'twice' AND measure = 'kl' AND assignment_id = \(contents.low.id)
      """)
    #expect(found[0] == 2 && close(found[1], mean) && close(found[2], error))
  }

  /// Difference and paired standard error by the definition: residuals of the linearised difference of the values.
  private func paired(_ one: [Double], _ other: [Double], isPerplexity: Bool) -> (difference: Double, error: Double) {
    let total = lengths.reduce(0, +)
    let (mean, otherMean) = (one.reduce(0, +) / total, other.reduce(0, +) / total)
    let (slope, otherSlope) = isPerplexity ? (exp(mean), exp(otherMean)) : (1, 1)
    let squares = lengths.indices.map { (index) -> Double in
      let residual = slope * (one[index] - mean * lengths[index])
      let otherResidual = otherSlope * (other[index] - otherMean * lengths[index])
      return pow(residual - otherResidual, 2)
    }.reduce(0, +)
    let count = Double(lengths.count)
    return (
      isPerplexity ? exp(mean) - exp(otherMean) : mean - otherMean, sqrt(squares * count / (count - 1)) / total
    )
  }

  @Test(arguments: ["kl", "perplexity"])
  func aPairedDifferenceIsThatOfTheDefinition(measure: String) throws {
    let (folder, contents) = try CatalogFolder.filled()
    let named = ["dense": contents.dense, "low": contents.low, "high": contents.high, "mixed": contents.mixed]
    for (name, assignment) in named {
      for (otherName, other) in named {
        let expected = paired(
          try sums("\(name)/\(measure)"), try sums("\(otherName)/\(measure)"), isPerplexity: measure == "perplexity")
        let found = try reals(
          folder,
          """
          SELECT difference, standard_error FROM paired_difference WHERE data_set = 'text' AND measure = '\(measure)'
            AND assignment_id = \(assignment.id) AND other_assignment_id = \(other.id)
          """)
        #expect(close(found[0], expected.difference) && close(found[1], expected.error), "\(name) - \(otherName)")
      }
    }
  }

  @Test func aRunsReportHasThePairedDifferenceToItsReference() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let results = try folder.read().read { try $0.results(ofRun: "first") }
    #expect(results.count == 4 * 2 * 2)
    let names = ["dense": "dense", "start": "mixed", "reference": "low", "found": "high"]
    for result in results where result.role == .calibration {
      let name = try #require(names[result.point.rawValue])
      let key = result.measure
      let expected = paired(try sums("\(name)/\(key)"), try sums("low/\(key)"), isPerplexity: key == "perplexity")
      #expect(close(result.difference, expected.difference) && close(result.differenceStandardError, expected.error))
      let own = ratio(try sums("\(name)/\(key)"), lengths)
      #expect(close(result.value, key == "perplexity" ? exp(own.mean) : own.mean))
      #expect(close(result.standardError, key == "perplexity" ? exp(own.mean) * own.error : own.error))
      #expect(result.dataSet == "text")
    }
    let found = try #require(results.first { $0.point == .found && $0.role == .validation && $0.measure == "kl" })
    #expect(found.assignment == contents.high.digest && found.dataSet == "held-out" && found.averageBits == 4)
    #expect(found.storedByteCount == contents.high.storedBits / 8)
  }

  @Test func aReferenceWithoutAnswersLeavesTheValueAndNoDifference() throws {
    let (folder, contents) = try CatalogFolder.filled()
    try folder.tamper("DELETE FROM observation WHERE assignment_id = \(contents.low.id)")
    try folder.renewFitness()
    let results = try folder.read().read { try $0.results(ofRun: "first") }
    #expect(results.count == 3 * 2 * 2)
    #expect(results.allSatisfy { $0.difference == nil && $0.differenceStandardError == nil })
  }

  @Test func theBestAssignmentOfASizeHasTheLowestValue() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let best = try rows(
      folder,
      "SELECT average_bits, assignment_id FROM best_assignment WHERE data_set = 'text' AND measure = 'kl'"
        + " ORDER BY average_bits")
    let expected = [
      (3.0, contents.low), (4.0, contents.high), (Double(contents.mixed.codeBits) / 96, contents.mixed),
      (16.0, contents.dense),
    ]
    #expect(best == expected.map { [.real($0.0), .integer($0.1.id)] })
  }
}
