import Foundation

/// Holds a checkpoint's logits against those that another implementation computed.
public struct ReferenceCheck: Sendable {
  /// How the other implementation held its rotary frequencies, and whatever else is not in the checkpoint.
  ///
  /// Loading a checkpoint in float32 leaves them in float32, and that is what evodb computes with. A model that was cast to
  /// 16 bits as a whole and back has them rounded, which moves logits by about 0.01 (docs/decisions/0003).
  public enum RotaryFrequencies: String, Sendable {
    /// In float32.
    case float32
    /// Rounded to the type of the weights.
    case castWithWeights = "cast with the weights"
  }

  /// Largest absolute difference over all positions; nil if a value is not finite.
  public let maximumDifference: Double?
  /// The treatment of rotary frequencies under which the difference is smallest.
  public let rotaryFrequencies: RotaryFrequencies
  /// Positions compared.
  public let positionCount: Int
  /// The problem with the file's shapes in words; nil: none.
  public let shapeProblem: String?

  /// - Parameters:
  ///   - expected: a safetensors file with `input_ids` [n, t] or [t] and `logits` [n, t, vocabulary].
  ///   - tolerance: the other treatment of rotary frequencies is tried only if float32 ones differ by more.
  /// - Throws: `InferenceError`.
  public init(_ checkpoint: Checkpoint, expected: URL, tolerance: Double) throws {
    let file = try SafetensorsFile(expected)
    let (shape, ids) = try file.integers(named: "input_ids")
    let configuration = checkpoint.configuration
    let logitsShape = file.tensor(named: "logits")?.shape ?? []
    let length = shape.last ?? 0
    let count = shape.count == 2 ? shape[0] : 1
    guard length >= 1, count >= 1, shape.count <= 2, logitsShape == shape + [configuration.vocabularySize] else {
      maximumDifference = nil
      rotaryFrequencies = .float32
      positionCount = 0
      shapeProblem =
        "input_ids \(shape) and a vocabulary of \(configuration.vocabularySize) need logits "
        + "\(shape + [configuration.vocabularySize]), found \(logitsShape)"
      return
    }
    guard length <= configuration.maximumPositions else {
      throw InferenceError.invalidData(
        file: expected.path,
        detail: "\(length) tokens a sequence are more than the model's \(configuration.maximumPositions) positions")
    }
    if let bad = ids.first(where: { $0 < 0 || $0 >= Int64(configuration.vocabularySize) }) {
      throw InferenceError.invalidData(
        file: expected.path, detail: "input_ids: \(bad) is outside the vocabulary of \(configuration.vocabularySize)")
    }
    // All weights in float32, the logits, and a sequence on its way.
    let weightByteCount = checkpoint.tensors.reduce(0) { $0 + $1.shape.reduce(4, *) }
    try ProcessLimits.requireRoom(
      for: weightByteCount + logitsShape.reduce(4, *) + length * configuration.vocabularySize * 8, threadCount: 1)
    ProcessLimits.reserve(threadCount: 1)
    let logits = try file.matrix(named: "logits")
    let sequences = (0..<count).map { row in ids[row * length..<(row + 1) * length].map { Int32($0) } }
    func difference(_ constants: ConstantPrecision) throws -> Double {
      let model = try LanguageModelFactory.open(
        checkpoint, ForwardSettings(longestSequence: length, constants: constants))
      return try Self.largestDifference(model, checkpoint, sequences, logits)
    }
    var best = try difference(.float32)
    var frequencies = RotaryFrequencies.float32
    if !(best <= tolerance), let cast = Self.castOfWhole(checkpoint) {
      let other = try difference(cast)
      if other < best {
        best = other
        frequencies = .castWithWeights
      }
    }
    maximumDifference = best.isFinite ? best : nil
    rotaryFrequencies = frequencies
    positionCount = count * length
    shapeProblem = nil
  }

  /// The treatment of constants in a model cast to the type of its weights as a whole; nil if they are not 16-bit floats.
  private static func castOfWhole(_ checkpoint: Checkpoint) -> ConstantPrecision? {
    for tensor in checkpoint.tensors {
      if let cast = ConstantPrecision(castTo: tensor.elementType) { return cast }
    }
    return nil
  }

  /// Over all positions; NaN if any logit is.
  private static func largestDifference(
    _ model: any LanguageModel, _ checkpoint: Checkpoint, _ sequences: [[Int32]], _ logits: Matrix
  ) throws -> Double {
    let weights = WeightCache(capacity: .max, arithmetic: .float32) { index, _ in
      let layer = model.layers[index]
      return try checkpoint.matrix(layer.tensorName, rows: layer.outputCount, columns: layer.inputCount)
    }
    var largest = 0.0
    var position = 0
    for sequence in sequences {
      var x = model.embed(sequence)
      for block in 0..<model.blockCount {
        x = try model.block(block, x, weight: { try weights.weight($0, .dense) }, dropped: [], tap: nil)
      }
      let hidden = model.finish(x)
      for row in sequence.indices {
        let own = model.logits(hidden, rows: row..<row + 1)
        for token in 0..<model.vocabularySize {
          let difference = abs(Double(own[0, token]) - Double(logits[position, token]))
          guard !difference.isNaN else { return .nan }
          largest = max(largest, difference)
        }
        position += 1
      }
    }
    return largest
  }
}
