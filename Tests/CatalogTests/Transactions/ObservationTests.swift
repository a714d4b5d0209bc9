import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct ObservationTests {
  private func store(
    _ sum: Double?, by numerics: Int64, in transaction: CatalogTransaction, _ contents: ExampleContents,
    sequence: SequenceRecord
  ) throws {
    try transaction.store(
      observation: Observation(sum: sum, predictionCount: 1), assignmentID: contents.low.id, measureID: contents.kl.id,
      sequenceID: sequence.id, numericsID: numerics, jobID: contents.job.id)
  }

  private func answer(
    _ contents: ExampleContents, preferring numerics: Int64, in transaction: CatalogTransaction,
    sequence: SequenceRecord
  ) throws -> Observation? {
    try transaction.observation(
      assignmentID: contents.low.id, measureID: contents.kl.id, sequenceID: sequence.id, preferring: numerics)
  }

  @Test(arguments: [0.0, 1.5, -2.25e-300, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0.1])
  func aFiniteSumComesBackBitForBit(sum: Double) throws {
    let (folder, contents) = try CatalogFolder.filled()
    let file = try folder.write()
    defer { file.close() }
    try file.write { (transaction) throws in
      let sequence = try transaction.store(sequence: [50, 60])
      try store(sum, by: contents.here, in: transaction, contents, sequence: sequence)
      let found = try answer(contents, preferring: contents.here, in: transaction, sequence: sequence)
      #expect(found?.sum?.bitPattern == sum.bitPattern && found?.predictionCount == 1)
    }
  }

  @Test(arguments: [nil, Double.nan, .infinity, -.infinity])
  func whatIsNotFiniteIsDiverged(sum: Double?) throws {
    let (folder, contents) = try CatalogFolder.filled()
    let file = try folder.write()
    defer { file.close() }
    try file.write { (transaction) throws in
      let sequence = try transaction.store(sequence: [50, 60])
      try store(sum, by: contents.here, in: transaction, contents, sequence: sequence)
      let found = try answer(contents, preferring: contents.here, in: transaction, sequence: sequence)
      #expect(found == Observation(sum: nil, predictionCount: 1))
      let outcome = try transaction.connection.text(
        "SELECT outcome FROM observation WHERE sequence_id = ?", [.integer(sequence.id)])
      #expect(outcome == "diverged")
    }
  }

  @Test func anOutcomeCannotContradictItsSum() throws {
    let (folder, _) = try CatalogFolder.filled()
    for change in ["outcome = 'diverged' WHERE sum IS NOT NULL", "sum = NULL WHERE outcome = 'finite'"] {
      #expect {
        try folder.tamper("UPDATE observation SET \(change)")
      } throws: {
        ($0 as? SQLiteError)?.isConstraint == true
      }
    }
  }

  @Test func nobodysAnswerIsNil() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let file = try folder.write()
    defer { file.close() }
    try file.write { (transaction) throws in
      let sequence = try transaction.store(sequence: [50, 60])
      #expect(try answer(contents, preferring: contents.here, in: transaction, sequence: sequence) == nil)
    }
  }

  @Test func theOwnNumericsAnswerFirstThenTheSmallestDigest() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let file = try folder.write()
    defer { file.close() }
    try file.write { (transaction) throws in
      let sequence = try transaction.store(sequence: [50, 60])
      let third = NumericsRecord(blasVersion: "0.3", blasCore: "third", kernels: "1")
      let thirdID = try transaction.store(numerics: third)
      try store(3, by: contents.elsewhere, in: transaction, contents, sequence: sequence)
      try store(2, by: contents.here, in: transaction, contents, sequence: sequence)
      let own = try answer(contents, preferring: contents.elsewhere, in: transaction, sequence: sequence)
      #expect(own?.sum == 3)
      // `here` is the smaller of the two by digest.
      let others = try answer(contents, preferring: thirdID, in: transaction, sequence: sequence)
      #expect(others?.sum == 2)
      let view = try transaction.connection.firstRow(
        "SELECT sum, count(*) AS count FROM evaluation WHERE sequence_id = ?", [.integer(sequence.id)]
      ) { (try $0.value("sum") as Double, $0.integer("count")) }
      #expect(view?.0 == 2 && view?.1 == 1)
    }
  }

  @Test func theFirstAnswerOfTheSameNumericsStays() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let file = try folder.write()
    defer { file.close() }
    try file.write { (transaction) throws in
      try store(99, by: contents.here, in: transaction, contents, sequence: contents.sequences[0])
      let found = try answer(contents, preferring: contents.here, in: transaction, sequence: contents.sequences[0])
      #expect(found == Observation(sum: 1.75, predictionCount: 5))
    }
  }
}
