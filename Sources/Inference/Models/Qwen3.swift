/// The Qwen3 family: Llama's layers with a norm on each query and key head (transformers' `modeling_qwen3.py`).
enum Qwen3: ModelFamily {
  static let modelType: ByteString = "qwen3"
  static let revision = 1

  static func configuration(_ fields: ConfigurationFields) throws -> ModelConfiguration {
    try fields.requireArchitecture("Qwen3ForCausalLM")
    try fields.refuseForeignCode()
    try fields.require("hidden_act", "silu")
    try fields.requireFalse("mlp_bias")
    var configuration = try fields.decoder(
      architecture,
      ConfigurationFields.DecoderDefaults(
        keyValueHeadCount: 32, headDimension: 128, maximumPositions: 32768, normEpsilon: 1e-6))
    configuration.queryKeyNorm = true
    configuration.attentionInputBias = try fields.flag("attention_bias")
    configuration.attentionOutputBias = configuration.attentionInputBias
    configuration.attentionWindows = try Qwen2.windows(fields, blockCount: configuration.blockCount)
    return configuration
  }

  static func open(_ checkpoint: Checkpoint, _ settings: ForwardSettings) throws -> any LanguageModel {
    try Llama(checkpoint, settings)
  }
}
