/// How long evaluating a candidate takes, from a short measurement in which nothing is stored.
public struct EvaluationSpeed: Sendable {
  private let blocksSecondsPerToken: Double
  private let measureSecondsPerToken: Double
  /// Thread-seconds of the dense model's probabilities of a token, which all candidates share.
  public let teacherSecondsPerToken: Double

  /// - Parameter sequence: the longest one.
  /// - Throws: `InferenceError`.
  public init(model: OpenModel, sequence: [Int32], threadCount: Int) throws {
    let probe = try WorkProbe.evaluation(model, sequence: sequence, threadCount: threadCount)
    blocksSecondsPerToken = probe.blockSeconds * Double(model.record.blockCount) / Double(max(sequence.count, 1))
    measureSecondsPerToken = probe.measureSecondsPerToken
    teacherSecondsPerToken = probe.teacherSecondsPerToken
  }

  /// Thread-seconds of a token of a candidate.
  ///
  /// - Parameter computedShare: the share of the blocks that are not shared with other candidates.
  public func secondsPerToken(computedShare: Double) -> Double {
    blocksSecondsPerToken * computedShare + measureSecondsPerToken
  }

  /// Thread-seconds of a token of the dense model, up to its last hidden state.
  public var denseSecondsPerToken: Double { blocksSecondsPerToken }
}

extension OpenModel {
  /// The most memory that working with it is expected to take, in bytes.
  ///
  /// - Parameter isDense: whether layers have their dense weights only.
  public func expectedMemoryByteCount(isDense: Bool) -> Int {
    isDense ? memory.expectedDenseByteCount : memory.expectedByteCount
  }
  /// Bytes of the dense model's last hidden state that are kept for a token.
  public var stateByteCountPerToken: Int { network.hiddenSize * MemoryLayout<Float>.stride }
}
