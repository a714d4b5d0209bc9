import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

@Suite(.usualTimeLimit) struct SelfGeneratedSequencesTests {
  private func request(tokens: Int = 70 * 20, length: Int = 20, seed: UInt64 = 3) throws -> SelfGeneratedSequences {
    SelfGeneratedSequences(sequenceLength: length, tokenCount: tokens, sampler: try TokenSampler(), seed: seed)
  }

  private func generate(_ request: SelfGeneratedSequences, threadCount: Int = 2, memoryLimit: Int64? = nil) throws
    -> [[Int32]]
  {
    let catalog = try TestCatalog(threadCount: threadCount)
    let model = try catalog.importModel()
    let stored = try request.store(as: "own", model: model, memoryLimit: memoryLimit, job: catalog.job)
    #expect(stored.isNew)
    return try catalog.sequences(stored.dataSet).map(\.tokenIDs)
  }

  @Test func equalSeedsGiveEqualTextWhateverThreadsAndMemory() throws {
    // More than two groups, the last one smaller.
    let first = try generate(try request())
    #expect(first.count == 70 && first.allSatisfy { $0.count == 20 })
    #expect(Set(first).count == 70)
    #expect(try generate(try request(), threadCount: 1) == first)
    #expect(try generate(try request(), threadCount: 3, memoryLimit: 300 << 20) == first)
    #expect(try generate(try request(seed: 4)) != first)
  }

  /// Each token must be the one that the model's full forward pass and the sequence's own random number lead to.
  @Test func tokensFollowTheModelsDistribution() throws {
    let request = try request(tokens: 40, length: 20, seed: 11)
    let golden = try GoldenModel()
    for (index, sequence) in try generate(request).enumerated() {
      var source = SamplingSource(seed: 11, sequence: index)
      _ = source.uniform()
      let hidden = try golden.hidden(sequence)
      for position in 0..<19 {
        let logits = golden.model.logits(hidden, rows: position..<position + 1)
        #expect(request.sampler.token(logits: logits, row: 0, uniform: source.uniform()) == sequence[position + 1])
      }
    }
  }

  @Test func theSameRequestIsNotSampledAgainAndAnotherNeedsAnotherName() throws {
    let catalog = try TestCatalog()
    let model = try catalog.importModel()
    let request = try request(tokens: 100)
    let first = try request.store(as: "own", model: model, memoryLimit: nil, job: catalog.job)
    let done = catalog.job.record.work.forwardTokenCount
    #expect(done == 5 * 19)
    let second = try request.store(as: "own", model: model, memoryLimit: nil, job: catalog.job)
    #expect(!second.isNew && second.dataSet == first.dataSet)
    #expect(catalog.job.record.work.forwardTokenCount == done)
    #expect(first.dataSet.options.contains("\"source\":\"self-generated\""))
    #expect(throws: CatalogError.nameTaken("a data set called own has other content; choose another name")) {
      try self.request(tokens: 100, seed: 5).store(as: "own", model: model, memoryLimit: nil, job: catalog.job)
    }
  }

  @Test func whatCannotBeIsRefusedBeforeAnythingIsComputed() throws {
    let catalog = try TestCatalog()
    let model = try catalog.importModel()
    for (tokens, length, rule) in [
      (10, 20, "less than one sequence of 20 tokens"), (20, 1, "a sequence has at least 2 tokens, not 1"),
      (1000, 65, "takes sequences of at most 64 tokens, not 65"),
    ] {
      expectError(like: InferenceError.impossible(detail: rule)) {
        try self.request(tokens: tokens, length: length).store(
          as: "own", model: model, memoryLimit: nil, job: catalog.job)
      }
    }
    catalog.cancellation.request()
    #expect(throws: InferenceError.interrupted) {
      try self.request().store(as: "own", model: model, memoryLimit: nil, job: catalog.job)
    }
    #expect(try catalog.store.read { try $0.dataSets() }.isEmpty)
  }
}
