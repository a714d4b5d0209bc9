/// How a family's checkpoints name their tensors. Everything else knows only the canonical names: those of transformers' class
/// for text generation (`LlamaForCausalLM`).
///
/// Transformers loads two other spellings into that class, and so does evodb:
/// - without the prefix `model.`, as the base class (`LlamaModel`) saves them;
/// - of a model whose head is its embedding, the head alone (transformers 5, `PreTrainedModel.tie_weights`).
struct TensorNames: Sendable {
  /// The head in every family.
  static let head: ByteString = "lm_head.weight"
  /// The prefix that transformers gives the base model inside the class for text generation, in every family.
  private static let basePrefix = Array("model.".utf8)

  /// The first parts of names inside the base model.
  var baseMembers: [ByteString]
  /// The canonical name of the embedding.
  var embedding: ByteString

  /// Llama's names, which most families took over.
  static let llama = TensorNames(
    baseMembers: ["embed_tokens", "layers", "norm", "rotary_emb"], embedding: "model.embed_tokens.weight")

  /// The canonical name of a tensor of a file.
  func canonical(_ name: ByteString) -> ByteString {
    let first = ByteString(Array(name.bytes.prefix { $0 != UInt8(ascii: ".") }))
    guard first.bytes.count < name.bytes.count, baseMembers.contains(first) else { return name }
    return ByteString(Self.basePrefix + name.bytes)
  }

  /// Whether a tensor that the computation does not read is no sign of another model: buffers that earlier versions of
  /// transformers saved and that follow from the configuration (transformers' `_keys_to_ignore_on_load_unexpected` of today
  /// and of earlier versions, and `_adjust_missing_and_unexpected_keys`).
  static func isLeftover(_ tensor: TensorDescription) -> Bool {
    let name = tensor.name
    // Rotary tables, of each block or of the model.
    if ["inv_freq", "original_inv_freq", "cos_cached", "sin_cached"].contains(where: {
      isTail("rotary_emb.\($0)", of: name)
    }) {
      return true
    }
    if isTail("position_ids", of: name) || isTail("decoder.version", of: name) { return true }
    // Causal masks, which are no biases: [1, 1, positions, positions], and the value they put in.
    if isTail("masked_bias", of: name) { return tensor.shape.count <= 1 }
    guard ["attn.bias", "self_attn.bias", "attention.bias"].contains(where: { isTail($0, of: name) }) else {
      return false
    }
    return tensor.shape.count == 4 && tensor.shape[0] == 1 && tensor.shape[1] == 1 && tensor.shape[2] == tensor.shape[3]
  }

  private static func isTail(_ tail: String, of name: String) -> Bool { name == tail || name.hasSuffix("." + tail) }
}
