import Foundation
import TestSupport
import Testing

@testable import Inference

/// Going through a sequence token by token with a cache against one pass over all of it.
@Suite(.usualTimeLimit) struct KeyValueCacheTests {
  /// The largest difference of all logits of some sequences, taken side by side.
  private func largestDifference(_ folder: String, length: Int, lanes: Int, _ arithmetic: Arithmetic) throws -> Double {
    let checkpoint = try Checkpoint(directory: Fixtures.url(folder))
    let model = try LanguageModelFactory.open(checkpoint, longestSequence: length, arithmetic: arithmetic)
    let weights = WeightCache(capacity: .max, arithmetic: arithmetic) { index, _ in
      let layer = model.layers[index]
      return try checkpoint.matrix(layer.tensorName, rows: layer.outputCount, columns: layer.inputCount)
    }
    let sequences = (0..<lanes).map {
      randomTokens(length, vocabulary: model.vocabularySize, seed: UInt64($0))
    }
    let whole = try sequences.map { tokenIDs in
      var x = model.embed(tokenIDs)
      for block in 0..<model.blockCount {
        x = try model.block(block, x, weight: { try weights.weight($0, .dense) }, dropped: [], tap: nil)
      }
      return model.logits(model.finish(x), rows: 0..<length)
    }
    let cache = KeyValueCache(laneCount: lanes, capacity: length)
    var largest = 0.0
    for position in 0..<length {
      #expect(cache.position == position)
      let logits = try TokenGenerator.logits(
        after: sequences.map { $0[position] }, model: model, weights: weights, cache: cache)
      for lane in 0..<lanes {
        for token in 0..<model.vocabularySize {
          largest = max(largest, abs(Double(logits[lane, token]) - Double(whole[lane][position, token])))
        }
      }
    }
    return largest
  }

  /// Every family, sliding windows, soft caps, norms of heads, learned positions, both tables of longrope.
  @Test(arguments: [
    "golden/models/gemma2", "golden/models/llama-gqa", "golden/models/llama-tied-f16",
    "golden/models/llama3-rope-scaled", "golden/models/mistral-sliding-window", "golden/models/opt",
    "golden/models/phi3", "golden/models/phi3-longrope", "golden/models/qwen2-bias", "golden/models/qwen3-qknorm",
    "families/llama-linear-biases", "families/qwen3-windows", "families/phi3-short-window", "families/gemma2-biases",
  ])
  func tokenByTokenEqualsAllAtOnce(_ folder: String) throws {
    let limit = try Checkpoint(directory: Fixtures.url(folder)).configuration.maximumPositions
    for length in [9, 64, 70] where length <= limit {
      for arithmetic in Arithmetic.own {
        #expect(try largestDifference(folder, length: length, lanes: 3, arithmetic) == 0, "\(folder), \(length) tokens")
      }
      // OpenBLAS may take the terms of one row and of many rows in another order.
      #expect(try largestDifference(folder, length: length, lanes: 3, .openblas) < 1e-4, "\(folder), \(length) tokens")
    }
  }
}
