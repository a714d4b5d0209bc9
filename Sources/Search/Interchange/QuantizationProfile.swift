/// A quantization profile of EvoPress: one line per layer, `model.layers.0.mlp.down_proj: 3`; gptq-gguf-toolkit appends a
/// file name in parentheses.
public struct QuantizationProfile: Equatable, Sendable {
  /// Bits by layer name.
  public var bits: [String: Double]

  /// Parses the text of a profile.
  ///
  /// - Throws: `SearchError.invalidParameter` naming the line.
  public init(_ text: String) throws {
    bits = [:]
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let line = line.drop { $0 == " " || $0 == "\t" }
      if line.allSatisfy({ $0.isWhitespace }) { continue }
      let parts = line.split(separator: ":", maxSplits: 1)
      let value = parts.count == 2 ? parts[1].split(whereSeparator: { $0.isWhitespace }).first : nil
      guard let value, let number = Double(value), number > 0, number.isFinite else {
        throw SearchError.invalidParameter(
          detail: "profile line \(number + 1): expected 'layer: bits', found '\(line.prefix(60))'")
      }
      let name = String(parts[0])
      guard bits.updateValue(number, forKey: name) == nil else {
        throw SearchError.invalidParameter(detail: "profile line \(number): \(name) stands there twice")
      }
    }
    guard !bits.isEmpty else { throw SearchError.invalidParameter(detail: "the profile is empty") }
  }
}
