import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct WeightCacheTests {
  /// The loaded weights, in order.
  private let loads = SharedList<Int>()

  /// Weights of 16 × 10 numbers, 640 bytes.
  private func cache(capacity: Int) -> WeightCache {
    WeightCache(capacity: capacity, arithmetic: .float32) { [loads] index, _ in
      loads.append(index)
      return Matrix(rows: 16, columns: 10, values: [Float](repeating: Float(index), count: 160))
    }
  }

  /// A number of a weight, by a product that picks it.
  private func element(_ weight: PackedWeights) -> Float {
    let unit = Matrix(rows: 1, columns: 10, values: [0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    return MatrixProduct.linear(unit, weight)[0, 15]
  }

  @Test func theLeastRecentlyUsedGoesFirst() throws {
    let cache = cache(capacity: 1500)
    for index in [0, 1, 0, 2, 0, 1] { #expect(element(try cache.weight(index, .dense)) == Float(index)) }
    #expect(loads.all == [0, 1, 2, 1], "2 pushes 1 out, because 0 was used after it")
  }

  @Test func withoutCapacityEveryUseLoads() throws {
    let cache = cache(capacity: 0)
    for _ in 0..<3 { #expect(element(try cache.weight(4, .dense)) == 4) }
    #expect(loads.all == [4, 4, 4])
  }

  @Test func variantsOfALayerAreKeptApart() throws {
    let cache = cache(capacity: .max)
    for choice in [WeightChoice.dense, .numbered(1), .numbered(2), .dense, .numbered(1)] {
      _ = try cache.weight(0, choice)
    }
    #expect(loads.all.count == 3)
  }
}
