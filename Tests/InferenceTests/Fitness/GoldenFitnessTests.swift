import Foundation
import TestSupport
import Testing

@testable import Inference

/// Perplexity and KL as EvoPress' metrics compute them.
@Suite(.usualTimeLimit) struct GoldenFitnessTests {
  private struct Expected: Decodable {
    var sequences: [[Int32]]
    var roundingStep: Float
    var perplexityDense: Double
    var perplexity: Double
    var kl: Double
    var topKKL5: Double
    var topKKL10: Double

    enum CodingKeys: String, CodingKey {
      case sequences, perplexity, kl
      case roundingStep = "rounding_step"
      case perplexityDense = "perplexity_dense"
      case topKKL5 = "topk_kl_5"
      case topKKL10 = "topk_kl_10"
    }
  }

  @Test(arguments: ["llama-gqa", "phi3"], [1, 2])
  func fitnessIsThatOfTheReference(_ name: String, _ threadCount: Int) throws {
    let expected = try JSONDecoder().decode(
      Expected.self, from: Data(contentsOf: Fixtures.url("golden/models/\(name)/fitness.json")))
    let golden = try GoldenModel(name)
    let step = expected.roundingStep
    let weights = golden.cache { weight, _ in (weight / step).rounded(.toNearestOrEven) * step }
    let layerCount = golden.model.layers.count
    let candidates = [
      LayerChoices.dense(layerCount: layerCount),
      LayerChoices(choices: Array(repeating: .numbered(1), count: layerCount)),
    ]
    let evaluator = FitnessEvaluator(model: golden.model, weights: weights, threadCount: threadCount)
    let measures: [Measure] = [.perplexity, .kl, .topKKL(k: 5), .topKKL(k: 10)]
    let sums = try allSums(evaluator, candidates, expected.sequences, measures)
    let predictions = expected.sequences.reduce(0) { $0 + $1.count - 1 }
    func value(_ candidate: Int, _ measure: Measure) throws -> Double {
      let sum = try expected.sequences.indices.reduce(0.0) { sum, index in
        sum + (try #require(sums[index][candidate][measure] ?? nil))
      }
      return measure.value(sum: sum, predictionCount: predictions)
    }
    // Sums over all positions of logits that differ by some 1e-5; teacher and student partly share the error.
    func agrees(_ value: Double, _ expected: Double) -> Bool { abs(value - expected) <= 1e-4 * expected }
    #expect(agrees(try value(0, .perplexity), expected.perplexityDense))
    #expect(agrees(try value(1, .perplexity), expected.perplexity))
    #expect(agrees(try value(1, .kl), expected.kl))
    #expect(agrees(try value(1, .topKKL(k: 5)), expected.topKKL5))
    #expect(agrees(try value(1, .topKKL(k: 10)), expected.topKKL10))
    for measure in measures where measure.needsTeacher {
      #expect(abs(try value(0, measure)) < 1e-6, "the dense model against itself")
    }
  }

  @Test func measuresAreReadFromText() throws {
    for text in ["kl", "perplexity", "topk-kl:5", "topk-kl:10"] {
      #expect(try Measure(text).description == text)
    }
    #expect(try Measure("topk-kl") == .topKKL(k: 10))
    for text in ["", "KL", "kl:2", "topk-kl:1", "topk-kl:x", "topk-kl:", "perplexity:1"] {
      expectError(like: InferenceError.impossible(detail: "no measure \(text); ")) { try Measure(text) }
    }
  }
}

/// All sums, [sequence][candidate], of every candidate on every sequence, with teachers made by the evaluator itself.
func allSums(
  _ evaluator: FitnessEvaluator, _ candidates: [LayerChoices], _ sequences: [[Int32]], _ measures: [Measure]
) throws -> [[[Measure: Double?]]] {
  var teachers = [Matrix?](repeating: nil, count: sequences.count)
  if measures.contains(where: \.needsTeacher) {
    try evaluator.teacherHiddenStates(sequences, cancellation: Cancellation()) { index, state, _ in
      teachers[index] = state
    }
  }
  let requests = zip(sequences, teachers).map {
    FitnessEvaluator.Request(
      tokenIDs: $0, candidates: Array(candidates.indices), measures: measures, teacherHidden: $1)
  }
  var result = Array(
    repeating: Array(repeating: [Measure: Double?](), count: candidates.count), count: sequences.count)
  try evaluator.evaluate(candidates, requests, cancellation: Cancellation()) { request, candidate, sums, _ in
    result[request][candidate] = sums
  }
  return result
}
