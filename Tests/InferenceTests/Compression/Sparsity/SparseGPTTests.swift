import TestSupport
import Testing

@testable import Inference

/// SparseGPT against EvoPress's `FastOBC` in float32.
///
/// Both choose a mask by scores that carry the rounding errors of their own order of operations (some 1e-5), and a weight
/// that comes to lie on the other side of the threshold moves the rest of its row a little: a flip in a thousand is to be
/// expected, and 99 % of the mask and of the values hold on every machine. The layer error feels a flip of two nearly equal
/// scores much less: 1 %.
@Suite(.usualTimeLimit) struct SparseGPTGoldenTests {
  @Test(arguments: [
    ("sparsegpt.fullblock.0.25", 0.25, 64), ("sparsegpt.fullblock.0.5", 0.5, 64), ("sparsegpt.fullblock.0.7", 0.7, 64),
    ("sparsegpt.block16.0.5", 0.5, 16),
  ])
  func masksAndErrorsMatchTheReference(name: String, sparsity: Double, columnBlockSize: Int) throws {
    let golden = try GoldenLayer()
    let expected = try golden.matrix(name)
    let zeroCount = Int((sparsity * Double(expected.storage.count)).rounded(.toNearestOrEven))
    let sparse = try SparseGPT.prune(
      weight: golden.weight, factor: golden.factor(), target: .zeros(zeroCount), columnBlockSize: columnBlockSize,
      valueType: .float32)
    #expect(sparse.zeroCount == zeroCount)
    #expect(expected.values.count { $0 == 0 } == zeroCount)
    let dense = sparse.dense()
    let equal = agreement(dense.values.map { $0 == 0 }, expected.values.map { $0 == 0 })
    #expect(equal >= 0.99, "\(name): \(equal)")
    let close = zip(dense.values, expected.values).count { abs($0 - $1) < 1e-4 }
    #expect(Double(close) >= 0.99 * Double(expected.storage.count), "\(name): \(close)")
    let nmse = LayerError.nmse(weight: golden.weight, compressed: dense, hessian: golden.hessian)
    let reference = try #require(golden.errors[name])
    #expect(abs(nmse / reference - 1) <= 0.01, "\(name): \(nmse), expected \(reference)")
  }

  @Test(arguments: [SparseValueType.bfloat16, .float16]) func sixteenBitsCostLittle(valueType: SparseValueType) throws {
    let golden = try GoldenLayer()
    let error = LayerError(weight: golden.weight, hessian: golden.hessian)
    let results = try [valueType, .float32].map { type in
      error.nmse(
        compressed: try SparseGPT.prune(
          weight: golden.weight, factor: golden.factor(), target: .zeros(768), valueType: type
        ).dense())
    }
    #expect(abs(results[0] / results[1] - 1) <= 0.03)
  }
}

@Suite(.usualTimeLimit) struct SparseGPTTests {
  /// How far a result is from optimal brain surgery written out plainly in Double: no blocks of columns but the mask's, no
  /// Cholesky factor; after each input its row and column are eliminated from the inverse Hessian.
  ///
  /// The mask is taken from the result and its scores are judged: two scores may be so close that the last bit decides
  /// between them, and everything later in the row follows from that.
  ///
  /// - Returns: by how much the score of a pruned weight exceeds that of one kept in its stead, relative to it; and the largest
  ///   difference of a value, relative to the largest weight.
  private func excess(
    of sparse: SparseWeight, _ layer: RandomLayer, zeros: [Int], columnBlockSize: Int, pattern: SparsityPattern?
  ) -> (score: Double, value: Double) {
    let dense = sparse.dense()
    var worstScore = 0.0
    let rows = layer.weight.rows
    let columns = layer.weight.columns
    var hessian = (0..<columns).map { row in (0..<columns).map { Double(layer.hessian[row, $0]) } }
    let damping = 0.01 * (0..<columns).reduce(0) { $0 + hessian[$1][$1] } / Double(columns)
    for input in 0..<columns { hessian[input][input] += damping }
    var inverse = PlainInverse.of(hessian)
    var weight = (0..<rows).map { row in (0..<columns).map { Double(layer.weight[row, $0]) } }
    var pruned = Set<[Int]>()
    /// 1/d² of an input once all before it are eliminated, for a block ahead of time.
    func divisors(from start: Int, to end: Int) -> [Double] {
      var copy = inverse
      return (start..<end).map { column in
        defer { PlainInverse.eliminate(column, from: &copy) }
        return copy[column][column]
      }
    }
    func choose(_ count: Int, _ columns: Range<Int>, rows: Range<Int>) {
      let divisors = divisors(from: columns.lowerBound, to: columns.upperBound)
      let places = columns.flatMap { column in rows.map { [column, $0] } }
      let scored = places.enumerated().map { index, place in
        (weight[place[1]][place[0]] * weight[place[1]][place[0]] / divisors[place[0] - columns.lowerBound], index)
      }
      let chosen = scored.filter { dense[places[$0.1][1], places[$0.1][0]] == 0 }
      #expect(chosen.count == count)
      let kept = scored.filter { dense[places[$0.1][1], places[$0.1][0]] != 0 }
      if let largest = chosen.map(\.0).max(), let smallest = kept.map(\.0).min() {
        worstScore = max(worstScore, largest / smallest - 1)
      }
      for (_, index) in chosen { pruned.insert(places[index]) }
    }
    for column in 0..<columns {
      if let pattern {
        if column % pattern.groupSize == 0 {
          let group = column..<min(columns, column + pattern.groupSize)
          for row in 0..<rows {
            choose(pattern.zeroCount(groupLength: group.count), group, rows: row..<row + 1)
          }
        }
      } else if column % columnBlockSize == 0 {
        choose(zeros[column / columnBlockSize], column..<min(columns, column + columnBlockSize), rows: 0..<rows)
      }
      for row in 0..<rows {
        let settled = pruned.contains([column, row]) ? 0 : weight[row][column]
        let error = (weight[row][column] - settled) / inverse[column][column]
        for later in column + 1..<max(columns, column + 1) { weight[row][later] -= error * inverse[column][later] }
        weight[row][column] = settled
      }
      PlainInverse.eliminate(column, from: &inverse)
    }
    let largest = layer.weight.values.reduce(0) { max($0, abs(Double($1))) }
    let expected = weight.flatMap { $0 }
    return (worstScore, zip(dense.values, expected).reduce(0) { max($0, abs(Double($1.0) - $1.1)) } / largest)
  }

  @Test(arguments: [(5, 37, 128), (7, 50, 16), (9, 67, 20), (3, 61, 7), (4, 1, 128), (1, 30, 1)])
  func agreesWithThePlainAlgorithmOnRaggedSizes(rows: Int, columns: Int, columnBlockSize: Int) throws {
    let layer = RandomLayer(rows: rows, columns: columns, seed: 3)
    let factor = try layer.factor()
    for share in [0.0, 0.3, 0.5, 0.8, 1] {
      let count = Int(share * Double(rows * columns))
      let sparse = try SparseGPT.prune(
        weight: layer.weight, factor: factor, target: .zeros(count), columnBlockSize: columnBlockSize,
        valueType: .float32)
      let blocks = stride(from: 0, to: columns, by: columnBlockSize).map {
        (min(columns, $0 + columnBlockSize) - $0) * rows
      }
      check(
        excess(
          of: sparse, layer, zeros: LargestRemainder.split(count, by: blocks), columnBlockSize: columnBlockSize,
          pattern: nil), columns, "\(rows) × \(columns), \(share)")
      #expect(sparse.zeroCount == count)
    }
    for text in ["2:4", "4:8", "1:3", "5:20", "17:33"] {
      let pattern = try #require(SparsityPattern(text))
      let sparse = try SparseGPT.prune(
        weight: layer.weight, factor: factor, target: .pattern(pattern), columnBlockSize: columnBlockSize,
        valueType: .float32)
      check(excess(of: sparse, layer, zeros: [], columnBlockSize: 1, pattern: pattern), columns, text)
      #expect(sparse.zeroCount == rows * pattern.zeroCount(columns: columns))
    }
  }

  /// A value takes a rounding (2⁻²⁴) from each column, and 64 times that from the factor, whose rounding errors grow with the
  /// condition of the damped Hessian. A small weight may be the difference of large ones, and its score has twice its
  /// relative error: the threshold is a tenth of the largest weight or more.
  private func check(_ excess: (score: Double, value: Double), _ columns: Int, _ what: String) {
    let rounding = 64 * Double(columns) * 0x1p-24
    #expect(excess.value <= rounding, "\(what): \(excess.value)")
    #expect(excess.score <= 20 * rounding, "\(what): \(excess.score)")
  }

  @Test(arguments: SparseValueType.allCases) func zerosAreExactAndErrorsRise(valueType: SparseValueType) throws {
    let layer = RandomLayer(rows: 24, columns: 200, seed: 5)
    let factor = try layer.factor()
    let error = LayerError(weight: layer.weight, hessian: layer.hessian)
    var previous = -1.0
    for count in [0, 479, 1200, 2401, 3601, 4399, 4800] {
      let sparse = try SparseGPT.prune(
        weight: layer.weight, factor: factor, target: .zeros(count), valueType: valueType)
      let dense = sparse.dense()
      #expect(sparse.zeroCount == count && dense.values.count { $0 == 0 } == count)
      #expect(dense.values.allSatisfy { valueType.rounded($0) == $0 })
      let nmse = error.nmse(compressed: dense)
      #expect(nmse > previous, "\(count)")
      previous = nmse
    }
    #expect(abs(previous - 1) < 1e-9, "nothing is left")
  }

  @Test func noZerosLeaveTheWeightAsItIs() throws {
    let layer = RandomLayer(rows: 6, columns: 40, deadInputs: [0, 7])
    let sparse = try SparseGPT.prune(
      weight: layer.weight, factor: layer.factor(), target: .zeros(0), valueType: .float32)
    #expect(sparse.dense().values == layer.weight.values)
  }

  @Test(arguments: 1...4) func losesLessThanTheCheapMethods(seed: UInt64) throws {
    let layer = RandomLayer(rows: 24, columns: 96, seed: seed)
    let error = LayerError(weight: layer.weight, hessian: layer.hessian)
    let diagonal = (0..<96).map { layer.hessian[$0, $0] }
    let pattern = try SparsityPattern(keeping: 2, of: 4)
    for target in [SparsityTarget.zeros(576), .zeros(1152), .zeros(1613), .pattern(pattern)] {
      let nmse = try [
        SparseGPT.prune(weight: layer.weight, factor: layer.factor(), target: target, valueType: .float32),
        MagnitudePruning.prune(weight: layer.weight, target: target, valueType: .float32),
        Wanda.prune(weight: layer.weight, hessianDiagonal: diagonal, target: target, valueType: .float32),
      ].map { error.nmse(compressed: $0.dense()) }
      #expect(nmse[0] <= nmse[1] && nmse[0] <= nmse[2], "\(target): \(nmse)")
    }
  }

  @Test func pruningTheResultAgainChangesNothing() throws {
    let layer = RandomLayer(rows: 12, columns: 64)
    let pattern = SparsityTarget.pattern(try SparsityPattern(keeping: 4, of: 8))
    // One block: several would share the zeros in the same way again, but their counts are what decides.
    for target in [SparsityTarget.zeros(300), pattern] {
      let once = try SparseGPT.prune(
        weight: layer.weight, factor: layer.factor(), target: target, valueType: .bfloat16)
      let again = RandomLayer(weight: once.dense(), hessian: layer.hessian)
      let twice = try SparseGPT.prune(
        weight: again.weight, factor: again.factor(), target: target, valueType: .bfloat16)
      #expect(once == twice)
    }
  }

  @Test func deadInputsGoFirstAndTheCountStaysExact() throws {
    let layer = RandomLayer(rows: 8, columns: 32, deadInputs: [1, 2, 3, 4, 20])
    let factor = try layer.factor()
    let dead = [1, 2, 3, 4, 20]
    for count in [3, 39, 40, 41, 100, 256] {
      for columnBlockSize in [4, 8, 32] {
        let sparse = try SparseGPT.prune(
          weight: layer.weight, factor: factor, target: .zeros(count), columnBlockSize: columnBlockSize,
          valueType: .float32)
        let dense = sparse.dense()
        #expect(sparse.zeroCount == count && dense.values.count { $0 == 0 } == count)
        let zerosOnDead = dead.reduce(0) { sum, input in sum + (0..<8).count { dense[$0, input] == 0 } }
        #expect(zerosOnDead == min(count, 40))
        if count <= 40 {
          // Nothing that matters was pruned, so nothing was corrected.
          let kept = zip(dense.values, layer.weight.values).count { $0 == $1 }
          #expect(kept == 256 - count)
        }
      }
    }
  }

  @Test func theSameInputGivesTheSameBits() throws {
    let layer = RandomLayer(rows: 33, columns: 70)
    let results = try (0..<2).map { _ in
      try SparseGPT.prune(weight: layer.weight, factor: layer.factor(), target: .zeros(900), valueType: .float16)
    }
    #expect(results[0] == results[1])
  }

  @Test func impossibleRequestsAreRefused() throws {
    let layer = RandomLayer(rows: 3, columns: 20)
    for count in [-1, 61, Int.max] {
      let rule = "a layer of 3 × 20 can have from 0 to 60 zeros, not \(count)"
      #expect(throws: InferenceError.impossible(detail: rule)) {
        try SparseGPT.prune(
          weight: layer.weight, factor: layer.factor(), target: .zeros(count), valueType: .float32)
      }
    }
    #expect(throws: InferenceError.impossible(detail: "SparseGPT takes the inputs in their natural order")) {
      try SparseGPT.prune(
        weight: layer.weight, factor: layer.factor(activationOrder: true), target: .zeros(1), valueType: .float32)
    }
    layer.weight[0, 0] = .nan
    #expect(
      throws: InferenceError.invalidData(
        file: "weight", detail: "it has a NaN or an infinity; all values must be finite")
    ) {
      try SparseGPT.prune(weight: layer.weight, factor: layer.factor(), target: .zeros(1), valueType: .float32)
    }
  }
}
