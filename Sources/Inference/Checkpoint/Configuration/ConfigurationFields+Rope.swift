import Foundation

/// Rotary positions: `rope_parameters` from transformers 5, `rope_theta` and `rope_scaling` before.
extension ConfigurationFields {
  /// The kinds of scaling a family may have.
  enum RopeKind: ByteString, CaseIterable {
    case plain = "default"
    case linear
    case llama3
    case longrope
  }

  /// Values outside the scaling's own fields on which it depends.
  struct RopeContext {
    /// Width of one head.
    var headDimension: Int
    /// Longest sequence of the model.
    var maximumPositions: Int
    /// The value of `original_max_position_embeddings` where it is absent beside `rope_scaling`; nil: look inside.
    var originalPositions: Int?
    /// The kinds the family has in transformers.
    var kinds: [RopeKind] = RopeKind.allCases
    /// Older names of kinds.
    var aliases: [ByteString: RopeKind] = [:]
  }

  private static let thetaRange = Double.leastNormalMagnitude...1e30
  /// Factors beyond are nonsense; within, no product leaves the range of float32.
  private static let factorRange = 1e-6...1e6

  /// The base and the scaling of rotary positions; where several places say something, they must agree.
  ///
  /// - Throws: `InferenceError.unsupported` for a kind of scaling that is not implemented, by name.
  func rope(_ context: RopeContext) throws -> (theta: Double, scaling: RopeScaling) {
    let defaultTheta = 10_000.0
    var theta: Double?
    var scaling: RopeScaling?
    if self["rope_theta"] != nil { theta = try number("rope_theta", default: defaultTheta, in: Self.thetaRange) }
    for name: ByteString in ["rope_parameters", "rope_scaling"] {
      guard let fields = try nested(name) else { continue }
      if fields["rope_theta"] != nil {
        let own = try fields.number("rope_theta", default: defaultTheta, in: Self.thetaRange)
        guard theta == nil || theta == own else {
          throw fields.invalid("rope_theta", rule: "is \(own), but the file also says \(theta ?? own)")
        }
        theta = own
      }
      let own = try fields.scaling(context, outer: self)
      guard scaling == nil || scaling == own else {
        throw invalid(name, rule: "and rope_parameters describe different scalings")
      }
      scaling = own
    }
    try requireWholeRotation()
    return (theta ?? defaultTheta, scaling ?? .none)
  }

  /// This object, a `rope_parameters` or `rope_scaling`, as a scaling.
  private func scaling(_ context: RopeContext, outer: ConfigurationFields) throws -> RopeScaling {
    try requireWholeRotation()
    // One set of parameters per kind of block would be taken for an empty one.
    for name: ByteString in ["full_attention", "sliding_attention"] where self[name] != nil {
      throw unsupported(name, rule: "only one set of rotary positions for all blocks is implemented")
    }
    // `rope_type` was called `type` before transformers 4.43.
    let spelling: ByteString = self["rope_type"] == nil ? "type" : "rope_type"
    guard self[spelling] != nil else { return .none }
    let text = try text(spelling)
    guard let kind = context.aliases[text] ?? RopeKind(rawValue: text), context.kinds.contains(kind) else {
      let known = context.kinds.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
      throw unsupported(spelling, rule: "this family has \(known)")
    }
    switch kind {
    case .plain: return .none
    case .linear: return .linear(factor: try factor("factor"))
    case .llama3:
      let low = try factor("low_freq_factor")
      let high = try factor("high_freq_factor")
      guard high > low else {
        throw invalid("high_freq_factor", rule: "must be above low_freq_factor (\(low)), is \(high)")
      }
      return .llama3(
        RopeScaling.Llama3(
          factor: try factor("factor"), lowFrequencyFactor: low, highFrequencyFactor: high,
          originalPositions: try originalPositions(context, outer)))
    case .longrope:
      let original = try originalPositions(context, outer)
      let stretch =
        try self["factor"] == nil ? Double(context.maximumPositions) / Double(original) : factor("factor")
      guard original > 1 else {
        throw invalid("original_max_position_embeddings", rule: "must be above 1 for longrope")
      }
      let doublings = ElementaryFunctions.log(stretch) / ElementaryFunctions.log(Double(original))
      let natural = stretch <= 1 ? 1 : (1 + doublings).squareRoot()
      return .longRope(
        RopeScaling.LongRope(
          shortFactors: try factors("short_factor", count: context.headDimension / 2),
          longFactors: try factors("long_factor", count: context.headDimension / 2), originalPositions: original,
          attentionFactor: try self["attention_factor"] == nil ? natural : factor("attention_factor")))
    }
  }

  /// A number above 0 that must be there.
  private func factor(_ name: ByteString) throws -> Double {
    guard self[name] != nil else { throw invalid(name, rule: "is missing") }
    return try number(name, default: 1, in: Self.factorRange)
  }

  private func factors(_ name: ByteString, count: Int) throws -> [Double] {
    guard let elements = self[name]?.array else { throw invalid(name, rule: "must be an array of numbers") }
    guard elements.count == count else {
      throw invalid(name, rule: "must have \(count) elements, half of a head's width, has \(elements.count)")
    }
    return try elements.map { element in
      guard let value = element.double, Self.factorRange.contains(value) else {
        throw invalid(name, rule: "contains \(element.summary), not a number above 0")
      }
      return value
    }
  }

  /// As transformers 5: the field beside goes before the one inside. Two that differ are refused, since which of them
  /// counts has changed over time.
  private func originalPositions(_ context: RopeContext, _ outer: ConfigurationFields) throws -> Int {
    let name: ByteString = "original_max_position_embeddings"
    let beside = outer[name] == nil ? context.originalPositions : try outer.count(name)
    guard self[name] != nil else { return beside ?? context.maximumPositions }
    let inside = try count(name)
    guard beside == nil || beside == inside else {
      throw invalid(name, rule: "is \(inside), but beside it \(name) is \(beside ?? inside)")
    }
    return inside
  }

  private func requireWholeRotation() throws {
    if let factor = self["partial_rotary_factor"], factor.double != 1 {
      throw unsupported("partial_rotary_factor", rule: "only 1 is implemented")
    }
  }
}
