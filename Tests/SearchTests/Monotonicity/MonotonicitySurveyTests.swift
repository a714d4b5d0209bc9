import TestSupport
import Testing

@testable import Catalog
@testable import Search

@Suite(.usualTimeLimit) struct MonotonicitySurveyTests {
  /// Tasks leave answers to measures of continuations, which are about a part of a sequence: they are no fitness of a data set.
  @Test func itLooksAtMeasuresOfFitnessAlone() throws {
    let folder = try TemporaryFolder()
    let store = try CatalogStore(
      path: folder.url.appendingPathComponent("a.evodb").path, mode: .create, command: "test")
    defer { store.close() }
    let (contents, continuation) = try store.write { tx in
      let contents = try ExampleContents(in: tx)
      let measure = try tx.store(
        measure: MeasureRecord(name: "continuation", topK: nil, firstToken: 1, reference: "none", revision: 1))
      for (place, assignment) in [contents.low, contents.high].enumerated() {
        for sequence in contents.sequences {
          try tx.store(
            observation: Observation(
              sum: Double(place + 1) / Double(sequence.tokenIDs.count), predictionCount: sequence.tokenIDs.count - 1),
            assignmentID: assignment.id, measureID: measure.id, sequenceID: sequence.id, numericsID: contents.here,
            jobID: contents.job.id)
        }
      }
      return (contents, measure)
    }
    func measures(_ wanted: String?) throws -> Set<Int64> {
      Set(
        try store.read { try MonotonicitySurvey.run(model: contents.model, measure: wanted, limit: 10, tx: $0) }
          .map(\.measureID))
    }
    #expect(try measures(nil) == [contents.kl.id, contents.perplexity.id])
    #expect(try measures("kl") == [contents.kl.id])
    #expect(try measures("topk-kl:10") == [])
    // What was found in other measures stays.
    for (wanted, expected) in [(nil, 2), ("kl", 2), ("perplexity", 2), ("topk-kl:10", 2)] as [(String?, Int64)] {
      let count = try store.write { tx in
        let found = try MonotonicitySurvey.run(model: contents.model, measure: wanted, limit: 10, tx: tx)
        try tx.replace(monotonicity: found, measure: wanted)
        return try tx.connection.integer("SELECT count(DISTINCT measure_id) FROM monotonicity_count")
      }
      #expect(count == expected, "\(wanted ?? "all")")
    }
    // It is complete on the data set all the same.
    let complete = try store.read {
      try $0.completeSums(
        modelID: contents.model.id, measureID: continuation.id, sequenceListID: contents.dataSet.sequenceListID)
    }
    #expect(complete.assignments.map(\.id) == [contents.low.id, contents.high.id].sorted())
  }
}
