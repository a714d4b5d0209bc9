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
  /// `maximumPositions` is left out: it limits nothing that is computed. What only some models have is left out while it
  /// has the value that means "not there", so that a new field changes no digest.
  public var canonicalFields: [CanonicalField] {
    let common = [
      CanonicalField(name: "architecture", value: .text(architecture.rawValue)),
      CanonicalField(name: "block_count", value: .integer(blockCount)),
      CanonicalField(name: "head_count", value: .integer(headCount)),
      CanonicalField(name: "head_dimension", value: .integer(headDimension)),
      CanonicalField(name: "hidden_size", value: .integer(hiddenSize)),
      CanonicalField(name: "intermediate_size", value: .integer(intermediateSize)),
      CanonicalField(name: "key_value_head_count", value: .integer(keyValueHeadCount)),
      CanonicalField(name: "norm_epsilon", value: .real(normEpsilon)),
      CanonicalField(name: "tied_embeddings", value: .integer(tiedEmbeddings ? 1 : 0)),
      CanonicalField(name: "vocabulary_size", value: .integer(vocabularySize)),
    ]
    // The names are ASCII, of which String's order is that of the bytes.
    return (common + positionFields + traitFields).sorted { $0.name < $1.name }
  }

  private var positionFields: [CanonicalField] {
    guard !learnedPositions else { return [CanonicalField(name: "learned_positions", value: .integer(1))] }
    let theta = CanonicalField(name: "rope_theta", value: .real(ropeTheta))
    func scaled(_ kind: String, _ fields: KeyValuePairs<String, CanonicalValue>) -> [CanonicalField] {
      [theta, CanonicalField(name: "rope_scaling", value: .text(kind))]
        + fields.map { CanonicalField(name: "rope_\($0.key)", value: $0.value) }
    }
    func list(_ values: [Double]) -> CanonicalValue {
      .text(values.map { CanonicalValue.real($0).description }.joined(separator: ","))
    }
    switch ropeScaling {
    case .none: return [theta]
    case .linear(let factor): return scaled("linear", ["factor": .real(factor)])
    case .llama3(let scaling):
      return scaled(
        "llama3",
        [
          "factor": .real(scaling.factor), "high_frequency_factor": .real(scaling.highFrequencyFactor),
          "low_frequency_factor": .real(scaling.lowFrequencyFactor),
          "original_positions": .integer(scaling.originalPositions),
        ])
    case .longRope(let scaling):
      return scaled(
        "longrope",
        [
          "attention_factor": .real(scaling.attentionFactor), "long_factors": list(scaling.longFactors),
          "original_positions": .integer(scaling.originalPositions), "short_factors": list(scaling.shortFactors),
        ])
    }
  }

  private var traitFields: [CanonicalField] {
    let flags = [
      ("attention_input_bias", attentionInputBias), ("attention_output_bias", attentionOutputBias),
      ("mlp_bias", mlpBias), ("query_key_norm", queryKeyNorm),
    ]
    let numbers = [
      ("attention_cap", attentionCap), ("attention_scale_divisor", attentionScaleDivisor), ("logit_cap", logitCap),
    ]
    var fields = flags.filter(\.1).map { CanonicalField(name: $0.0, value: .integer(1)) }
    fields += numbers.compactMap { name, value in value.map { CanonicalField(name: name, value: .real($0)) } }
    if attentionWindows.contains(where: { $0 != nil }) {
      let text = attentionWindows.map { $0.map { String($0) } ?? "all" }.joined(separator: ",")
      fields.append(CanonicalField(name: "attention_windows", value: .text(text)))
    }
    return fields
  }
}
