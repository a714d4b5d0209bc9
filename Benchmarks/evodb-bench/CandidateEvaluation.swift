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

  /// The example's assignments on its first sequences.
  init(example: ExampleCatalog, _ assignments: [AssignmentRecord], _ arithmetic: Arithmetic, sequenceCount: Int) throws
  {
    let open = try example.opened(arithmetic)
    try self.init(
      model: open.network, weights: open.weights,
      candidates: try example.job.store.read { tx in try assignments.map { try open.choices(of: $0, tx) } },
      sequences: example.sequences.prefix(sequenceCount).map(\.tokenIDs), threadCount: example.job.threadCount)
  }

  /// One of the example's assignments on one sequence of so many tokens.
  init(example: ExampleCatalog, _ assignment: AssignmentRecord, _ arithmetic: Arithmetic, tokenCount: Int) throws {
    let open = try example.opened(arithmetic, longestSequence: tokenCount)
    try self.init(
      model: open.network, weights: open.weights,
      candidates: [try example.job.store.read { tx in try open.choices(of: assignment, tx) }],
      sequences: [Array(example.sequences.flatMap(\.tokenIDs).prefix(tokenCount))],
      threadCount: example.job.threadCount)
  }

  init(
    model: any LanguageModel, weights: WeightCache, candidates: [LayerChoices], sequences: [[Int32]], threadCount: Int
  ) throws {
    self.model = model
    self.weights = weights
    self.candidates = candidates
    self.sequences = sequences
    let evaluator = FitnessEvaluator(model: model, weights: weights, threadCount: threadCount)
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

  /// The lines of section 2, with the peak as measured before and after them.
  func forwardFigures(peak before: ProductPeak) throws -> (peak: ProductPeak, figures: [Figure]) {
    let work = ForwardWork(model: model, tokenCount: sequences[0].count)
    let flops = work.total * Double(candidates.count * sequences.count)
    let one = flops / (try seconds(threadCount: 1, sharesPrefixes: false, bestOf: 5)) * 1e-9
    let all = flops / (try seconds(threadCount: before.threadCount, sharesPrefixes: false, bestOf: 8)) * 1e-9
    let peak = before.merged(with: .measure(before.arithmetic, threadCount: before.threadCount))
    let name = peak.arithmetic.rawValue
    let aim = peak.arithmetic == .bfloat16 ? "0.75 x" : "0.85 x"
    return (
      peak,
      [
        Figure("\(name)_one_thread_gflops", "\(name), 1 thread", one, "GFLOP/s").against(
          rate: peak.oneThread, aim: aim),
        Figure("\(name)_all_threads_gflops", "\(name), \(peak.threadCount) threads", all, "GFLOP/s")
          .against(rate: peak.allThreads, aim: aim),
        Figure("\(name)_thread_gain", "\(name), \(peak.threadCount) threads against 1", all / one, "x").aiming("1.9 x"),
      ]
    )
  }

  /// Section 2.
  static func forwardSection(_ evaluations: [(CandidateEvaluation, ProductPeak)]) throws -> (
    peaks: [ProductPeak], section: BenchSection
  ) {
    guard let first = evaluations.first?.0 else { preconditionFailure("at least one arithmetic") }
    let measured = try evaluations.map { try $0.0.forwardFigures(peak: $0.1) }
    let work = ForwardWork(model: first.model, tokenCount: ExampleCatalog.sequenceLength)
    let section = BenchSection(
      key: "forward", title: "2. Forward pass of a candidate's evaluation",
      words: """
        \(first.candidates.count) candidates on \(first.sequences.count) sequences of \(ExampleCatalog.sequenceLength) \
        tokens, no prefix shared: block products, causal attention, head, KL and likelihood. Counted: linear layers, attention \
        over the pairs that causality needs, head; not counted: everything else, though its time is in the figure, also that \
        of the dense model's logits, once a sequence. Ratio: share of the peak of section 1 in the same arithmetic.
        """,
      reference: "the peak of section 1.",
      figures: [
        Figure("mflop_per_token", "work a token", work.total / Double(ExampleCatalog.sequenceLength) * 1e-6, "MFLOP")
      ] + measured.flatMap(\.figures))
    return (measured.map(\.peak), section)
  }

  /// Tokens per second beside PyTorch's, in each arithmetic.
  static func fitnessSection(
    key: String, title: String, _ evaluations: [(Arithmetic, CandidateEvaluation)], threadCount: Int,
    changedLayers: [Int], reference: () -> ReferenceFitness?
  ) throws -> BenchSection {
    guard let first = evaluations.first?.1 else { preconditionFailure("at least one arithmetic") }
    var times: [Arithmetic: (plain: [Double], shared: [Double])] = [:]
    func measure() throws {
      for (arithmetic, evaluation) in evaluations {
        for _ in 0..<2 {
          let plain = try evaluation.seconds(threadCount: threadCount, sharesPrefixes: false, bestOf: 1)
          let shared = try evaluation.seconds(threadCount: threadCount, sharesPrefixes: true, bestOf: 1)
          times[arithmetic, default: ([], [])].plain.append(plain)
          times[arithmetic, default: ([], [])].shared.append(shared)
        }
      }
    }
    // Before and after the reference: the machine may become faster or slower on the way.
    try measure()
    let reference = reference()
    try measure()
    let hasTiles = KernelSet.current == .amx
    let figures = evaluations.flatMap { arithmetic, evaluation -> [Figure] in
      guard let times = times[arithmetic] else { return [] }
      let plain = Double(evaluation.tokenCount) / Stopwatch.median(times.plain)
      let shared = Double(evaluation.tokenCount) / Stopwatch.median(times.shared)
      let name = arithmetic.rawValue
      func figure(_ key: String, _ label: String, _ rate: Double, _ than: Double?, aim: String = "") -> Figure {
        Figure("\(name)_\(key)", "\(name), \(label)", rate, "tokens/s", digits: 0).against(rate: than, aim: aim)
      }
      let (float32, bfloat16) = (reference?.float32TokensPerSecond, reference?.bfloat16TokensPerSecond)
      let isRough = arithmetic == .bfloat16
      return [
        figure("plain_float32", "no sharing, against PyTorch float32", plain, float32),
        figure(
          "shared_float32", "prefixes shared, against PyTorch float32", shared, float32,
          aim: isRough ? (hasTiles ? "5 x" : "") : "2 x"),
        figure("plain_bfloat16", "no sharing, against PyTorch bf16", plain, bfloat16),
        figure(
          "shared_bfloat16", "prefixes shared, against PyTorch bf16", shared, bfloat16,
          aim: isRough && hasTiles ? "2.5 x" : ""),
      ]
    }
    return BenchSection(
      key: key, title: title,
      words: """
        \(first.candidates.count) offspring of one parent, \(changedLayers.min() ?? 0) to \(changedLayers.max() ?? 0) of \
        \(first.model.layers.count) layers changed, on \(first.sequences.count) sequences of \(first.sequences[0].count) \
        tokens, \(threadCount) threads. A token counts once for every candidate, whether its prefix was shared or not; with \
        sharing \(Int((try first.sharedBlockShare() * 100).rounded())) % of the blocks are computed. Medians of runs before \
        and after the reference's.
        """,
      reference: reference?.description ?? "none: PyTorch or transformers is missing.", figures: figures)
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
