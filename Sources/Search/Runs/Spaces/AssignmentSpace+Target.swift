import Catalog
import Inference

/// A target as a budget of the space, with the assignments at it.
public struct BudgetPlan: Equatable, Sendable {
  /// The largest cost of a candidate, in the space's cost.
  public var budget: Int64
  /// Every unit at exactly the target; nil if it lies between levels.
  public var uniform: LevelVector?
  /// The assignment that the result is compared with; nil: the start.
  public var reference: LevelVector?
}

extension AssignmentSpace {
  /// The budget of a recipe's target.
  ///
  /// - Throws: `SearchError.impossible` with the feasible range.
  public func plan(_ recipe: SearchRecipe) throws -> BudgetPlan {
    try recipe.validateFile()
    switch recipe.target {
    case .bits(let bits):
      let budget = try space.budget(targetBits: bits)
      guard recipe.cost == .codes else {
        return BudgetPlan(budget: budget, uniform: nil, reference: largestUniform(within: budget))
      }
      let uniform = hasFixedDense ? nil : self.uniform(bits: bits)
      return BudgetPlan(budget: budget, uniform: uniform, reference: uniform ?? largestUniform(within: budget))
    case .bytes(let bytes) where recipe.file != nil:
      let budget = try recipe.file?.budget(fileByteCount: bytes, costs: space.feasibleCosts) ?? 0
      return BudgetPlan(budget: budget, uniform: nil, reference: largestUniform(within: budget))
    case .bytes(let bytes):
      let (budget, overflow) = bytes.multipliedReportingOverflow(by: 8)
      guard !overflow, space.feasibleCosts.contains(budget) else {
        let range = space.feasibleCosts
        throw SearchError.impossible(
          detail: "a target of \(bytes) bytes is outside of what the levels allow: "
            + "\((range.lowerBound + 7) / 8) to \(range.upperBound / 8) bytes")
      }
      return BudgetPlan(budget: budget, uniform: nil, reference: largestUniform(within: budget))
    case .sparsity(let sparsity): return try plan(sparsity: sparsity)
    case .drop(let share):
      let count = SearchSpace.floorOfProduct(share, Int64(model.blockCount)) ?? .max
      return try plan(drops: Int(clamping: count), asked: "a share of \(share) is \(count)", recipe)
    case .dropCount(let count): return try plan(drops: count, asked: "the target is to drop \(count)", recipe)
    }
  }

  /// The grouping of units that suits the space.
  var standardGrouping: MutationGrouping {
    switch SearchRecipe.Cost(rawValue: record.cost) {
    case .subblocks: return .name
    case .weights:
      let steps = Set(record.units.filter { $0.levels.count > 1 }.map { SpaceBuilder.evenStep($0.levels) })
      return space.gates.isEmpty && !steps.contains(nil) ? .size : .none
    case .codes, .stored, nil:
      let methods = Set(variantsInUse.map(\.methodID))
      return space.gates.isEmpty && methods.count <= 1 && !hasDense ? .size : .none
    }
  }

  /// The assignment with a setting of one kind everywhere but in layers that can only be dense; nil if a unit lacks it.
  func uniform(_ isWanted: (VariantRecord, LayerRecord) -> Bool) -> LevelVector? {
    let gates = Set(space.gates.map(\.unit))
    let levels = record.units.enumerated().map { index, unit -> Int? in
      if gates.contains(index) || isFixedDense(unit) { return 0 }
      return unit.levels.firstIndex { level in
        level.members.allSatisfy { member in
          member.variantID.flatMap { variants[$0] }.map { isWanted($0, layers[member.layerIndex]) } ?? false
        }
      }
    }
    guard levels.allSatisfy({ $0 != nil }) else { return nil }
    return LevelVector(levels.compactMap { $0 })
  }

  /// Every layer at a bit-width; nil if one has not got it.
  public func uniform(bits: Double) -> LevelVector? { uniform { variant, _ in variant.bits == bits } }

  /// Every layer at a sparsity, rounded to whole weights; nil if one has not got it.
  public func uniform(sparsity: Double) -> LevelVector? {
    uniform { variant, layer in
      guard variant.sparsity != nil, let level = Level(variant.level) else { return false }
      let zeros = Double(Int64(layer.weightCount) - LayerLevels.keptWeights(variant, level, of: layer))
      return abs(zeros - sparsity * Double(layer.weightCount)) < 1
    }
  }

  private func plan(sparsity: Double) throws -> BudgetPlan {
    guard sparsity.isFinite, (0...1).contains(sparsity) else {
      throw SearchError.invalidParameter(detail: "a sparsity is a share from 0 to 1, got \(sparsity)")
    }
    // Each layer rounds to whole weights, and the budget is the sum of what they keep.
    let uniform = hasFixedDense ? nil : uniform(sparsity: sparsity)
    let budget =
      uniform.map { space.cost(of: $0) }
      ?? layers.reduce(0) { sum, layer in
        sum + Int64(layer.weightCount) - Int64((sparsity * Double(layer.weightCount)).rounded(.toNearestOrEven))
      }
    guard space.feasibleCosts.contains(budget) else {
      let weights = Double(space.weightCount)
      let range = space.feasibleCosts
      let least = ((1 - Double(range.upperBound) / weights) * 10000).rounded(.up) / 10000
      let most = ((1 - Double(range.lowerBound) / weights) * 10000).rounded(.down) / 10000
      throw SearchError.impossible(
        detail: "a sparsity of \(sparsity) is outside of what the built levels allow: \(least) to \(most)")
    }
    return BudgetPlan(budget: budget, uniform: uniform, reference: uniform ?? largestUniform(within: budget))
  }

  private func plan(drops count: Int, asked: String, _ recipe: SearchRecipe) throws -> BudgetPlan {
    let units = record.units
    let movable = units.filter { $0.levels.count > 1 }
    let perUnit = recipe.ties.contains(.pairs) ? 2 : 1
    // Attentions and MLPs go in equal numbers; of what is tied there is one kind.
    let kinds = Set(units.map(\.nameGroup)).map { kind in
      (all: units.count { $0.nameGroup == kind }, movable: movable.count { $0.nameGroup == kind })
    }
    let most = kinds.map { min($0.movable, $0.all - 1) }.min() ?? 0
    // A pair goes whole.
    let removed = recipe.target == .dropCount(count) ? count : count / perUnit * perUnit
    guard removed >= 1, removed % perUnit == 0, removed / perUnit <= most else {
      let what = perUnit == 2 ? "an even number of blocks" : "that many attentions and as many MLPs"
      throw SearchError.impossible(
        detail: "\(asked) of \(model.blockCount) blocks; \(what) can be removed from "
          + (most >= 1
            ? "\(perUnit) to \(most * perUnit) (shares from "
              + "\(Self.share(perUnit, model.blockCount)) to \(Self.share(most * perUnit, model.blockCount)))"
            : "none: all but one unit of each kind must be kept, and the list of subblocks that may go allows none"))
    }
    let all = space.feasibleCosts.upperBound
    return BudgetPlan(budget: all - 2 * Int64(removed), uniform: nil, reference: nil)
  }

  /// The share that removes so many blocks, in four digits, rounded up so that it really does.
  private static func share(_ count: Int, _ blocks: Int) -> Double {
    (Double(count) / Double(blocks) * 10000).rounded(.up) / 10000
  }

  /// Of all settings that every unit has the dearest that a budget allows; nil if it leaves more than a twentieth of the
  /// budget unused: a comparison with it would flatter.
  private func largestUniform(within budget: Int64) -> LevelVector? {
    let first =
      record.units.first { !isFixedDense($0) }?.levels.compactMap {
        $0.members.first?.variantID.flatMap { variants[$0] }
      } ?? []
    let candidates = first.compactMap { wanted in
      uniform { variant, _ in
        variant.methodID == wanted.methodID
          && (Level(variant.level)?.kind == .zeros
            ? variant.sparsity == wanted.sparsity : variant.level == wanted.level)
      }
    }
    let range = budget - budget / 20...budget
    return candidates.filter { range.contains(space.cost(of: $0)) }.max { space.cost(of: $0) < space.cost(of: $1) }
  }

  private var variantsInUse: [VariantRecord] {
    record.units.flatMap { $0.levels.flatMap { $0.members.compactMap { $0.variantID.flatMap { variants[$0] } } } }
  }

  /// Whether dense weights are one of several levels of a unit.
  private var hasDense: Bool {
    record.units.contains { unit in unit.levels.count > 1 && unit.levels.contains { $0.label == "dense" } }
  }

  private func isFixedDense(_ unit: SpaceRecord.Unit) -> Bool {
    unit.levels.count == 1 && unit.levels[0].label == "dense"
  }

  /// Whether some layers can only be dense, so that no target stands for a level of every layer.
  private var hasFixedDense: Bool { record.units.contains { isFixedDense($0) } }
}
