import Catalog
import Foundation

/// Samples a data set from a model itself: calibration data for models whose own nobody has (self-calibration, Williams et
/// al. 2024, arXiv 2410.17170).
///
/// A sequence begins with the model's beginning-of-sequence token, or, if its config.json names none, with one drawn from
/// the whole vocabulary, all being equally likely. An end-of-sequence token is a token like any other: what the model says
/// after it follows.
public struct SelfGeneratedSequences: Sendable {
  /// Tokens of a sequence.
  public var sequenceLength: Int
  /// Tokens to sample; what is less than a sequence is left away.
  public var tokenCount: Int
  /// How tokens are drawn.
  public var sampler: TokenSampler
  /// Of all randomness.
  public var seed: UInt64

  /// Creates the settings of a self-generated data set.
  public init(sequenceLength: Int, tokenCount: Int, sampler: TokenSampler, seed: UInt64) {
    self.sequenceLength = sequenceLength
    self.tokenCount = tokenCount
    self.sampler = sampler
    self.seed = seed
  }

  /// Samples and stores the sequences; a data set of this name made by the same request is not sampled again.
  ///
  /// - Throws: `InferenceError.impossible` for lengths and counts that cannot be, `.interrupted` after ^C, which keeps
  ///   nothing; `CatalogError.nameTaken` before anything is computed.
  public func store(as name: String, model: ModelRecord, memoryLimit: Int64?, job: Job) throws -> (
    dataSet: DataSetRecord, isNew: Bool
  ) {
    guard sequenceLength >= 2 else {
      throw InferenceError.impossible(detail: "a sequence has at least 2 tokens, not \(sequenceLength)")
    }
    guard tokenCount >= sequenceLength else {
      throw InferenceError.impossible(
        detail: "\(tokenCount) tokens are less than one sequence of \(sequenceLength) tokens")
    }
    if let known = try job.store.read({ try $0.dataSets().first { $0.name == name } }), known.options == options(model)
    {
      return (known, false)
    } else if let known = try job.store.read({ try $0.dataSets().first { $0.name == name } }) {
      throw CatalogError.nameTaken("a data set called \(known.name) has other content; choose another name")
    }
    let open = try OpenModel(
      model, job: job, longestSequence: sequenceLength, memoryLimit: memoryLimit, purpose: .generation)
    let firstToken = try beginningToken(model, job)
    let generator = TokenGenerator(
      model: open.network, weights: open.weights, sampler: sampler, seed: seed, firstToken: firstToken)
    let count = tokenCount / sequenceLength
    let lanes = TokenGenerator.laneCount(of: open.network, length: sequenceLength)
    let starts = Array(stride(from: 0, to: count, by: lanes))
    let groups = ResultList<[[Int32]]>(count: starts.count)
    let progress = TokenProgress(total: count * sequenceLength, job: job)
    try Parallel.forEach(starts.count, threadCount: job.threadCount, cancellation: job.cancellation) { group in
      let range = starts[group]..<min(starts[group] + lanes, count)
      groups.set(
        group,
        try generator.sequences(
          range, length: sequenceLength, cancellation: job.cancellation, onTokens: progress.add))
    }
    let sequences = groups.values.flatMap { $0 }
    job.count { $0.forwardTokenCount += count * (sequenceLength - 1) }
    return try job.write(durable: true) { tx in
      try tx.store(
        dataSet: name, sequences: sequences, tokenizerDigest: nil, textDigest: nil, options: options(model),
        droppedTokenCount: tokenCount - count * sequenceLength)
    }
  }

  /// How the data set was made, JSON.
  private func options(_ model: ModelRecord) -> String {
    """
    {"source":"self-generated","model":"\(model.digest.hex)","sequence_length":\(sequenceLength),\
    "token_limit":\(tokenCount),"seed":\(seed),"temperature":\(sampler.temperature),"top_p":\(sampler.topP)}
    """
  }

  private func beginningToken(_ model: ModelRecord, _ job: Job) throws -> Int32? {
    let checkpoint = try ModelFolder(model, store: job.store).open()
    guard let id = try TextSequences.beginningToken(of: checkpoint) else { return nil }
    guard id >= 0, Int(id) < checkpoint.configuration.vocabularySize else {
      throw InferenceError.invalidData(
        file: checkpoint.directory.appendingPathComponent("config.json").path,
        detail: "bos_token_id \(id) is outside the vocabulary of \(checkpoint.configuration.vocabularySize)")
    }
    return id
  }
}

/// Tokens sampled so far, counted by several threads.
///
/// `@unchecked Sendable`: `lock` guards the count and the job's reports.
private final class TokenProgress: @unchecked Sendable {
  private let lock = NSLock()
  private let total: Int
  private let job: Job
  private var done = 0

  init(total: Int, job: Job) {
    self.total = total
    self.job = job
  }

  func add(_ count: Int) {
    lock.withLock {
      done += count
      job.progress("sampling tokens", done, of: total)
    }
  }
}
