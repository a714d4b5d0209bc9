/// One setting of a layer that a compression method offers, with one text form for catalogs, keys and labels:
/// `bits=3`, `zeros=32768`, `pattern=2:4`, `type=Q4_K`.
public enum Level: Hashable, Sendable, CustomStringConvertible {
  /// Bits of a code.
  case bits(Int)
  /// Exactly so many weights are zero, anywhere in the layer.
  case zeros(Int)
  /// At most N of M neighbouring weights are kept.
  case pattern(SparsityPattern)
  /// A named storage type, whose bits per weight need not be whole.
  case type(String)

  /// The kind of a level; every method offers levels of some kinds.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// `bits=3`.
    case bits
    /// `zeros=32768`.
    case zeros
    /// `pattern=2:4`.
    case pattern
    /// `type=Q4_K`.
    case type
  }

  /// Its kind.
  public var kind: Kind {
    switch self {
    case .bits: .bits
    case .zeros: .zeros
    case .pattern: .pattern
    case .type: .type
    }
  }

  /// Reads the text form; nil if `text` is not exactly what `description` writes.
  public init?(_ text: String) {
    guard let (name, value) = LevelText.pair(text), let kind = Kind(rawValue: name) else { return nil }
    switch kind {
    case .bits:
      guard let bits = Int(value), bits >= 1 else { return nil }
      self = .bits(bits)
    case .zeros:
      guard let count = Int(value), count >= 0 else { return nil }
      self = .zeros(count)
    case .pattern:
      guard let pattern = SparsityPattern(value) else { return nil }
      self = .pattern(pattern)
    case .type:
      guard LevelText.isTypeName(value) else { return nil }
      self = .type(value)
    }
    guard description == text else { return nil }
  }

  /// The text form.
  public var description: String {
    switch self {
    case .bits(let bits): LevelText.text(Kind.bits.rawValue, bits)
    case .zeros(let count): LevelText.text(Kind.zeros.rawValue, count)
    case .pattern(let pattern): LevelText.text(Kind.pattern.rawValue, pattern)
    case .type(let name): LevelText.text(Kind.type.rawValue, name)
    }
  }

  /// The weights to prune; nil for a level that prunes none.
  var sparsityTarget: SparsityTarget? {
    switch self {
    case .zeros(let count): .zeros(count)
    case .pattern(let pattern): .pattern(pattern)
    case .bits, .type: nil
    }
  }
}

/// One setting for all layers, before it is known how many weights a layer has, with one text form for keys, options and
/// profiles: `bits=3`, `sparsity=0.5`, `sparsity=0.5,shift=-1024`, `pattern=2:4`, `type=Q4_K`.
public enum LevelRule: Hashable, Sendable, CustomStringConvertible {
  /// Bits of a code.
  case bits(Int)
  /// A share of zeros, rounded to whole weights half to even, plus a number of weights that may be negative.
  case sparsity(Double, shift: Int = 0)
  /// At most N of M neighbouring weights are kept.
  case pattern(SparsityPattern)
  /// A named storage type.
  case type(String)

  private static let sparsityName = "sparsity"
  private static let shiftName = "shift"

  /// The kind of the rule's levels.
  public var kind: Level.Kind {
    switch self {
    case .bits: .bits
    case .sparsity: .zeros
    case .pattern: .pattern
    case .type: .type
    }
  }

  /// Reads the text form, or its value alone where the kind is plain: `3`, `0.5`, `2:4`, `Q4_K`.
  ///
  /// - Parameter kinds: those that a value alone may mean.
  public init?(_ text: String, kinds: Set<Level.Kind> = Set(Level.Kind.allCases)) {
    let rule = LevelText.pair(text) == nil ? Self.rule(value: text, kinds) : Self.rule(text)
    guard let rule, kinds.contains(rule.kind) else { return nil }
    self = rule
  }

  private static func rule(_ text: String) -> LevelRule? {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
    guard let (name, value) = LevelText.pair(parts[0]) else { return nil }
    if name == sparsityName {
      guard let share = share(value) else { return nil }
      if parts.count == 1 { return .sparsity(share) }
      guard parts.count == 2, let (extra, shift) = LevelText.pair(parts[1]), extra == shiftName, let shift = Int(shift)
      else { return nil }
      return .sparsity(share, shift: shift)
    }
    switch Level(text) {
    case .bits(let bits): return .bits(bits)
    case .pattern(let pattern): return .pattern(pattern)
    case .type(let name): return .type(name)
    case .zeros, nil: return nil
    }
  }

  private static func rule(value: String, _ kinds: Set<Level.Kind>) -> LevelRule? {
    if kinds.contains(.bits), let bits = Double(value).flatMap({ Int(exactly: $0) }), bits >= 1 { return .bits(bits) }
    if kinds.contains(.pattern), let pattern = SparsityPattern(value) { return .pattern(pattern) }
    if kinds.contains(.zeros), let share = share(value) { return .sparsity(share) }
    return kinds.contains(.type) && LevelText.isTypeName(value) ? .type(value) : nil
  }

  private static func share(_ text: String) -> Double? {
    guard let share = Double(text), (0...1).contains(share) else { return nil }
    // Minus zero is spelled differently in keys.
    return share + 0
  }

  /// The level of a layer of `weightCount` weights; nil where the layer has none: a shift leads below no zeros or beyond all.
  public func level(weightCount: Int) -> Level? {
    switch self {
    case .bits(let bits): return .bits(bits)
    case .pattern(let pattern): return .pattern(pattern)
    case .type(let name): return .type(name)
    case .sparsity(let share, let shift):
      guard let base = Int(exactly: (share * Double(weightCount)).rounded(.toNearestOrEven)) else { return nil }
      let (count, overflow) = base.addingReportingOverflow(shift)
      guard !overflow, (0...weightCount).contains(count) else { return nil }
      return .zeros(count)
    }
  }

  /// The text form: the same for the same rule, as keys of upstream treatments hold it.
  public var description: String {
    switch self {
    case .bits(let bits): Level.bits(bits).description
    case .pattern(let pattern): Level.pattern(pattern).description
    case .type(let name): Level.type(name).description
    case .sparsity(let share, 0): LevelText.text(Self.sparsityName, share)
    case .sparsity(let share, let shift):
      LevelText.text(Self.sparsityName, share) + "," + LevelText.text(Self.shiftName, shift)
    }
  }

  /// The rule without the name of its kind, as `uniform:3` and `--upstream gptq:3` are typed.
  public var shortText: String { LevelText.pair(description)?.value ?? description }
}

/// Sparsity levels around one sparsity.
public struct SparsitySteps: Hashable, Sendable {
  /// Levels to each side, as the reference has them.
  public static let standardLevelCount = 8

  /// Sparsity of the level in the middle.
  public var sparsity: Double
  /// Levels to each side of it.
  public var levelCount: Int
  /// The distance of two levels.
  public var step: Step

  /// How levels are spaced.
  public enum Step: Hashable, Sendable {
    /// Equally many weights in every layer, so that any two layers can exchange levels exactly.
    case weights(Int)
    /// An equal share of every layer's weights.
    case share(Double)
  }

  /// Levels around a sparsity.
  ///
  /// - Parameter step: nil: shares that lead, in the standard number of levels, four fifths of the way to the nearer of 0 and
  ///   1. On the example the best sparsities of layers lie that far apart.
  public init(sparsity: Double, levelCount: Int = standardLevelCount, step: Step? = nil) {
    self.sparsity = sparsity
    self.levelCount = levelCount
    self.step = step ?? .share(Self.rounded(min(sparsity, 1 - sparsity) / 10))
  }

  /// Shares are written as decimals.
  private static func rounded(_ share: Double) -> Double { (share * 1e6).rounded() / 1e6 }

  /// The rules, from least to most sparse. Levels below 0 and above all weights of a layer are left out: a level that was
  /// cut off at the border would be another step away from its neighbour.
  ///
  /// Source of equal weights: EvoPress, `prune.py`: levels target + l·Δ/weights, l = −8…8, within (0, 1).
  ///
  /// - Parameter weightCounts: of every layer. `[layers]`
  /// - Throws: `InferenceError.impossible` with the feasible range.
  public func rules(weightCounts: [Int]) throws -> [LevelRule] {
    guard (0...1).contains(sparsity), levelCount >= 1 else {
      throw InferenceError.impossible(
        detail: "sparsity must be from 0 to 1 and levels at least 1, not \(sparsity) and \(levelCount)")
    }
    switch step {
    case .weights(let count):
      let smallest = weightCounts.min() ?? 0
      guard (1...max(smallest, 1)).contains(count) else {
        throw InferenceError.impossible(
          detail: "the step must be from 1 to \(smallest) weights, those of the smallest layer, not \(count)")
      }
      // Beyond this many steps no layer has a level.
      let reach = min(levelCount, (weightCounts.max() ?? 0) / count + 1)
      return (-reach...reach).map { .sparsity(sparsity, shift: $0 * count) }
    case .share(let share):
      guard share > 0, share < 1 else {
        throw InferenceError.impossible(
          detail: min(sparsity, 1 - sparsity) == 0
            ? "at sparsity \(sparsity) there is no step by itself; give one between 0 and 1"
            : "the step must be between 0 and 1, not \(share)")
      }
      let reach = min(levelCount, Int(1 / share))
      return (-reach...reach).map { Self.rounded(sparsity + Double($0) * share) }.filter { (0...1).contains($0) }
        .map { .sparsity($0) }
    }
  }
}

/// The `name=value` form that levels and rules share.
private enum LevelText {
  static func text(_ name: String, _ value: some CustomStringConvertible) -> String { "\(name)=\(value)" }

  static func pair(_ text: String) -> (name: String, value: String)? {
    guard let place = text.firstIndex(of: "=") else { return nil }
    return (String(text[..<place]), String(text[text.index(after: place)...]))
  }

  /// Letters, digits and underscores, a letter first: names of GGUF types are `Q4_K`, `IQ4_XS`.
  static func isTypeName(_ text: String) -> Bool {
    guard let first = text.utf8.first, (65...90).contains(first) || (97...122).contains(first), text.utf8.count <= 32
    else { return false }
    return text.utf8.allSatisfy {
      (65...90).contains($0) || (97...122).contains($0) || (48...57).contains($0) || $0 == 95
    }
  }
}
