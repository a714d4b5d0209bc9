import Catalog

/// The level of one layer: what its variant is.
public enum CompressionLevel: Hashable, Sendable, CustomStringConvertible {
  /// Bits a weight.
  case bits(Int)
  /// An exact number of zeros, or a pattern.
  case sparsity(SparsityTarget)

  /// As the catalog writes it: `bits=3`, `zeros=32768`, `pattern=2:4`.
  public var description: String {
    switch self {
    case .bits(let bits): "bits=\(bits)"
    case .sparsity(.zeros(let count)): "zeros=\(count)"
    case .sparsity(.pattern(let pattern)): "pattern=\(pattern)"
    }
  }
}

/// One level for all layers: what a plan asks for, before it is known how many weights a layer has.
public enum LevelRule: Hashable, Sendable, CustomStringConvertible {
  /// So many bits a weight.
  case bits(Int)
  /// A share of zeros, rounded to whole weights half to even, plus a number of weights that may be negative.
  case sparsity(Double, shift: Int = 0)
  /// A pattern.
  case pattern(SparsityPattern)

  /// The level of a layer of `weightCount` weights; nil where the layer has none: a shift leads below no zeros or beyond all.
  func level(weightCount: Int) -> CompressionLevel? {
    switch self {
    case .bits(let bits): return .bits(bits)
    case .pattern(let pattern): return .sparsity(.pattern(pattern))
    case .sparsity(let share, let shift):
      guard let base = Int(exactly: (share * Double(weightCount)).rounded(.toNearestOrEven)) else { return nil }
      let (count, overflow) = base.addingReportingOverflow(shift)
      guard !overflow, (0...weightCount).contains(count) else { return nil }
      return .sparsity(.zeros(count))
    }
  }

  /// The same text for the same rule, as keys of upstream treatments hold it: `bits=3`, `sparsity=0.5`, `pattern=2:4`.
  public var description: String {
    switch self {
    case .bits(let bits): "bits=\(bits)"
    case .sparsity(let share, 0): "sparsity=\(share)"
    case .sparsity(let share, let shift): "sparsity=\(share),shift=\(shift)"
    case .pattern(let pattern): "pattern=\(pattern)"
    }
  }
}

/// Sparsity levels that are the same number of weights apart in every layer, so that any two layers can switch exactly.
public struct SparsitySteps: Hashable, Sendable {
  /// Levels to each side, as the reference has them.
  public static let standardLevelCount = 8

  /// Sparsity of the level in the middle.
  public var sparsity: Double
  /// Levels to each side of it.
  public var levelCount: Int
  /// Weights between two levels; nil: ½·min(s, 1−s)/8·hidden².
  public var stepWeightCount: Int?

  /// All fields.
  public init(sparsity: Double, levelCount: Int = standardLevelCount, stepWeightCount: Int? = nil) {
    self.sparsity = sparsity
    self.levelCount = levelCount
    self.stepWeightCount = stepWeightCount
  }

  /// The rules, from least to most sparse. A layer has no level where a rule leads below 0 or above all of its weights: a
  /// level that was cut off at the border would be another step away from its neighbour.
  ///
  /// Source: EvoPress, `prune.py`: levels target + l·Δ/weights, l = −8…8, within (0, 1).
  ///
  /// - Throws: `InferenceError.impossible` with the feasible range.
  public func rules(layers: [LayerRecord], hiddenSize: Int) throws -> [LevelRule] {
    guard (0...1).contains(sparsity), levelCount >= 1 else {
      throw InferenceError.impossible(
        detail: "sparsity must be from 0 to 1 and levels at least 1, not \(sparsity) and \(levelCount)")
    }
    let smallest = layers.map(\.weightCount).min() ?? 0
    let standard = Int((min(sparsity, 1 - sparsity) / 16 * Double(hiddenSize) * Double(hiddenSize)).rounded(.down))
    let step = stepWeightCount ?? standard
    guard (1...max(smallest, 1)).contains(step) else {
      throw InferenceError.impossible(
        detail: stepWeightCount == nil
          ? "at sparsity \(sparsity) there is no step of its own; give --step-weights from 1 to \(smallest)"
          : "--step-weights must be from 1 to \(smallest), the weights of the smallest layer, not \(step)")
    }
    let largest = layers.map(\.weightCount).max() ?? 0
    // Beyond this many steps no layer has a level.
    let reach = min(levelCount, largest / step + 1)
    return (-reach...reach).map { .sparsity(sparsity, shift: $0 * step) }
  }
}
