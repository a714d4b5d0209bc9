/// The Mistral family: Llama's layers with a sliding window over all blocks (transformers' `modeling_mistral.py`; Jiang et
/// al. 2023, section 2).
enum Mistral: ModelFamily {
  static let modelType: ByteString = "mistral"
  static let revision = 1

  static func configuration(_ fields: ConfigurationFields) throws -> ModelConfiguration {
    try fields.requireArchitecture("MistralForCausalLM")
    try fields.refuseForeignCode()
    try fields.require("hidden_act", "silu")
    try fields.requireFalse("attention_bias")
    try fields.requireFalse("mlp_bias")
    var configuration = try fields.decoder(
      architecture,
      ConfigurationFields.DecoderDefaults(keyValueHeadCount: 8, maximumPositions: 4096 * 32, normEpsilon: 1e-6))
    let window = try fields.uniformWindow(absent: 4096)
    configuration.attentionWindows = Array(repeating: window, count: configuration.blockCount)
    return configuration
  }

  static func open(_ checkpoint: Checkpoint, _ settings: ForwardSettings) throws -> any LanguageModel {
    try Llama(checkpoint, settings)
  }
}
