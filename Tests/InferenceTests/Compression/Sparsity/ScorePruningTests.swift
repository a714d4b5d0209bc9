import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct ScorePruningTests {
  @Test func magnitudeTakesTheSmallestOfTheWholeLayer() throws {
    let layer = RandomLayer(rows: 7, columns: 13)
    let sorted = layer.weight.values.map { abs($0) }.sorted()
    for count in [0, 1, 45, 90, 91] {
      let sparse = try MagnitudePruning.prune(weight: layer.weight, target: .zeros(count), valueType: .float32)
      let dense = sparse.dense()
      #expect(sparse.zeroCount == count)
      for (kept, weight) in zip(dense.values, layer.weight.values) {
        let isKept = count < sorted.count && abs(weight) >= sorted[count]
        #expect(kept == (isKept ? weight : 0))
      }
    }
  }

  @Test func wandaTakesTheSmallestOfEveryRow() throws {
    let layer = RandomLayer(rows: 5, columns: 12, deadInputs: [4])
    let diagonal = (0..<12).map { layer.hessian[$0, $0] }
    // 33 zeros over 5 rows: three rows have 7, two have 6.
    let sparse = try Wanda.prune(
      weight: layer.weight, hessianDiagonal: diagonal, target: .zeros(33), valueType: .float32)
    #expect(sparse.zeroCount == 33)
    let dense = sparse.dense()
    for row in 0..<5 {
      let zeros = row < 3 ? 7 : 6
      let scores = (0..<12).map { abs(layer.weight[row, $0]) * diagonal[$0].squareRoot() }
      let threshold = scores.sorted()[zeros]
      for column in 0..<12 {
        #expect(dense[row, column] == (scores[column] < threshold ? 0 : layer.weight[row, column]))
      }
      #expect(dense[row, 4] == 0, "a dead input")
    }
  }

  @Test func tiesGoToTheSmallerIndex() throws {
    let equal = Matrix(rows: 2, columns: 4, values: [1, -1, 1, -1, 1, -1, 1, -1])
    let magnitude = try MagnitudePruning.prune(weight: equal, target: .zeros(3), valueType: .bfloat16)
    #expect(magnitude.dense().values == [0, 0, 0, -1, 1, -1, 1, -1])
    let wanda = try Wanda.prune(
      weight: equal, hessianDiagonal: [2, 2, 2, 2], target: .zeros(3), valueType: .bfloat16)
    #expect(wanda.dense().values == [0, 0, 1, -1, 0, -1, 1, -1])
  }

  @Test(arguments: ["2:4", "4:8", "1:3", "3:5"]) func patternsHoldInEveryGroup(text: String) throws {
    let pattern = try #require(SparsityPattern(text))
    let layer = RandomLayer(rows: 6, columns: 29)
    let diagonal = (0..<29).map { layer.hessian[$0, $0] }
    let results = try [
      MagnitudePruning.prune(weight: layer.weight, target: .pattern(pattern), valueType: .float32),
      Wanda.prune(weight: layer.weight, hessianDiagonal: diagonal, target: .pattern(pattern), valueType: .float32),
      SparseGPT.prune(weight: layer.weight, factor: layer.factor(), target: .pattern(pattern), valueType: .float32),
    ]
    for sparse in results {
      let dense = sparse.dense()
      for row in 0..<6 {
        for group in pattern.groups(columns: 29) {
          let kept = group.count { dense[row, $0] != 0 }
          #expect(kept == min(pattern.keptCount, group.count))
        }
      }
      #expect(sparse.zeroCount == SparsityTarget.pattern(pattern).zeroCount(rows: 6, columns: 29))
    }
  }

  @Test func patternsAreReadFromText() {
    #expect(SparsityPattern("2:4")?.description == "2:4")
    #expect(SparsityPattern("1:256")?.groupSize == 256)
    for text in ["", "2", "2:", ":4", "4:4", "5:4", "0:4", "1:257", "2:4:8", "+2:4", "02:4", " 2:4", "2:4 ", "-2:4"] {
      #expect(SparsityPattern(text) == nil, "\(text)")
    }
  }

  @Test func diagonalsThatAreNoSumsOfSquaresAreRefused() {
    let weight = Matrix(rows: 1, columns: 2, values: [1, 2])
    let detail = "its diagonal has a NaN, an infinity or a negative number; it is no sum of squares"
    for bad in [Float.nan, .infinity, -1] {
      #expect(throws: InferenceError.invalidData(file: "Hessian", detail: detail)) {
        try Wanda.prune(weight: weight, hessianDiagonal: [1, bad], target: .zeros(1), valueType: .float32)
      }
    }
  }
}

@Suite(.usualTimeLimit) struct LargestRemainderTests {
  @Test func partsAddUpAndStayNearTheirShares() {
    for total in 0...60 {
      let weights = [10, 0, 17, 3, 30]
      let parts = LargestRemainder.split(total, by: weights)
      #expect(parts.reduce(0, +) == total)
      for (part, weight) in zip(parts, weights) {
        #expect(part <= weight && abs(Double(part) - Double(total * weight) / 60) < 1)
      }
    }
  }

  @Test func tiesGoToTheFirstParts() {
    #expect(LargestRemainder.split(5, by: [4, 4, 4]) == [2, 2, 1])
  }

  @Test func partsDoNotFallBelowTheirLeast() {
    for total in 9...60 {
      let least = [0, 0, 8, 1, 0]
      let weights = [10, 0, 17, 3, 30]
      let parts = LargestRemainder.split(total, by: weights, least: least)
      #expect(parts.reduce(0, +) == total)
      for index in parts.indices { #expect((least[index]...weights[index]).contains(parts[index])) }
    }
  }

  @Test func largeCountsDoNotOverflow() {
    let weights = [Int.max / 4, Int.max / 4]
    #expect(LargestRemainder.split(Int.max / 4, by: weights).reduce(0, +) == Int.max / 4)
  }
}
