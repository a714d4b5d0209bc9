/// The Qwen2 and Qwen2.5 family: Llama's layers with biases on queries, keys and values (transformers'
/// `modeling_qwen2.py`).
enum Qwen2: ModelFamily {
  static let modelType: ByteString = "qwen2"
  static let revision = 1

  static func configuration(_ fields: ConfigurationFields) throws -> ModelConfiguration {
    try fields.requireArchitecture("Qwen2ForCausalLM")
    try fields.refuseForeignCode()
    try fields.require("hidden_act", "silu")
    // Biases are part of the family: the field says nothing that transformers would read.
    try fields.requireFalse("mlp_bias")
    var configuration = try fields.decoder(
      architecture,
      ConfigurationFields.DecoderDefaults(
        keyValueHeadCount: 32, maximumPositions: 32768, normEpsilon: 1e-6))
    configuration.attentionInputBias = true
    configuration.attentionWindows = try windows(fields, blockCount: configuration.blockCount)
    return configuration
  }

  static func open(_ checkpoint: Checkpoint, _ settings: ForwardSettings) throws -> any LanguageModel {
    try Llama(checkpoint, settings)
  }

  /// Both generations of Qwen slide only if told to, and then from block `max_window_layers` on.
  static func windows(_ fields: ConfigurationFields, blockCount: Int) throws -> [Int?] {
    let window =
      try !fields.flag("use_sliding_window")
      ? nil : fields.isAbsent("sliding_window") ? 4096 : fields.window()
    // 0 is legal here: all blocks slide.
    let first = try fields.number("max_window_layers", default: 28, in: 0...Double(Int32.max))
    return try fields.windows(window, blockCount: blockCount) { Double($0) >= first }
  }
}
