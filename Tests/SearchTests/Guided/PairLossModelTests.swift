import TestSupport
import Testing

@testable import Search

@Suite(.usualTimeLimit) struct PairLossModelTests {
  /// Losses of single units and of pairs, as those of neighbouring subblocks.
  private struct Truth {
    let singles: [Double]
    let pairs: [[Double]]

    init(_ count: Int, seed: UInt64) {
      var random = RandomSource(seed: TestSeed.mixed(seed), generation: 0, stage: 0, purpose: .start)
      singles = (0..<count).map { _ in 0.01 + 0.02 * abs(random.nearlyNormal()) }
      pairs = (0..<count).map { _ in (0..<count).map { _ in 0.01 * random.nearlyNormal() } }
    }

    func loss(_ vector: LevelVector) -> Double {
      let removed = vector.levels.indices.filter { vector[$0] == 1 }
      return removed.reduce(0) { sum, unit in
        removed.filter { $0 > unit }.reduce(sum + singles[unit]) { $0 + pairs[unit][$1] }
      }
    }
  }

  private func model(_ truth: Truth, comparisons: [LossComparison]) -> PairLossModel {
    PairLossModel(
      losses: truth.singles.map { [0, $0] }, comparisons: comparisons, noise: 0.001)
  }

  @Test(arguments: 0..<3 as Range<UInt64>) func learnsWhatPairsLose(seed: UInt64) throws {
    let space = try Spaces.depth(blocks: 8)
    let truth = Truth(16, seed: seed)
    let mutation = try LevelSwitchMutation(space: space, budget: 10, grouping: .name, maximumSwitches: 3)
    var random = RandomSource(seed: TestSeed.mixed(seed), generation: 1, stage: 0, purpose: .start)
    let start = try #require(
      try Starts(.bestOfRandom(1), space: space, budget: 10, mutation: mutation, seed: seed).vectors.first)
    let sets = mutation.offspring(of: start, count: 240, using: &random).map(\.assignment)
    let comparisons = sets.prefix(160).map {
      LossComparison(from: start, to: $0, difference: truth.loss($0) - truth.loss(start), tokenCount: 512)
    }
    /// The squared error on sets that were not compared, the common offset left out.
    func error(_ model: PairLossModel) -> Double {
      let rests = sets.dropFirst(160).map {
        (model.loss(of: $0) - model.loss(of: start)) - (truth.loss($0) - truth.loss(start))
      }
      return rests.reduce(0) { $0 + $1 * $1 }
    }
    let additive = error(model(truth, comparisons: []))
    #expect(error(model(truth, comparisons: comparisons)) < 0.1 * additive)
  }

  @Test func withoutComparisonsItIsTheSum() throws {
    let truth = Truth(4, seed: 9)
    let sum = model(truth, comparisons: []).loss(of: [1, 0, 0, 1])
    #expect(sum == truth.singles[0] + truth.singles[3])
  }

  @Test func unitsThatAlwaysStayLoseNothing() {
    let model = PairLossModel(losses: [[0, 0.25], [0]], comparisons: [], noise: 1)
    #expect(model.loss(of: [1, 0]) == 0.25 && model.loss(of: [0, 0]) == 0)
  }

  /// Equal sets with different answers: the model keeps to their mean.
  @Test func contradictingComparisonsAreAveraged() throws {
    let truth = Truth(4, seed: 2)
    let (from, to): (LevelVector, LevelVector) = ([1, 1, 0, 0], [1, 0, 0, 1])
    let comparisons = [0.3, 0.5, 0.4].map {
      LossComparison(from: from, to: to, difference: $0, tokenCount: 4096)
    }
    let learnt = model(truth, comparisons: comparisons)
    #expect(abs(learnt.loss(of: to) - learnt.loss(of: from) - 0.4) < 0.02)
  }
}

@Suite(.usualTimeLimit) struct CholeskyFactorTests {
  @Test(arguments: [1, 2, 5, 33]) func solvesAndInverts(count: Int) {
    var random = RandomSource(seed: TestSeed.mixed(UInt64(count)), generation: 0, stage: 0, purpose: .start)
    let rows = (0..<count).map { _ in (0..<count).map { _ in random.nearlyNormal() } }
    var matrix = [Double](repeating: 0, count: count * count)
    for row in 0..<count {
      for column in 0..<count {
        let product = zip(rows[row], rows[column]).reduce(0) { $0 + $1.0 * $1.1 }
        matrix[row * count + column] = product + (row == column ? 1 : 0)
      }
    }
    let factor = CholeskyFactor(matrix, count: count)
    let diagonal = factor.inverseDiagonal
    for unit in 0..<count {
      var right = [Double](repeating: 0, count: count)
      right[unit] = 1
      let x = factor.solve(right)
      #expect(abs(x[unit] - diagonal[unit]) < 1e-10)
      for row in 0..<count {
        let product = (0..<count).reduce(0) { $0 + matrix[row * count + $1] * x[$1] }
        #expect(abs(product - right[row]) < 1e-9)
      }
    }
    // The squared length of L⁻ᵀ e summed over all units is the trace of the inverse.
    let trace = (0..<count).reduce(0.0) { sum, unit in
      var right = [Double](repeating: 0, count: count)
      right[unit] = 1
      return factor.solveTransposed(right).reduce(sum) { $0 + $1 * $1 }
    }
    #expect(abs(trace - diagonal.reduce(0, +)) < 1e-9)
  }
}
