import Inference

/// A text for llama-quantize's `tensor-type-file`: one `PATTERN=TYPE` per line, white space between them.
///
/// Source: llama.cpp, `tools/quantize`: patterns are regular expressions that are looked for in the names of tensors, in small
/// letters. They are bound at both ends here, for `blk.1.` would also be found in `blk.11.`.
public struct TensorTypeList: Equatable, Sendable {
  /// One line.
  public struct Entry: Equatable, Sendable {
    /// Name in a GGUF file: `blk.3.attn_q.weight`.
    public var tensor: String
    /// Its type.
    public var type: GGUFType

    /// Creates the type of a tensor.
    public init(tensor: String, type: GGUFType) {
      self.tensor = tensor
      self.type = type
    }
  }

  /// In the order of the lines.
  public var entries: [Entry]

  /// From entries.
  public init(entries: [Entry]) { self.entries = entries }

  /// Every line ended.
  public var text: String {
    entries.map { "^\($0.tensor.split(separator: ".").joined(separator: "\\."))$=\($0.type.name)\n" }.joined()
  }

  /// The name of a compressible layer's weight in GGUF files; nil: llama.cpp has no such layer.
  ///
  /// - Parameters:
  ///   - path: the layer's name behind its block: `self_attn.q_proj`.
  ///   - block: the block's index in the file.
  public static func tensor(path: String, block: Int) -> String? {
    GGUFNames.stem(ofLayer: path).map { "blk.\(block).\($0).weight" }
  }
}
