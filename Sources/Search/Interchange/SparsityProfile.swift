/// A sparsity profile of EvoPress: one line per layer, `model.layers.0.mlp.down_proj: -2`, a signed number of steps; a higher
/// one has more zeros.
///
/// Source: EvoPress, `evo_prune_search.py` and `prune.py`. The file says neither what level 0 nor what a step is: that is in
/// the arguments of `prune.py`, here in `SparsityScale`.
public struct SparsityProfile: Equatable, Sendable {
  /// One line.
  public struct Entry: Equatable, Sendable {
    /// The layer's Hugging Face name.
    public var layer: String
    /// Steps above the target sparsity.
    public var level: Int

    /// Creates the step of a layer.
    public init(layer: String, level: Int) {
      self.layer = layer
      self.level = level
    }
  }

  /// In the order of the lines.
  public var entries: [Entry]

  /// From entries.
  public init(entries: [Entry]) { self.entries = entries }

  /// Parses the text of a profile.
  ///
  /// - Throws: `SearchError.invalidProfile` naming the line.
  public init(_ text: String) throws {
    entries = try ProfileText.entries(text).map { entry in
      guard let level = Int(entry.value), entry.remark == nil else {
        throw SearchError.invalidProfile(
          detail: "profile line \(entry.number): expected 'layer: level' with a whole number of steps, found "
            + "'\(entry.value.prefix(60))'")
      }
      return Entry(layer: entry.name, level: level)
    }
  }

  /// The canonical text, every line ended.
  public var text: String { entries.map { "\($0.layer): \($0.level)\n" }.joined() }
}

/// The meaning of the levels of a sparsity profile: level l of a layer of n weights has target · n + l · step zeros.
public struct SparsityScale: Equatable, Sendable {
  /// Sparsity at level 0, 0 to 1.
  public var target: Double
  /// Weights between two levels, the same for every layer, so that any two layers can switch.
  public var stepWeightCount: Int

  /// - Throws: `SearchError.invalidParameter` for a target outside 0 to 1 or a step below 1.
  public init(target: Double, stepWeightCount: Int) throws {
    guard (0...1).contains(target) else {
      throw SearchError.invalidParameter(detail: "the sparsity must be from 0 to 1, not \(target)")
    }
    guard stepWeightCount >= 1 else {
      throw SearchError.invalidParameter(detail: "the step must be at least 1 weight, not \(stepWeightCount)")
    }
    self.target = target
    self.stepWeightCount = stepWeightCount
  }

  /// Zeros of a level; nil: fewer than none, or more than all weights.
  public func zeros(level: Int, weightCount: Int) -> Int? {
    let (shift, overflow) = level.multipliedReportingOverflow(by: stepWeightCount)
    let (zeros, overflows) = base(weightCount).addingReportingOverflow(shift)
    guard !overflow, !overflows, (0...weightCount).contains(zeros) else { return nil }
    return zeros
  }

  /// The level with so many zeros; nil: there is none.
  public func level(zeros: Int, weightCount: Int) -> Int? {
    let (distance, overflow) = zeros.subtractingReportingOverflow(base(weightCount))
    guard !overflow, distance % stepWeightCount == 0 else { return nil }
    return distance / stepWeightCount
  }

  private func base(_ weightCount: Int) -> Int {
    // At most the count itself, which is an Int.
    Int((target * Double(weightCount)).rounded(.toNearestOrEven))
  }
}
