import TestSupport
import Testing

@testable import Search

@Suite(.usualTimeLimit) struct OutlierAllocationTests {
  @Test func blocksWithOutliersKeepMore() {
    let allocation = OutlierAllocation(ratios: [0.01, 0.03, 0.02], target: 0.7, lambda: 0.08)
    // 2λ(r − min)/(max − min) is 0, 0.16 and 0.08, its mean 0.08.
    let expected = [0.78, 0.62, 0.7]
    for (sparsity, value) in zip(allocation.sparsities, expected) { #expect(abs(sparsity - value) < 1e-12) }
  }

  @Test(arguments: [0.05, 0.5, 0.7, 0.97], OutlierAllocation.lambdas)
  func theAverageIsTheTarget(target: Double, lambda: Double) {
    let allocation = OutlierAllocation(ratios: [0.9, 0.1, 0.3, 0.3, 0.2, 0.15], target: target, lambda: lambda)
    let mean = allocation.sparsities.reduce(0, +) / 6
    #expect(abs(mean - target) < 1e-9)
    #expect(allocation.sparsities.allSatisfy { (0...1).contains($0) })
  }

  @Test func equalBlocksGetTheTarget() {
    #expect(OutlierAllocation(ratios: [0.2, 0.2], target: 0.5, lambda: 0.2).sparsities == [0.5, 0.5])
  }

  @Test(arguments: OutlierAllocation.lambdas)
  func storedLevelsKeepTheBudgetAndLeaveNothingOver(lambda: Double) throws {
    // Six blocks of two layers with levels a step of 100 weights apart around one half.
    let units = (0..<12).map { index in
      let weights: Int64 = index % 2 == 0 ? 4000 : 12000
      return SearchUnit(
        name: "\(index)", sizeKey: "step", roleKey: "\(index % 2)", weightCount: weights,
        costs: (-8...8).map { weights / 2 - Int64($0) * 100 })
    }
    let space = try SearchSpace(units: units)
    let sparsities = units.map { unit in unit.costs.map { 1 - Double($0) / Double(unit.weightCount) } }
    let budget = try space.budget(targetBits: 0.5)
    let allocation = OutlierAllocation(ratios: [1, 2, 3, 4, 5, 6], target: 0.5, lambda: lambda)
    let vector = try allocation.levels(
      in: space, levelSparsities: sparsities, blocks: (0..<12).map { $0 / 2 }, budget: budget)
    #expect(space.cost(of: vector) == budget)
    // The block with the fewest outliers is pruned most.
    #expect(sparsities[1][vector[1]] > sparsities[11][vector[11]])
  }
}
