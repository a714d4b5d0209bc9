import Foundation
import TestSupport

@testable import Catalog
@testable import Inference

/// A checkpoint with the logits that transformers computed, and the plainest way through it.
struct GoldenModel {
  let checkpoint: Checkpoint
  let arithmetic: Arithmetic
  let model: any LanguageModel
  let sequences: [[Int32]]
  /// [sequences · tokens, vocabulary].
  let logits: Matrix
  let meanNegativeLogLikelihood: Double?

  /// - Parameters:
  ///   - name: a folder of `golden/models`.
  ///   - constants: see `init(folder:constants:arithmetic:)`.
  init(
    _ name: String = "llama-gqa", constants: ConstantPrecision = .float32, arithmetic: Arithmetic = .float32
  ) throws {
    try self.init(folder: Fixtures.url("golden/models/\(name)"), constants: constants, arithmetic: arithmetic)
  }

  /// - Parameter constants: the logits of the tiny models were taken from models that had been cast to 16 bits as a whole
  ///   and back, rotary frequencies included; loading a checkpoint leaves those in float32. To compare with such logits,
  ///   frequencies are rounded the same way.
  init(
    folder: URL, constants: ConstantPrecision = .float32, arithmetic: Arithmetic = .float32, longestSequence: Int = 64
  ) throws {
    self.arithmetic = arithmetic
    checkpoint = try Checkpoint(directory: folder)
    model = try LanguageModelFactory.open(
      checkpoint, ForwardSettings(longestSequence: longestSequence, arithmetic: arithmetic, constants: constants))
    let expected = try SafetensorsFile(folder.appendingPathComponent("expected.safetensors"))
    let (shape, ids) = try expected.integers(named: "input_ids")
    sequences = (0..<shape[0]).map { row in ids[row * shape[1]..<(row + 1) * shape[1]].map { Int32($0) } }
    logits = try expected.matrix(named: "logits")
    meanNegativeLogLikelihood = expected.metadata["mean_nll"].flatMap { Double($0) }
  }

  /// The dense weight of a layer.
  func dense(_ index: Int) throws -> Matrix { try Self.dense(index, model, checkpoint) }

  /// The dense weight of a layer, packed for the model's arithmetic.
  func packed(_ index: Int) throws -> PackedWeights { PackedWeights(try dense(index), arithmetic: arithmetic) }

  private static func dense(
    _ index: Int, _ model: any LanguageModel, _ checkpoint: Checkpoint
  ) throws -> Matrix {
    let layer = model.layers[index]
    return try checkpoint.matrix(layer.tensorName, rows: layer.outputCount, columns: layer.inputCount)
  }

  /// A cache whose variants, of `WeightChoice.numbered`, are made from the dense weights by `change`.
  func cache(
    capacity: Int = .max, _ change: @escaping @Sendable (Float, Int) -> Float = { weight, _ in weight }
  ) -> WeightCache {
    let (model, checkpoint) = (model, checkpoint)
    return WeightCache(capacity: capacity, arithmetic: arithmetic) { index, choice in
      let dense = try Self.dense(index, model, checkpoint)
      guard case .variant(let key) = choice else { return dense }
      let number = Int(key.bytes[31])
      return Matrix(rows: dense.rows, columns: dense.columns, values: dense.values.map { change($0, number) })
    }
  }

  /// The last hidden state of one sequence: all blocks in order, on this thread, sharing nothing.
  func hidden(
    _ tokenIDs: [Int32], _ choices: LayerChoices? = nil, weights: WeightCache? = nil
  ) throws -> Matrix {
    let choices = choices ?? .dense(layerCount: model.layers.count)
    let weights = weights ?? cache()
    var x = model.embed(tokenIDs)
    for block in 0..<model.blockCount {
      x = try model.block(
        block, x, weight: { try weights.weight($0, choices.choices[$0]) }, dropped: choices.dropped, tap: nil)
    }
    return model.finish(x)
  }
}

extension WeightChoice {
  /// A variant that a test makes itself; 0 to 255.
  static func numbered(_ number: Int) -> WeightChoice {
    .variant(Digest(checked: Array(repeating: 0, count: 31) + [UInt8(number)]))
  }
}

/// `count` repeatable token ids below `vocabulary`.
func randomTokens(_ count: Int, vocabulary: Int, seed: UInt64) -> [Int32] {
  var generator = SplitMix64(property: seed)
  return (0..<count).map { _ in Int32.random(in: 0..<Int32(vocabulary), using: &generator) }
}
