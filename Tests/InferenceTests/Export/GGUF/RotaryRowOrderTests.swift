import TestSupport
import Testing

@testable import Inference

/// The order of queries and keys in llama.cpp.
@Suite(.usualTimeLimit) struct RotaryRowOrderTests {
  @Test func halvesOfAHeadBecomeNeighbours() {
    let order = RotaryRowOrder(headCount: 2, headDimension: 6)
    #expect((0..<12).map(order.source) == [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11])
    #expect(
      order.applied(to: Array(0..<24)) == [
        0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11, 12, 13, 18, 19, 14, 15, 20, 21, 16, 17, 22, 23,
      ])
  }

  /// Turning neighbours of the permuted vector gives the permuted result of turning halves of the vector, so that scores of
  /// queries and keys stay what they are.
  @Test func turningNeighboursIsTurningHalves() {
    let order = RotaryRowOrder(headCount: 1, headDimension: 8)
    let vector = (0..<8).map { Float($0 * $0 + 1) }
    let turns: [(Float, Float)] = [(0.6, 0.8), (0.8, 0.6), (0, 1), (1, 0)]
    var halves = vector
    for (index, (cosine, sine)) in turns.enumerated() {
      halves[index] = vector[index] * cosine - vector[index + 4] * sine
      halves[index + 4] = vector[index + 4] * cosine + vector[index] * sine
    }
    func permuted(_ values: [Float]) -> [Float] { (0..<8).map { values[order.source(of: $0)] } }
    var neighbours = permuted(vector)
    for (index, (cosine, sine)) in turns.enumerated() {
      let (first, second) = (neighbours[2 * index], neighbours[2 * index + 1])
      neighbours[2 * index] = first * cosine - second * sine
      neighbours[2 * index + 1] = second * cosine + first * sine
    }
    #expect(neighbours == permuted(halves))
  }

  @Test func packedRowsArePermutedAsTheWeightsAre() throws {
    let order = RotaryRowOrder(headCount: 2, headDimension: 4)
    let matrix = Matrix(rows: 8, columns: 256, values: (0..<2048).map { Float($0 % 97) / 50 - 1 })
    let packed = try GGUFTensor(quantizing: matrix, as: .q4K)
    let permuted = try GGUFTensor(type: .q4K, rows: 8, columns: 256, bytes: order.applied(to: packed.bytes))
    #expect(permuted.dequantized().values == order.applied(to: packed.dequantized()).values)
    #expect(permuted.bytes == (try GGUFTensor(quantizing: order.applied(to: matrix), as: .q4K).bytes))
  }
}
