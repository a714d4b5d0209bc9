import Catalog
import Foundation
import Inference

/// Fitness evaluation of a search stage, without the catalog: forward passes and measures only.
struct CandidateEvaluation {
  let model: any LanguageModel
  let weights: WeightCache
  let candidates: [LayerChoices]
  let sequences: [[Int32]]
  private let teachers: [Matrix]

  init(example: ExampleCatalog, candidates: [LayerChoices], sequenceCount: Int) throws {
    model = example.model.network
    weights = example.model.weights
    self.candidates = candidates
    sequences = example.sequences.prefix(sequenceCount).map(\.tokenIDs)
    let evaluator = FitnessEvaluator(model: model, weights: weights, threadCount: example.job.threadCount)
    let states = StateList(count: sequences.count)
    try evaluator.teacherHiddenStates(sequences, cancellation: Cancellation()) { index, state, _ in
      states.set(index, state)
    }
    teachers = states.values
  }

  /// Tokens of all candidates.
  var tokenCount: Int { candidates.count * sequences.reduce(0) { $0 + $1.count } }

  /// Seconds of evaluating KL and likelihood of all candidates on all sequences, the best of `count` runs.
  func seconds(threadCount: Int, sharesPrefixes: Bool, bestOf count: Int) throws -> Double {
    let evaluator = FitnessEvaluator(
      model: model, weights: weights, threadCount: threadCount, sharesPrefixes: sharesPrefixes)
    let requests = zip(sequences, teachers).map {
      FitnessEvaluator.Request(
        tokenIDs: $0, candidates: Array(candidates.indices), measures: [.kl, .perplexity], teacherHidden: $1)
    }
    return try Stopwatch.best(of: count) {
      try evaluator.evaluate(candidates, requests, cancellation: Cancellation()) { _, _, _, _ in }
    }
  }

  /// Share of the blocks that prefix sharing leaves to compute.
  func sharedBlockShare() throws -> Double {
    let evaluator = FitnessEvaluator(model: model, weights: weights, threadCount: 1)
    let request = FitnessEvaluator.Request(
      tokenIDs: Array(sequences[0].prefix(2)), candidates: Array(candidates.indices), measures: [.perplexity],
      teacherHidden: nil)
    var done = EvaluationWork()
    try evaluator.evaluate(candidates, [request], cancellation: Cancellation()) { _, _, _, work in done += work }
    return Double(done.forwardBlockTokenCount) / Double(2 * candidates.count * model.blockCount)
  }

  /// Section 2, with the peak as measured before and after it.
  func forwardSection(peak before: ProductPeak) throws -> (peak: ProductPeak, section: BenchSection) {
    let work = ForwardWork(model: model, tokenCount: ExampleCatalog.sequenceLength)
    let flops = work.total * Double(candidates.count * sequences.count)
    let one = flops / (try seconds(threadCount: 1, sharesPrefixes: false, bestOf: 5)) * 1e-9
    let all = flops / (try seconds(threadCount: before.threadCount, sharesPrefixes: false, bestOf: 8)) * 1e-9
    let peak = before.merged(with: .measure(threadCount: before.threadCount))
    let section = BenchSection(
      key: "forward", title: "2. Forward pass of a candidate's evaluation",
      words: """
        \(candidates.count) candidates on \(sequences.count) sequences of \(ExampleCatalog.sequenceLength) tokens, no \
        prefix shared: block products, causal attention, head, KL and likelihood. Counted: linear layers, attention over \
        the pairs that causality needs, head; not counted: everything else, though its time is in the figure, also that of \
        the dense model's logits, once a sequence. Ratio: share of the peak of section 1.
        """,
      reference: "the peak of section 1.",
      figures: [
        Figure("mflop_per_token", "work a token", work.total / Double(ExampleCatalog.sequenceLength) * 1e-6, "MFLOP"),
        Figure("one_thread_gflops", "1 thread", one, "GFLOP/s").against(rate: peak.oneThread, aim: "0.80 x"),
        Figure("all_threads_gflops", "\(peak.threadCount) threads", all, "GFLOP/s")
          .against(rate: peak.allThreads, aim: "0.80 x"),
      ])
    return (peak, section)
  }

  /// Section 3.
  func fitnessSection(threadCount: Int, changedLayers: [Int], reference: () -> ReferenceFitness) throws -> BenchSection
  {
    var plainTimes: [Double] = []
    var sharedTimes: [Double] = []
    func measure() throws {
      for _ in 0..<2 {
        plainTimes.append(try seconds(threadCount: threadCount, sharesPrefixes: false, bestOf: 1))
        sharedTimes.append(try seconds(threadCount: threadCount, sharesPrefixes: true, bestOf: 1))
      }
    }
    // Before and after the reference: the machine may become faster or slower on the way.
    try measure()
    let reference = reference()
    try measure()
    let plain = Double(tokenCount) / Stopwatch.median(plainTimes)
    let shared = Double(tokenCount) / Stopwatch.median(sharedTimes)
    let few = changedLayers.min() ?? 0
    let many = changedLayers.max() ?? 0
    func figure(_ key: String, _ label: String, _ rate: Double, _ than: Double, aim: String = "") -> Figure {
      Figure(key, label, rate, "tokens/s", digits: 0).against(rate: than, aim: aim)
    }
    let float32 = reference.float32TokensPerSecond
    let bfloat16 = reference.bfloat16TokensPerSecond
    return BenchSection(
      key: "fitness", title: "3. Tokens per second of KL fitness",
      words: """
        \(candidates.count) offspring of one parent, \(few) to \(many) of \(model.layers.count) layers changed, on \
        \(sequences.count) sequences of \(ExampleCatalog.sequenceLength) tokens, \(threadCount) threads. A token counts \
        once for every candidate, whether its prefix was shared or not; with sharing \
        \(Int((try sharedBlockShare() * 100).rounded())) % of the blocks are computed. Medians of runs before and after the reference's.
        """,
      reference: reference.description,
      figures: [
        figure("plain_float32", "no sharing, against float32", plain, float32),
        figure("shared_float32", "prefixes shared, against float32", shared, float32, aim: "2 x"),
        figure("plain_bfloat16", "no sharing, against bf16", plain, bfloat16),
        figure("shared_bfloat16", "prefixes shared, against bf16", shared, bfloat16),
      ])
  }
}

/// Hidden states by sequence, set from several threads.
///
/// `@unchecked Sendable`: `lock` guards the list.
private final class StateList: @unchecked Sendable {
  private let lock = NSLock()
  private var states: [Matrix?]

  init(count: Int) { states = Array(repeating: nil, count: count) }

  func set(_ index: Int, _ state: Matrix) { lock.withLock { states[index] = state } }

  var values: [Matrix] { lock.withLock { states.compactMap { $0 } } }
}
