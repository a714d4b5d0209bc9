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
  /// Source: llama.cpp, `gguf-py/gguf/tensor_mapping.py`.
  ///
  /// - Parameters:
  ///   - path: the layer's name behind its block: `self_attn.q_proj`.
  ///   - block: the block's index in the file.
  public static func tensor(path: String, block: Int) -> String? {
    stems[path].map { "blk.\(block).\($0).weight" }
  }

  private static let stems = [
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.qkv_proj": "attn_qkv", "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.gate_up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
  ]
}
