import Foundation

/// Holds a checkpoint's logits against those that another implementation computed.
public struct ReferenceCheck: Sendable {
  /// Largest absolute difference over all positions; nil if a value is not finite.
  public let maximumDifference: Double?
  /// Positions compared.
  public let positionCount: Int
  /// What is wrong with the file's shapes in words; nil: nothing.
  public let shapeProblem: String?

  /// - Parameter expected: a safetensors file with `input_ids` [n, t] or [t] and `logits` [n, t, vocabulary].
  /// - Throws: `InferenceError`.
  public init(_ checkpoint: Checkpoint, expected: URL) throws {
    let file = try SafetensorsFile(expected)
    let (shape, ids) = try file.integers(named: "input_ids")
    let configuration = checkpoint.configuration
    let logitsShape = file.tensor(named: "logits")?.shape ?? []
    let logits = try file.matrix(named: "logits")
    let length = shape.last ?? 0
    let count = shape.dropLast().reduce(1, *)
    guard length >= 1, count >= 1, shape.count <= 2, logitsShape == shape + [configuration.vocabularySize] else {
      maximumDifference = nil
      positionCount = 0
      shapeProblem = "input_ids \(shape) and a vocabulary of \(configuration.vocabularySize) need logits "
        + "\(shape + [configuration.vocabularySize]), found \(logitsShape)"
      return
    }
    if let bad = ids.first(where: { $0 < 0 || $0 >= Int64(configuration.vocabularySize) }) {
      throw InferenceError.invalidData(
        file: expected.path, detail: "input_ids: \(bad) is outside the vocabulary of \(configuration.vocabularySize)")
    }
    let model = try Llama(checkpoint, longestSequence: length)
    let weights = WeightCache(capacity: .max) { index, _ in
      let layer = model.layers[index]
      return try checkpoint.matrix(layer.tensorName, rows: layer.outputCount, columns: layer.inputCount)
    }
    var largest = 0.0
    for sequence in 0..<count {
      var x = model.embed(ids[sequence * length..<(sequence + 1) * length].map { Int32($0) })
      for block in 0..<model.blockCount {
        x = try model.block(block, x, weight: { try weights.weight($0, .dense) }, dropped: [], tap: nil)
      }
      let hidden = model.finish(x)
      for position in 0..<length {
        let own = model.logits(hidden, rows: position..<position + 1)
        for token in 0..<configuration.vocabularySize {
          let difference = abs(Double(own[0, token]) - Double(logits[sequence * length + position, token]))
          // A comparison with NaN is false: turned around so that NaN is never lost.
          if !(difference <= largest) { largest = difference }
        }
      }
    }
    maximumDifference = largest.isFinite ? largest : nil
    positionCount = count * length
    shapeProblem = nil
  }
}
