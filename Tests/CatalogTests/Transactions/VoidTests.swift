import TestSupport
import Testing

@testable import Catalog

/// Results that were declared wrong: kept, used nowhere, answered again.
@Suite(.usualTimeLimit) struct VoidTests {
  private func selection(_ contents: ExampleContents, _ change: (inout ObservationSelection) -> Void = { _ in })
    -> ObservationSelection
  {
    var selection = ObservationSelection()
    selection.assignmentID = contents.high.id
    selection.measureID = contents.kl.id
    change(&selection)
    return selection
  }

  private func answer(_ contents: ExampleContents, _ tx: CatalogTransaction, sequence: Int = 0) throws -> Double? {
    try tx.observation(
      assignmentID: contents.high.id, measureID: contents.kl.id, sequenceID: contents.sequences[sequence].id,
      preferring: contents.here)?.sum
  }

  private func store(_ sum: Double, by numerics: Int64, _ contents: ExampleContents, _ tx: CatalogTransaction) throws {
    try tx.store(
      observation: Observation(sum: sum, predictionCount: 5), assignmentID: contents.high.id, measureID: contents.kl.id,
      sequenceID: contents.sequences[0].id, numericsID: numerics, jobID: contents.job.id)
  }

  private func values(_ tx: CatalogTransaction, _ sql: String) throws -> [[SQLValue]] {
    var rows: [[SQLValue]] = []
    try tx.connection.forEachRow(sql) { rows.append($0.values) }
    return rows
  }

  @Test func aVoidObservationIsUsedNowhereAndStays() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let file = try folder.write()
    defer { file.close() }
    try file.write { (tx) throws in
      let before = try tx.connection.integer("SELECT count(*) FROM observation")
      #expect(try tx.void([selection(contents)], reason: "wrong", by: "me@here") == 3)
      #expect(try answer(contents, tx) == nil)
      #expect(try tx.connection.integer("SELECT count(*) FROM observation") == before)
    }
    try file.read { (tx) throws in
      let id = contents.high.id
      let kl = "measure = 'kl' AND assignment_id = \(id)"
      #expect(try values(tx, "SELECT 1 FROM evaluation_summary WHERE \(kl)").isEmpty)
      #expect(try values(tx, "SELECT 1 FROM best_assignment WHERE \(kl)").isEmpty)
      #expect(try values(tx, "SELECT 1 FROM paired_difference WHERE \(kl)").isEmpty)
      #expect(try values(tx, "SELECT 1 FROM run_result WHERE \(kl)").isEmpty)
      #expect(
        try values(tx, "SELECT DISTINCT reason, voided_by, measure FROM void_summary WHERE assignment_id = \(id)")
          == [[.text("wrong"), .text("me@here"), .text("kl")]])
      // The other measure still counts.
      #expect(
        try !values(tx, "SELECT 1 FROM evaluation_summary WHERE measure = 'perplexity' AND assignment_id = \(id)")
          .isEmpty)
    }
  }

  @Test func equalNumericsMayAnswerAVoidQuestionAgain() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let file = try folder.write()
    defer { file.close() }
    try file.write { (tx) throws in
      for round in 1...3 {
        try tx.void([selection(contents)], reason: "round \(round)", by: "me@here")
        #expect(try answer(contents, tx) == nil)
        try store(Double(round), by: contents.here, contents, tx)
        #expect(try answer(contents, tx) == Double(round))
        // A valid answer stays.
        try store(99, by: contents.here, contents, tx)
        #expect(try answer(contents, tx) == Double(round))
        #expect(
          try values(
            tx,
            "SELECT sum FROM evaluation WHERE assignment_id = \(contents.high.id) AND measure_id = "
              + "\(contents.kl.id) AND sequence_id = \(contents.sequences[0].id)") == [[.real(Double(round))]])
      }
      #expect(try tx.connection.integer("SELECT max(attempt) FROM observation") == 3)
    }
  }

  @Test func aVoidWithoutItsObservationCountsAsAnAttempt() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let file = try folder.write()
    defer { file.close() }
    try file.write { (tx) throws in
      try tx.void([selection(contents)], reason: "wrong", by: "me@here")
      try tx.connection.execute("DELETE FROM observation WHERE assignment_id = \(contents.high.id)")
      try store(7, by: contents.here, contents, tx)
      #expect(try answer(contents, tx) == 7)
    }
  }

  @Test func theAnswerOfOtherNumericsTakesThePlace() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let file = try folder.write()
    defer { file.close() }
    try file.write { (tx) throws in
      try store(0.5, by: contents.elsewhere, contents, tx)
      #expect(try answer(contents, tx) == 0.25)
      try tx.void([selection(contents) { $0.numericsID = contents.here }], reason: "wrong", by: "me@here")
      #expect(try answer(contents, tx) == 0.5)
      #expect(try answer(contents, tx, sequence: 1) == nil)
    }
  }

  @Test func voidingTwiceChangesNothing() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let file = try folder.write()
    defer { file.close() }
    let selections = [selection(contents), selection(contents) { $0.jobID = contents.job.id }]
    try file.write { (tx) throws in
      #expect(try tx.void(selections, reason: "wrong", by: "me@here") == 3)
      let digest = try tx.sharedDigest(includingProvenance: true)
      #expect(try tx.void(selections, reason: "again", by: "you@there") == 0)
      #expect(try tx.sharedDigest(includingProvenance: true) == digest)
      let summary = try tx.voidSummary(selections)
      #expect(summary.observationCount == 3 && summary.alreadyVoidCount == 3)
      #expect(summary.assignmentCount == 1 && summary.runCount == 1)
    }
  }

  @Test func aSelectionNarrowsByDataSetAndJob() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let file = try folder.write()
    defer { file.close() }
    try file.write { (tx) throws in
      func count(_ change: (inout ObservationSelection) -> Void) throws -> Int {
        try tx.voidSummary([selection(contents, change)]).observationCount
      }
      #expect(try count { _ in } == 3)
      #expect(try count { $0.sequenceListID = contents.heldOut.sequenceListID } == 2)
      // KL and likelihood of the sequences, and the four choices of a task.
      #expect(try count { $0.measureID = nil } == 10)
      #expect(try count { $0.numericsID = contents.elsewhere } == 0)
      #expect(try count { $0.jobID = contents.job.id + 1 } == 0)
      #expect(try count { ($0.assignmentID, $0.numericsID) = (nil, contents.here) } == 12)
    }
  }

  @Test func historyStaysAndIsMarked() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let file = try folder.write()
    defer { file.close() }
    try file.write { (tx) throws in
      let before = try values(tx, "SELECT run, generation, stage, candidate, fitness FROM candidate_result")
      #expect(try values(tx, "SELECT DISTINCT is_based_on_void FROM candidate_result") == [[.integer(0)]])
      try tx.void([selection(contents)], reason: "wrong", by: "me@here")
      #expect(try values(tx, "SELECT run, generation, stage, candidate, fitness FROM candidate_result") == before)
      #expect(
        try values(tx, "SELECT DISTINCT assignment_id FROM candidate_result WHERE is_based_on_void")
          == [[.integer(contents.high.id)]])
    }
  }
}
