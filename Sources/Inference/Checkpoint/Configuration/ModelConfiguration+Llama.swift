extension ModelConfiguration {
  /// The Llama family: transformers' `LlamaConfig`, whose defaults apply to absent fields.
  static func llama(_ fields: ConfigurationFields) throws -> ModelConfiguration {
    try fields.requireArchitecture("LlamaForCausalLM")
    try fields.require("hidden_act", "silu")
    try fields.requireFalse("attention_bias")
    try fields.requireFalse("mlp_bias")
    try fields.requireFullAttention()
    // pretraining_tp only splits the same products into slices; it changes no result beyond rounding.

    let hiddenSize = try fields.count("hidden_size")
    let headCount = try fields.count("num_attention_heads")
    let keyValueHeadCount = try fields.count("num_key_value_heads", default: headCount)
    guard headCount % keyValueHeadCount == 0 else {
      throw fields.invalid("num_key_value_heads", rule: "must divide num_attention_heads (\(headCount))")
    }
    if fields["head_dim"] == nil, hiddenSize % headCount != 0 {
      throw fields.invalid("num_attention_heads", rule: "must divide hidden_size (\(hiddenSize)) without a head_dim")
    }
    let headDimension = try fields.count("head_dim", default: hiddenSize / headCount)
    guard headDimension % 2 == 0 else {
      throw fields.invalid("head_dim", rule: "must be even for rotary positions, is \(headDimension)")
    }

    return ModelConfiguration(
      architecture: .llama, hiddenSize: hiddenSize, intermediateSize: try fields.count("intermediate_size"),
      blockCount: try fields.count("num_hidden_layers"), headCount: headCount, keyValueHeadCount: keyValueHeadCount,
      headDimension: headDimension, vocabularySize: try fields.count("vocab_size"),
      maximumPositions: try fields.count("max_position_embeddings", default: 2048),
      normEpsilon: try fields.number("rms_norm_eps", default: 1e-6, in: 0...1),
      ropeTheta: try fields.plainRopeTheta(), tiedEmbeddings: try fields.flag("tie_word_embeddings"))
  }
}
