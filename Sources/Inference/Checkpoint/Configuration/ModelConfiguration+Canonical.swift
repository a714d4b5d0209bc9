extension ModelConfiguration {
  /// One value of the model digest.
  public enum CanonicalValue: Equatable, Sendable, CustomStringConvertible {
    /// Written in decimal.
    case integer(Int)
    /// Written as the 16 hexadecimal digits of its bits.
    case real(Double)
    /// Written as it is.
    case text(String)

    /// The canonical text, before any escaping by the digest.
    public var description: String {
      switch self {
      case .integer(let value): return String(value)
      case .real(let value):
        let digits = String(value.bitPattern, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
      case .text(let value): return value
      }
    }
  }

  /// One named value of the model digest.
  public struct CanonicalField: Equatable, Sendable {
    /// Name, in ASCII.
    public let name: String
    /// Value.
    public let value: CanonicalValue
  }

  /// Everything in the configuration that changes what the model computes, sorted by name.
  ///
  /// `maximumPositions` is left out: it limits nothing that is computed with plain rotary positions. A field that a later
  /// family adds is left out while it has the value that means "not there" (a bias of `false`, no window, no scaling),
  /// so that no digest made today changes; those rules stand beside their fields here.
  public var canonicalFields: [CanonicalField] {
    [
      CanonicalField(name: "architecture", value: .text(architecture.rawValue)),
      CanonicalField(name: "block_count", value: .integer(blockCount)),
      CanonicalField(name: "head_count", value: .integer(headCount)),
      CanonicalField(name: "head_dimension", value: .integer(headDimension)),
      CanonicalField(name: "hidden_size", value: .integer(hiddenSize)),
      CanonicalField(name: "intermediate_size", value: .integer(intermediateSize)),
      CanonicalField(name: "key_value_head_count", value: .integer(keyValueHeadCount)),
      CanonicalField(name: "norm_epsilon", value: .real(normEpsilon)),
      CanonicalField(name: "rope_theta", value: .real(ropeTheta)),
      CanonicalField(name: "tied_embeddings", value: .integer(tiedEmbeddings ? 1 : 0)),
      CanonicalField(name: "vocabulary_size", value: .integer(vocabularySize)),
    ]
  }
}
