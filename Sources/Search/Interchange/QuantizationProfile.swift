/// A quantization profile of EvoPress: one line per layer, `model.layers.0.mlp.down_proj: 3`; gptq-gguf-toolkit appends the
/// file of the level, `model.layers.0.self_attn.q_proj: 2.5625 (2.5625-Q2_K.pth)`, and its stitcher reads names of GGUF files.
///
/// Source: EvoPress, `evo_quant_search.py`, which writes the layers by mutation group and not in the model's order.
public struct QuantizationProfile: Equatable, Sendable {
  /// One line.
  public struct Entry: Equatable, Sendable {
    /// The layer's Hugging Face name.
    public var layer: String
    /// Bits per weight, above 0.
    public var bits: Double
    /// The level's file in the extended form.
    public var file: String?

    /// The level that the file names; nil: none.
    var level: ToolkitLevel? { file.flatMap { ToolkitLevel(file: $0) } }

    /// Creates the bits of a layer.
    public init(layer: String, bits: Double, file: String? = nil) {
      self.layer = layer
      self.bits = bits
      self.file = file
    }
  }

  /// In the order of the lines.
  public var entries: [Entry]

  /// Bits by layer name.
  public var bits: [String: Double] {
    Dictionary(entries.map { ($0.layer, $0.bits) }, uniquingKeysWith: { first, _ in first })
  }

  /// From entries.
  public init(entries: [Entry]) { self.entries = entries }

  /// Parses the text of a profile; lines may end as on any system.
  ///
  /// - Throws: `SearchError.invalidProfile` naming the line.
  public init(_ text: String) throws {
    entries = try ProfileText.entries(text).map { entry in
      guard let bits = Double(entry.value), bits > 0, bits.isFinite else {
        throw SearchError.invalidProfile(
          detail:
            "profile line \(entry.number): expected 'layer: bits' with bits above 0, found '\(entry.value.prefix(60))'")
      }
      return Entry(layer: entry.name, bits: bits, file: entry.remark)
    }
  }

  /// The canonical text: whole numbers without a point, every line ended.
  public var text: String {
    entries.map { entry in
      let bits = Int(exactly: entry.bits).map { String($0) } ?? String(entry.bits)
      return "\(entry.layer): \(bits)\(entry.file.map { " (\($0))" } ?? "")\n"
    }.joined()
  }
}
