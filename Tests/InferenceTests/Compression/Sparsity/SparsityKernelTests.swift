import TestSupport
import Testing

@testable import Inference

/// The kernels of pruning against plain loops on ragged sizes.
@Suite(.usualTimeLimit) struct SparsityKernelTests {
  @Test(arguments: [1, 2, 7, 64, 333, 5000]) func selectionEqualsSorting(count: Int) {
    var generator = SplitMix64(property: UInt64(count))
    for distinct in [UInt64(2), 9, 1 << 32] {
      let keys = (0..<count).map { _ in UInt32(truncatingIfNeeded: generator.next() % distinct) }
      for start in Set([0, count / 3]) {
        let range = start..<count
        let order = range.sorted { (keys[$0], $0) < (keys[$1], $1) }
        for chosen in Set([0, 1, range.count / 2, range.count - 1, range.count]) where chosen >= 0 {
          var mask = [UInt8](repeating: 0, count: count)
          SparsityKernels.markSmallest(chosen, of: keys, in: range, mask: &mask, from: start)
          var expected = [UInt8](repeating: 0, count: count)
          for index in order.prefix(chosen) { expected[index] = 1 }
          #expect(mask == expected)
        }
      }
    }
  }

  @Test func keysRiseWithScores() {
    let scores: [Float] = [0, .leastNonzeroMagnitude, 1e-30, 1, 1.0000001, 3e38, .infinity, .nan]
    let keys = scores.map { SparsityKernels.key(ofScore: $0) }
    #expect(keys == keys.sorted() && Set(keys).count == keys.count)
    #expect(keys.allSatisfy { $0 > SparsityKernels.firstKey })
    #expect(SparsityKernels.key(ofScore: -2) == SparsityKernels.key(ofScore: 2))
  }

  @Test func roundingToSixteenBitsIsRoundingToNearestEven() {
    var generator = SplitMix64(property: 4)
    var values: [Float] = [0, -0.0, 1, 65504, 65519, 65520, 1e9, 3.4e38, -3.4e38, 6e-8, 2.9e-8, 3e-8, 6.1e-5, 1e-45]
    for _ in 0..<20_000 {
      let value = Float(bitPattern: UInt32(truncatingIfNeeded: generator.next()))
      if value.isFinite { values.append(value) }
      values.append(generator.normal() * 0.05)
      values.append(generator.normal() * 3e-5)
    }
    for value in values {
      let half = Float16(value)
      let expectedHalf =
        half.isInfinite ? (value < 0 ? -Float16.greatestFiniteMagnitude : .greatestFiniteMagnitude) : half
      #expect(SparseValueType.float16.rounded(value).bitPattern == Float(expectedHalf).bitPattern, "\(value)")
      #expect(SparseValueType.bfloat16.rounded(value) == plainBFloat16(value), "\(value)")
      #expect(SparseValueType.float32.rounded(value) == value)
    }
  }

  /// Of the two neighbours the nearer one, of two equally near the even one.
  private func plainBFloat16(_ value: Float) -> Float {
    let lower = value.bitPattern & 0xffff_0000
    let low = Float(bitPattern: lower)
    let high = Float(bitPattern: lower &+ 0x1_0000)
    if !high.isFinite { return low }
    let down = abs(Double(value) - Double(low))
    let up = abs(Double(high) - Double(value))
    return down < up || (down == up && (lower >> 16) % 2 == 0) ? low : high
  }

  @Test(arguments: [1, 5, 8, 9, 16, 67]) func expandingEqualsThePlainLoop(columns: Int) {
    var generator = SplitMix64(property: 8)
    for rows in [1, 3] {
      let kept = (0..<rows * columns).map { _ in generator.next() % 3 > 0 }
      let weight = Matrix(
        rows: rows, columns: columns,
        values: (0..<rows * columns).map { _ in SparseValueType.bfloat16.rounded(generator.normal()) })
      let sparse = SparseWeight(weight: weight, pruned: kept.map { $0 ? 0 : 1 }, valueType: .bfloat16)
      #expect(sparse.values.count == kept.count { $0 })
      let expected = zip(kept, weight.values).map { $0 ? $1 : 0 }
      #expect(sparse.dense().values == expected)
      let total = MaskPacking.setBitCount(of: sparse.mask, in: 0..<sparse.mask.count)
      #expect(total == sparse.values.count)
    }
  }
}
