import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

/// How requests become pieces.
@Suite(.usualTimeLimit) struct RequestCutTests {
  private let bench: EvaluationBench
  private let cost: PassCost
  private let requests: [EvaluationRequest]

  init() throws {
    let bench = try EvaluationBench()
    self.bench = bench
    cost = PassCost(bench.network)
    // Offspring of offspring, as in a sweep and in a stage.
    var random = SplitMix64(property: 34)
    var candidates = bench.candidates
    while candidates.count < 80 {
      var candidate = candidates[Int.random(in: 0..<candidates.count, using: &random)]
      let block = Int.random(in: 0..<bench.network.blockCount, using: &random)
      candidate.dropped.insert(Subblock(blockIndex: block, half: Bool.random(using: &random) ? .attention : .mlp))
      candidate.choices[Int.random(in: 0..<candidate.choices.count, using: &random)] = .dense
      candidates.append(candidate)
    }
    requests = bench.sequences.indices.map { index in
      bench.request(index, candidates: Array(candidates.prefix(index == 2 ? 30 : 80)))
    }
  }

  private func parts(_ requests: [EvaluationRequest], takers: Int, shortest: Double = 0) -> [RequestCut] {
    RequestCut.parts(requests, takers: takers, shortest: shortest, cost)
  }

  /// A part as a request of its own.
  private func request(_ part: RequestCut) -> EvaluationRequest {
    let whole = requests[part.request]
    return EvaluationRequest(
      model: whole.model, tokenIDs: whole.tokenIDs, measures: whole.measures,
      candidates: part.candidates.map { whole.candidates[$0] }, teacherState: whole.teacherState)
  }

  @Test(arguments: [1, 2, 3, 8, 100]) func nothingIsLostAndNothingIsAskedTwice(_ takers: Int) {
    for shortest in [0, 1e6, 1e9] {
      let parts = self.parts(requests, takers: takers, shortest: shortest)
      for index in requests.indices {
        let found = parts.filter { $0.request == index }.flatMap(\.candidates)
        #expect(found.sorted() == Array(requests[index].candidates.indices))
      }
      #expect(parts.allSatisfy { !$0.candidates.isEmpty && $0.candidates == $0.candidates.sorted() })
      // The parts of a request follow one another.
      var order: [Int] = []
      for part in parts where order.last != part.request { order.append(part.request) }
      #expect(order.sorted() == Array(requests.indices))
      if takers == 1 { #expect(parts.count == requests.count) }
    }
  }

  @Test func whereAPieceIsLongEnoughNothingIsCut() {
    #expect(parts(requests, takers: 8, shortest: .infinity).count == requests.count)
    #expect(parts([], takers: 3).isEmpty)
  }

  @Test(arguments: [2, 3]) func piecesGetShorterAndAreNeverTooShort(_ takers: Int) {
    let parts = self.parts(requests, takers: takers)
    #expect(parts.count > requests.count)
    var left = self.parts(requests, takers: 1).reduce(0) { $0 + $1.cost }
    let least = 4 * cost.whole * Double(requests.map(\.tokenIDs.count).max() ?? 0)
    for (place, part) in parts.enumerated() {
      // What is computed again counts as well, so that a little more is left than is counted here.
      #expect(part.cost <= 2.4 * max(left / (2 * Double(takers)), least), "\(place): \(part.cost)")
      left -= part.cost
    }
    let costs = parts.map(\.cost)
    #expect((costs.last ?? 0) < (costs.max() ?? 0) / 1.5, "\(costs)")
    #expect(costs.prefix(takers).min() ?? 0 >= costs.suffix(takers).max() ?? 0, "\(costs)")
  }

  @Test func manyTakersGetACandidateEach() {
    let request = requests[3]
    let parts = self.parts([request], takers: 10_000)
    #expect(parts.count >= request.candidates.count / 2)
    // With fewer of them, all have about as much, and no piece waits for a taker.
    let shares = self.parts([request], takers: 40)
    #expect((25...40).contains(shares.count), "\(shares.count)")
  }

  /// What is said of a part is what it costs as a request of its own.
  @Test func aPartCostsWhatItsRequestCosts() {
    for part in parts(requests, takers: 5) {
      let alone = parts([request(part)], takers: 1)
      #expect(alone.count == 1)
      #expect(abs(alone[0].cost - part.cost) <= 1e-9 * part.cost)
    }
  }

  @Test func aTokenCostsItsProducts() {
    let layers = bench.network.layers
    func size(_ layers: [LayerDescription]) -> Double {
      layers.reduce(0) { $0 + Double($1.outputCount * $1.inputCount) }
    }
    #expect(cost.head == Double(bench.network.hiddenSize * bench.network.vocabularySize))
    #expect(cost.whole == cost.head + size(layers))
    var candidate = LayerChoices.dense(layerCount: layers.count)
    candidate.dropped = [Subblock(blockIndex: 1, half: .mlp)]
    let left = layers.filter { $0.subblock != Subblock(blockIndex: 1, half: .mlp) }
    #expect(cost.blocks(0..<bench.network.blockCount, of: candidate) == size(left))
    #expect(cost.blocks(1..<1, of: candidate) == 0)
  }
}
