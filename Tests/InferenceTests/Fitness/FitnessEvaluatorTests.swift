import Foundation
import TestSupport
import Testing

@testable import Inference

/// The evaluator against the plain way: whatever it shares and however many threads it has, every bit is the same.
@Suite(.usualTimeLimit) struct FitnessEvaluatorTests {
  private let golden: GoldenModel
  private let sequences: [[Int32]]
  private let candidates: [LayerChoices]
  private let measures: [Measure] = [.kl, .perplexity, .topKKL(k: 4)]

  /// Variant ids from here on hold weights that no model survives.
  private static let firstBadID = 100
  private static let badWeights: [Float] = [.nan, .infinity, 3e38]

  private static func change(_ weight: Float, _ id: Int) -> Float {
    if id >= firstBadID { return badWeights[id - firstBadID] }
    let step = 0.02 * Float(id)
    return (weight / step).rounded(.toNearestOrEven) * step
  }

  init() throws {
    golden = try GoldenModel()
    sequences = [24, 2, 17, 40, 33].enumerated().map {
      randomTokens($1, vocabulary: 96, seed: UInt64($0) + 1)
    }
    var generator = SplitMix64(property: 7)
    var candidates: [LayerChoices] = []
    for index in 0..<20 {
      // Offspring of an earlier candidate, so that there are prefixes to share.
      var choices =
        index == 0
        ? LayerChoices.dense(layerCount: 21) : candidates[Int.random(in: 0..<index, using: &generator)]
      for _ in 0..<Int.random(in: 0...3, using: &generator) {
        choices.choices[Int.random(in: 0..<21, using: &generator)] = .numbered(
          Int.random(in: 1...4, using: &generator))
      }
      if index % 4 == 3 {
        choices.dropped.insert(
          Subblock(
            blockIndex: Int.random(in: 0..<3, using: &generator), half: index % 8 == 3 ? .attention : .mlp))
      }
      candidates.append(choices)
    }
    candidates[11] = candidates[4]
    self.candidates = candidates
  }

  private func evaluator(_ threadCount: Int = 1, sharing: Bool = true, capacity: Int = .max) -> FitnessEvaluator {
    FitnessEvaluator(
      model: golden.model, weights: golden.cache(capacity: capacity, Self.change), threadCount: threadCount,
      sharesPrefixes: sharing)
  }

  /// Sums by the plain way.
  private func plainSums(_ candidates: [LayerChoices]) throws -> [[[Measure: Double?]]] {
    let weights = golden.cache(Self.change)
    return try sequences.map { tokenIDs in
      let teacher = FitnessSums.Teacher.whole(
        FitnessSums.logProbabilities(hidden: try golden.hidden(tokenIDs), model: golden.model))
      return try candidates.map { candidate in
        FitnessSums.sums(
          hidden: try golden.hidden(tokenIDs, candidate, weights: weights), tokenIDs: tokenIDs, teacher: teacher,
          measures: measures, model: golden.model)
      }
    }
  }

  @Test func sharingThreadsAndCacheChangeNoBit() throws {
    let expected = try plainSums(candidates)
    #expect(expected.joined().allSatisfy { $0.values.allSatisfy { $0 != nil } })
    #expect(Set(expected[0].map { $0[.kl] }).count > 10, "the candidates differ")
    for threadCount in 1...3 {
      for sharing in [true, false] {
        #expect(try allSums(evaluator(threadCount, sharing: sharing), candidates, sequences, measures) == expected)
      }
    }
    #expect(try allSums(evaluator(2, capacity: 0), candidates, sequences, measures) == expected)
    #expect(try allSums(evaluator(2, capacity: 100_000), candidates, sequences, measures) == expected)
  }

  @Test func onlyWhatIsRequestedIsComputed() throws {
    let expected = try plainSums(candidates)
    let requests = [(0, [3, 1]), (3, []), (2, [19, 4, 11, 0])].map { sequence, wanted in
      FitnessEvaluator.Request(
        tokenIDs: sequences[sequence], candidates: wanted, measures: [.perplexity], teacherHidden: nil)
    }
    var seen: [[Int]: Double?] = [:]
    try evaluator(2).evaluate(candidates, requests, cancellation: Cancellation()) { request, candidate, sums, _ in
      seen[[request, candidate]] = sums[.perplexity] ?? nil
    }
    let wanted: [[Int]: Double?] = [
      [0, 3]: expected[0][3][.perplexity] ?? nil, [0, 1]: expected[0][1][.perplexity] ?? nil,
      [2, 19]: expected[2][19][.perplexity] ?? nil, [2, 4]: expected[2][4][.perplexity] ?? nil,
      [2, 11]: expected[2][11][.perplexity] ?? nil, [2, 0]: expected[2][0][.perplexity] ?? nil,
    ]
    #expect(seen == wanted)
  }

  @Test(arguments: 1...3) func everyDistinctPrefixIsComputedOnce(_ threadCount: Int) throws {
    var prefixes: Set<[LayerChoices]> = []
    for candidate in candidates {
      let blocks = (0..<3).map { block in
        LayerChoices(
          choices: Array(candidate.choices[block * 7..<(block + 1) * 7]),
          dropped: candidate.dropped.filter { $0.blockIndex == block })
      }
      for count in 1...3 { prefixes.insert(Array(blocks[..<count])) }
    }
    let tokens = sequences.reduce(0) { $0 + $1.count }
    let requests = sequences.map {
      FitnessEvaluator.Request(
        tokenIDs: $0, candidates: Array(candidates.indices), measures: [.perplexity], teacherHidden: nil)
    }
    func work(sharing: Bool) throws -> [[EvaluationWork]] {
      var result = sequences.map { _ in candidates.map { _ in EvaluationWork() } }
      try evaluator(threadCount, sharing: sharing).evaluate(candidates, requests, cancellation: Cancellation()) {
        result[$0][$1] += $3
        _ = $2
      }
      return result
    }
    func sum(_ work: [[EvaluationWork]]) -> EvaluationWork { work.joined().reduce(into: EvaluationWork()) { $0 += $1 } }
    let shared = try work(sharing: true)
    #expect(
      sum(shared)
        == EvaluationWork(
          forwardTokenCount: candidates.count * tokens, forwardBlockTokenCount: prefixes.count * tokens))
    #expect(try work(sharing: true) == shared, "which candidate shared work counts for does not depend on threads")
    #expect(
      sum(try work(sharing: false))
        == EvaluationWork(
          forwardTokenCount: candidates.count * tokens, forwardBlockTokenCount: 3 * candidates.count * tokens))
    #expect(prefixes.count < 3 * candidates.count)
  }

  private struct Refusal: Error, Equatable {}

  @Test(arguments: 1...3) func aThrowingReceiverStopsTheWork(_ threadCount: Int) throws {
    let evaluator = evaluator(threadCount)
    let requests = sequences.map {
      FitnessEvaluator.Request(
        tokenIDs: $0, candidates: Array(candidates.indices), measures: [.perplexity], teacherHidden: nil)
    }
    var calls = 0
    #expect(throws: Refusal()) {
      try evaluator.evaluate(candidates, requests, cancellation: Cancellation()) { _, _, _, _ in
        calls += 1
        if calls >= 3 { throw Refusal() }
      }
    }
    // Other threads may have been in the middle of a leaf.
    #expect((3...2 + threadCount).contains(calls))
  }

  @Test(arguments: 1...3) func cancellingInterrupts(_ threadCount: Int) throws {
    let requests = sequences.map {
      FitnessEvaluator.Request(
        tokenIDs: $0, candidates: Array(candidates.indices), measures: [.perplexity], teacherHidden: nil)
    }
    let cancellation = Cancellation()
    var calls = 0
    #expect(throws: InferenceError.interrupted) {
      try evaluator(threadCount).evaluate(candidates, requests, cancellation: cancellation) { _, _, _, _ in
        calls += 1
        if calls == 2 { cancellation.request() }
      }
    }
    #expect(calls < candidates.count * sequences.count)
    let untouched = WeightCache(capacity: .max, arithmetic: .float32) { index, _ in
      Issue.record("layer \(index) was computed")
      throw Unreadable()
    }
    let fresh = FitnessEvaluator(model: golden.model, weights: untouched, threadCount: threadCount)
    #expect(throws: InferenceError.interrupted) {
      try fresh.evaluate(candidates, requests, cancellation: cancellation) { _, _, _, _ in }
    }
  }

  @Test func divergedCandidatesHaveNoSumAndStopNobody() throws {
    var candidates = candidates
    for (offset, layer) in [0, 9, 20].enumerated() {
      candidates[5 + offset].choices[layer] = .numbered(Self.firstBadID + offset)
      candidates[5 + offset].dropped = []
    }
    let expected = try plainSums(candidates)
    let sums = try allSums(evaluator(2), candidates, sequences, measures)
    #expect(sums == expected)
    for row in sums {
      for (index, sums) in row.enumerated() {
        #expect(sums.count == measures.count)
        // Equal candidates and offspring were made before, so only these three are bad.
        for sum in sums.values { #expect((sum == nil) == (5...7).contains(index)) }
      }
    }
  }

  private struct Unreadable: Error, Equatable {}

  @Test(arguments: 1...3) func aWeightThatCannotBeLoadedIsThrown(_ threadCount: Int) throws {
    let golden = golden
    let weights = WeightCache(capacity: .max, arithmetic: .float32) { index, _ in
      if index == 15 { throw Unreadable() }
      return try golden.dense(index)
    }
    let evaluator = FitnessEvaluator(model: golden.model, weights: weights, threadCount: threadCount)
    #expect(throws: Unreadable()) { _ = try allSums(evaluator, candidates, sequences, [.perplexity]) }
  }

  /// One long sequence of one candidate keeps one thread busy; those that wait take its rows and heads.
  @Test(arguments: ["llama-gqa", "mistral-sliding-window", "gemma2", "phi3"], Arithmetic.allCases)
  func rowsOfALongSequenceChangeNoBit(_ name: String, _ arithmetic: Arithmetic) throws {
    let folder = try TemporaryFolder()
    let source = Fixtures.url("golden/models/\(name)")
    for file in ["model.safetensors", "expected.safetensors"] {
      try FileManager.default.copyItem(
        at: source.appendingPathComponent(file), to: folder.url.appendingPathComponent(file))
    }
    let configuration = try String(contentsOf: source.appendingPathComponent("config.json"), encoding: .utf8)
    let limit = "\"max_position_embeddings\": 64"
    #expect(configuration.contains(limit))
    try folder.write(
      configuration.replacingOccurrences(of: limit, with: "\"max_position_embeddings\": 512"), to: "config.json")
    let golden = try GoldenModel(folder: folder.url, arithmetic: arithmetic, longestSequence: 512)
    #expect(arithmetic == .openblas || RowStrips.ranges(rows: 500, arithmetic, isTapped: false).count > 2)
    let tokenIDs = randomTokens(500, vocabulary: 96, seed: 3)
    let candidate = LayerChoices(choices: golden.model.layers.indices.map { .numbered(1 + $0 % 3) })
    let weights = golden.cache(Self.change)
    let hidden = try golden.hidden(tokenIDs)
    let expected = FitnessSums.sums(
      hidden: try golden.hidden(tokenIDs, candidate, weights: weights), tokenIDs: tokenIDs, teacher: .hidden(hidden),
      measures: measures, model: golden.model)
    for keeps in [true, false] {
      let evaluator = FitnessEvaluator(
        model: golden.model, weights: weights, threadCount: 4, keepsTeacherProbabilities: keeps)
      try evaluator.teacherHiddenStates([tokenIDs], cancellation: Cancellation()) { _, state, _ in
        #expect(state.values == hidden.values)
      }
      // The same twice, so that the dense model's probabilities are kept.
      #expect(
        try allSums(evaluator, [candidate, candidate], [tokenIDs], measures) == [[expected, expected]])
    }
  }
}
