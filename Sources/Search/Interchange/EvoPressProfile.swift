/// A profile of EvoPress of any of its three applications.
public enum EvoPressProfile: Equatable, Sendable {
  /// Bits of every layer.
  case quantization(QuantizationProfile)
  /// Steps of every layer.
  case sparsity(SparsityProfile)
  /// Removed parts of every block.
  case depth(DepthProfile)

  /// Parses a profile whose kind follows from its content: the words of depth profiles; else `layer: number`, with steps if
  /// a number is 0 or below, else with bits. (Steps add up to 0 where layers were switched, so that one of them is not
  /// above 0; where all are above it, only `isOfSteps` tells them from bits.)
  ///
  /// - Parameter isOfSteps: whether numbers are known to be steps.
  /// - Throws: `SearchError.invalidProfile` naming the line.
  public init(_ text: String, isOfSteps: Bool = false) throws {
    let first = try ProfileText.lines(text)[0]
    if DepthProfile.Removal(rawValue: String(first.text)) != nil {
      self = .depth(try DepthProfile(text))
      return
    }
    guard !isOfSteps else {
      self = .sparsity(try SparsityProfile(text))
      return
    }
    guard first.text.contains(":") else {
      throw ProfileText.unexpected(first, "'layer: number', none, attn, mlp or attn+mlp")
    }
    let hasSteps = try ProfileText.entries(text).contains { Int($0.value).map { $0 <= 0 } ?? false }
    self = hasSteps ? .sparsity(try SparsityProfile(text)) : .quantization(try QuantizationProfile(text))
  }

  /// `quantization`, `sparsity` or `depth`.
  public var kind: String {
    switch self {
    case .quantization: "quantization"
    case .sparsity: "sparsity"
    case .depth: "depth"
    }
  }

  /// The canonical text.
  public var text: String {
    switch self {
    case .quantization(let profile): profile.text
    case .sparsity(let profile): profile.text
    case .depth(let profile): profile.text
    }
  }
}
