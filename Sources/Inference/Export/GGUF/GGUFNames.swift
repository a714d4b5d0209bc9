/// llama.cpp's names of model families and of the weight matrices in a block.
///
/// Source: llama.cpp, `src/llama-arch.cpp` and `gguf-py/gguf/tensor_mapping.py`.
package enum GGUFNames {
  /// The families that evodb runs and llama.cpp has, with its names for them.
  package static let architectures = [
    "llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "phi3": "phi3", "gemma2": "gemma2",
  ]

  /// The families, for sentences.
  package static let families = "llama, mistral, qwen2, qwen3, phi3 and gemma2"

  /// The name of a layer's matrix behind its block, `attn_q`; nil: llama.cpp has no such layer.
  ///
  /// - Parameter path: the layer's name behind its block: `self_attn.q_proj`.
  package static func stem(ofLayer path: String) -> String? { stems[path] }

  /// The names behind a block, `self_attn.q_proj`, of a matrix that is called `attn_q` there; several if families differ.
  package static func layers(ofStem stem: String) -> [String] { stems.filter { $0.value == stem }.keys.sorted() }

  private static let stems = [
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.qkv_proj": "attn_qkv", "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.gate_up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
  ]
}
