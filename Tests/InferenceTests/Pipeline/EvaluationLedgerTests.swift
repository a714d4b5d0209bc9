import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

@Suite(.usualTimeLimit) struct EvaluationLedgerTests {
  private static let measures: [Measure] = [.kl, .perplexity, .topKKL(k: 5)]
  private let base: TemporaryFolder

  /// A catalog at rest with the tiny model, four sequences and round-to-nearest variants at 2, 3 and 4 bits.
  init() throws {
    let catalog = try TestCatalog()
    let model = try catalog.importModel()
    try catalog.storeTokens(sequenceCount: 4, length: 24)
    let plan = CompressionPlan(
      data: nil, upstream: .dense, keeps: .none, calibrates: false,
      method: CompressionMethod(RoundToNearestMethod.self), rules: [.bits(2), .bits(3), .bits(4)])
    _ = try CompressionJob(plan, model: try catalog.open(model), job: catalog.job).run()
    base = try catalog.copy()
  }

  private func copiedBase() throws -> TemporaryFolder {
    let copy = try TemporaryFolder()
    try FileManager.default.copyItem(
      at: base.url.appendingPathComponent("catalog.evodb"), to: copy.url.appendingPathComponent("catalog.evodb"))
    return copy
  }

  /// The dense assignment, ten mixed ones that are each other's offspring, and one with dropped subblocks.
  private func assignments(_ catalog: TestCatalog) throws -> [AssignmentRecord] {
    try catalog.store.write { tx in
      let model = try tx.model(nil)
      let layers = try tx.layers(ofModel: model.id)
      let choices = try layers.map { try tx.variants(ofWeight: $0.weightID) }
      let methods = Dictionary(uniqueKeysWithValues: try tx.methods().map { ($0.id, $0.digest) })
      var generator = SplitMix64(property: 3)
      var variants: [VariantRecord?] = Array(repeating: nil, count: layers.count)
      var result = [
        try tx.store(assignmentOf: model, layers: layers, variants: variants, methods: methods, dropped: [])
      ]
      for _ in 0..<10 {
        for _ in 0..<3 {
          let layer = Int.random(in: 0..<layers.count, using: &generator)
          variants[layer] = choices[layer].randomElement(using: &generator)
        }
        result.append(
          try tx.store(assignmentOf: model, layers: layers, variants: variants, methods: methods, dropped: []))
      }
      result.append(
        try tx.store(
          assignmentOf: model, layers: layers, variants: variants, methods: methods, dropped: ["1.mlp", "2.attention"]))
      return result
    }
  }

  private func evaluate(_ catalog: TestCatalog, sharing: Bool = true, memoryLimit: Int64? = nil) throws
    -> (answers: [[[Observation]]], forwardTokenCount: Int)
  {
    let model = try catalog.open(memoryLimit: memoryLimit)
    let evaluations = try EvaluationLedger(
      model: model, job: catalog.job,
      worker: model.worker(threadCount: catalog.job.threadCount, sharesPrefixes: sharing))
    let sequences = try catalog.sequences(try catalog.store.read { try $0.dataSet(nil) })
    let answers = try evaluations.observations(
      of: try assignments(catalog), on: sequences, measures: Self.measures)
    return (answers, evaluations.forwardTokenCount)
  }

  /// The answers of forward passes without catalog, sharing and threads.
  private func plainAnswers() throws -> [[[Observation]]] {
    let catalog = try TestCatalog(try copiedBase())
    let golden = try GoldenModel()
    let model = try catalog.open()
    let sequences = try catalog.sequences(try catalog.store.read { try $0.dataSet(nil) })
    return try assignments(catalog).map { assignment in
      let choices = try catalog.store.read { try model.choices(of: assignment, $0) }
      let isDense = choices == .dense(layerCount: 21)
      return try sequences.map { sequence in
        let teacher = FitnessSums.Teacher.whole(
          FitnessSums.logProbabilities(hidden: try golden.hidden(sequence.tokenIDs), model: golden.model))
        let sums = FitnessSums.sums(
          hidden: try golden.hidden(sequence.tokenIDs, choices, weights: model.weights), tokenIDs: sequence.tokenIDs,
          teacher: teacher, measures: Self.measures, model: golden.model)
        return Self.measures.map { measure in
          let sum = isDense && measure.needsTeacher ? 0 : sums[measure] ?? nil
          return Observation(sum: sum, predictionCount: sequence.tokenIDs.count - 1)
        }
      }
    }
  }

  @Test func threadsSharingAndMemoryChangeNoBit() throws {
    let expected = try plainAnswers()
    #expect(expected.joined().joined().allSatisfy { $0.sum != nil })
    for threadCount in 1...3 {
      for sharing in [true, false] {
        let catalog = try TestCatalog(try copiedBase(), threadCount: threadCount)
        #expect(try evaluate(catalog, sharing: sharing).answers == expected)
      }
      let catalog = try TestCatalog(try copiedBase(), threadCount: threadCount)
      var least: Int64?
      do {
        _ = try catalog.open(memoryLimit: 1)
      } catch InferenceError.impossible(let detail) { least = ModelImportTests.leastMemory(detail) }
      #expect(try evaluate(catalog, memoryLimit: try #require(least)).answers == expected)
    }
  }

  @Test func whatWasAnsweredIsNeverComputedAgain() throws {
    let catalog = try TestCatalog(try copiedBase())
    let first = try evaluate(catalog)
    // Four sequences of 24 for the teacher and the eleven assignments that are not the teacher itself.
    #expect(first.forwardTokenCount == 4 * 24 * 12)
    #expect(catalog.job.record.work.evaluationCount == 48)
    let second = try evaluate(catalog)
    #expect(second.forwardTokenCount == 0 && second.answers == first.answers)
    #expect(catalog.job.record.work.cacheHitCount == 48)
    let reopened = try TestCatalog(try catalog.copy())
    let third = try evaluate(reopened)
    #expect(third.forwardTokenCount == 0 && third.answers == first.answers)
  }

  @Test func theDenseModelHasNoDivergenceAtAll() throws {
    let catalog = try TestCatalog(try copiedBase())
    for answers in try evaluate(catalog).answers[0] {
      #expect(answers[0].sum == 0 && answers[2].sum == 0)
      #expect(answers[0].sum?.sign == .plus)
      #expect((answers[1].sum ?? 0) > 0)
    }
  }

  @Test func perplexityAloneNeedsNoTeacher() throws {
    let catalog = try TestCatalog(try copiedBase())
    let evaluations = try EvaluationLedger(model: try catalog.open(), job: catalog.job)
    let sequences = try catalog.sequences(try catalog.store.read { try $0.dataSet(nil) })
    let some = Array(try assignments(catalog)[1...2])
    let answers = try evaluations.observations(of: some, on: sequences, measures: [.perplexity])
    #expect(evaluations.forwardTokenCount == 4 * 24 * 2)
    let expected = try plainAnswers()
    #expect(answers == expected[1...2].map { $0.map { [$0[1]] } })
  }

  @Test func aSequenceThatOccursTwiceIsComputedOnce() throws {
    let catalog = try TestCatalog(try copiedBase())
    let evaluations = try EvaluationLedger(model: try catalog.open(), job: catalog.job)
    let sequences = try catalog.sequences(try catalog.store.read { try $0.dataSet(nil) })
    let repeated = [sequences[1], sequences[0], sequences[1], sequences[1]]
    let some = Array(try assignments(catalog)[1...1])
    let answers = try evaluations.observations(of: some, on: repeated, measures: [.perplexity])
    #expect(evaluations.forwardTokenCount == 2 * 24)
    let expected = try plainAnswers()[1].map { [$0[1]] }
    #expect(answers == [[expected[1], expected[0], expected[1], expected[1]]])
  }

  @Test func whatWasComputedBeforeAStopIsKept() throws {
    let undisturbed = try TestCatalog(try copiedBase(), threadCount: 1)
    let expected = try evaluate(undisturbed)
    let stopped = try TestCatalog(try copiedBase(), threadCount: 1)
    let evaluations = try EvaluationLedger(model: try stopped.open(), job: stopped.job)
    let sequences = try stopped.sequences(try stopped.store.read { try $0.dataSet(nil) })
    let assignments = try assignments(stopped)
    #expect(throws: InferenceError.interrupted) {
      _ = try evaluations.observations(of: assignments, on: sequences, measures: Self.measures) { answered, _ in
        if answered > 12 { stopped.cancellation.request() }
      }
    }
    let done = stopped.job.record.work.evaluationCount
    #expect(done > 12 && done < 48)
    let later = try TestCatalog(try stopped.copy(), threadCount: 1)
    let rest = try evaluate(later)
    #expect(rest.answers == expected.answers)
    #expect(later.job.record.work.evaluationCount == 48 - done)
    #expect(evaluations.forwardTokenCount + rest.forwardTokenCount == expected.forwardTokenCount)
  }

  @Test func sequencesTheModelCannotTakeAreRefusedNotTrapped() throws {
    let catalog = try TestCatalog(try copiedBase())
    let evaluations = try EvaluationLedger(model: try catalog.open(longestSequence: 24), job: catalog.job)
    let some = Array(try assignments(catalog)[1...1])
    for (tokenIDs, rule) in [
      ([1, 2, 96], "token id 96 is outside the vocabulary of "),
      ([1, -2], "token id -2 is outside the vocabulary of "),
      ([Int32](repeating: 1, count: 25), "was opened for at most 24 tokens a sequence, not 25"),
    ] {
      let sequence = try catalog.store.write { try $0.store(sequence: tokenIDs) }
      expectError(like: InferenceError.impossible(detail: rule)) {
        try evaluations.observations(of: some, on: [sequence], measures: [.kl])
      }
    }
  }
}
