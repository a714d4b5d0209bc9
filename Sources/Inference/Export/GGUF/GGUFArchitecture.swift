/// A family of models as llama.cpp has it: its name there, its tensors, and what its graph computes.
///
/// Source: llama.cpp, `src/models`, `conversion` and `gguf-py/gguf/tensor_mapping.py`.
struct GGUFArchitecture: Sendable {
  /// A tensor that every file of the architecture has.
  struct Tensor: Equatable, Sendable {
    /// How the elements are changed on the way into the file.
    enum Kind: Equatable, Sendable {
      /// A matrix of a compressible layer, by its name (`model.layers.0.mlp.up_proj`).
      case layer(String)
      /// The embedding.
      case embedding
      /// The output projection, where it is not the embedding.
      case head
      /// A norm; its weights are 1 + what the checkpoint stores, or are as they are stored.
      case norm(addsOne: Bool)
      /// A bias of a compressible layer, by its name.
      case bias(String)
    }

    /// Name in the checkpoint.
    var source: String
    /// Name in the file, for the block's old index; see `GGUFArchitecture.name(of:block:)`.
    var stem: String
    /// The block, by its old index; nil: none.
    var block: Int?
    /// Dimensions, outermost first.
    var shape: [Int]
    /// What it is.
    var kind: Kind
    /// The order of the rows, if it is not that of the checkpoint.
    var rowOrder: RotaryRowOrder?

    /// The name in a file where the block has another index.
    func name(block place: Int?) -> ByteString { ByteString(place.map { "blk.\($0).\(stem)" } ?? stem) }
  }

  /// The name in `general.architecture`, which also begins the keys.
  let name: String
  let configuration: ModelConfiguration

  /// The architecture of a configuration.
  ///
  /// - Throws: `InferenceError.impossible` if llama.cpp computes nothing that would be this model.
  init(_ configuration: ModelConfiguration) throws {
    let c = configuration
    self.configuration = c
    guard let name = GGUFNames.architectures[c.architecture.rawValue] else {
      throw Self.impossible(
        "llama.cpp has no model of the family \(c.architecture.rawValue); it has \(GGUFNames.families) of those that evodb "
          + "runs")
    }
    self.name = name
    if ["qwen2", "phi3"].contains(name), c.attentionWidth != c.hiddenSize {
      throw Self.impossible(
        "llama.cpp's \(name) needs heads that are together as wide as the stream: \(c.headCount) × \(c.headDimension) is "
          + "not \(c.hiddenSize)")
    }
    if name != "llama", c.attentionOutputBias || c.mlpBias {
      throw Self.impossible("llama.cpp's \(name) has no biases behind the attention and in the MLP")
    }
    if name == "gemma2", !c.tiedEmbeddings {
      throw Self.impossible("llama.cpp's gemma2 has no output projection other than the embedding")
    }
    let isSupported =
      switch c.ropeScaling {
      case .none: true
      case .linear: name != "phi3"
      case .llama3: name == "llama"
      case .longRope: ["llama", "phi3"].contains(name)
      }
    guard isSupported else {
      throw Self.impossible("llama.cpp's \(name) does not read this kind of rope scaling: \(c.ropeScaling)")
    }
  }

  static func impossible(_ detail: String) -> InferenceError { .impossible(detail: detail) }

  // MARK: Tensors

  /// All tensors with weights of the checkpoint, in the order of the file.
  var tensors: [Tensor] {
    let c = configuration
    var tensors = [
      Tensor(
        source: "model.embed_tokens.weight", stem: "token_embd.weight", shape: [c.vocabularySize, c.hiddenSize],
        kind: .embedding)
    ]
    for block in 0..<c.blockCount { tensors += self.tensors(ofBlock: block) }
    tensors.append(
      Tensor(
        source: "model.norm.weight", stem: "output_norm.weight", shape: [c.hiddenSize],
        kind: .norm(addsOne: name == "gemma2")))
    if !c.tiedEmbeddings {
      tensors.append(
        Tensor(
          source: "lm_head.weight", stem: "output.weight", shape: [c.vocabularySize, c.hiddenSize], kind: .head))
    }
    return tensors
  }

  private func tensors(ofBlock block: Int) -> [Tensor] {
    let c = configuration
    let prefix = "model.layers.\(block)."
    func norm(_ source: String, _ stem: String, width: Int? = nil) -> Tensor {
      Tensor(
        source: prefix + source + ".weight", stem: stem + ".weight", block: block, shape: [width ?? c.hiddenSize],
        kind: .norm(addsOne: name == "gemma2"))
    }
    func layer(_ source: String, _ rows: Int, _ columns: Int, hasBias: Bool = false, heads: Int? = nil) -> [Tensor] {
      guard let stem = GGUFNames.stem(ofLayer: source) else { preconditionFailure("the layer has a name in llama.cpp") }
      let order = heads.map { RotaryRowOrder(headCount: $0, headDimension: c.headDimension) }
      let layer = prefix + source
      var tensors = [
        Tensor(
          source: layer + ".weight", stem: stem + ".weight", block: block, shape: [rows, columns],
          kind: .layer(layer), rowOrder: order)
      ]
      if hasBias {
        tensors.append(
          Tensor(
            source: layer + ".bias", stem: stem + ".bias", block: block, shape: [rows], kind: .bias(layer),
            rowOrder: order))
      }
      return tensors
    }
    var tensors = [norm("input_layernorm", "attn_norm")]
    // llama.cpp turns neighbouring elements of a head for "llama", the two halves of a head for all others.
    let isPermuted = name == "llama"
    if name == "phi3" {
      tensors += layer("self_attn.qkv_proj", c.attentionWidth + 2 * c.keyValueWidth, c.hiddenSize)
    } else {
      let bias = c.attentionInputBias
      tensors += layer(
        "self_attn.q_proj", c.attentionWidth, c.hiddenSize, hasBias: bias,
        heads: isPermuted ? c.headCount : nil)
      tensors += layer(
        "self_attn.k_proj", c.keyValueWidth, c.hiddenSize, hasBias: bias,
        heads: isPermuted ? c.keyValueHeadCount : nil)
      tensors += layer("self_attn.v_proj", c.keyValueWidth, c.hiddenSize, hasBias: bias)
    }
    if c.queryKeyNorm {
      tensors.append(norm("self_attn.q_norm", "attn_q_norm", width: c.headDimension))
      tensors.append(norm("self_attn.k_norm", "attn_k_norm", width: c.headDimension))
    }
    tensors += layer(
      "self_attn.o_proj", c.hiddenSize, c.attentionWidth, hasBias: c.attentionOutputBias)
    if name == "gemma2" {
      tensors.append(norm("post_attention_layernorm", "post_attention_norm"))
      tensors.append(norm("pre_feedforward_layernorm", "ffn_norm"))
    } else {
      tensors.append(norm("post_attention_layernorm", "ffn_norm"))
    }
    if name == "phi3" {
      tensors += layer("mlp.gate_up_proj", 2 * c.intermediateSize, c.hiddenSize)
    } else {
      tensors += layer("mlp.gate_proj", c.intermediateSize, c.hiddenSize, hasBias: c.mlpBias)
      tensors += layer("mlp.up_proj", c.intermediateSize, c.hiddenSize, hasBias: c.mlpBias)
    }
    tensors += layer("mlp.down_proj", c.hiddenSize, c.intermediateSize, hasBias: c.mlpBias)
    if name == "gemma2" { tensors.append(norm("post_feedforward_layernorm", "post_ffw_norm")) }
    return tensors
  }
}
