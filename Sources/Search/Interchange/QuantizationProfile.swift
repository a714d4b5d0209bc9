/// A quantization profile of EvoPress: one line per layer, `model.layers.0.mlp.down_proj: 3`; gptq-gguf-toolkit appends a
/// file name in parentheses.
public struct QuantizationProfile: Equatable, Sendable {
  /// Bits by layer name.
  public var bits: [String: Double]

  /// Parses the text of a profile; lines may end as on any system.
  ///
  /// - Throws: `SearchError.invalidProfile` naming the line.
  public init(_ text: String) throws {
    bits = [:]
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      let line = line.drop { $0.isWhitespace }
      if line.isEmpty { continue }
      let parts = line.split(separator: ":", maxSplits: 1)
      let value = parts.count == 2 ? parts[1].split(whereSeparator: \.isWhitespace).first : nil
      let name = parts.first?.split(whereSeparator: \.isWhitespace).first
      guard let name, let value, let number = Double(value), number > 0, number.isFinite else {
        throw SearchError.invalidProfile(
          detail: "profile line \(index + 1): expected 'layer: bits', found '\(line.prefix(60))'")
      }
      guard bits.updateValue(number, forKey: String(name)) == nil else {
        throw SearchError.invalidProfile(detail: "profile line \(index + 1): \(name) stands there twice")
      }
    }
    guard !bits.isEmpty else { throw SearchError.invalidProfile(detail: "the profile is empty") }
  }
}
