/// The `config.json` of an exported folder.
enum ExportConfiguration {
  /// The text for a model of which only some blocks are left: their number, and what each of them is where they differ.
  ///
  /// With all blocks left and nothing widened it is the text as it was. Otherwise members keep their order and spelling;
  /// `num_hidden_layers` is replaced, `layer_types` cut to what is left, and added where the family would else go by the
  /// position of a block, which has changed (Gemma 2, Qwen; read by transformers from 4.53).
  ///
  /// - Parameters:
  ///   - json: the text of the checkpoint's file.
  ///   - keptBlocks: old indices of the blocks that stay.
  ///   - isWidened: whether some weights are float32 now, to which transformers must then load all.
  ///   - quantization: the value of `quantization_config`; nil: there is none.
  /// - Throws: `InferenceError.invalidData` if the text does not parse; `.unsupported` if the new text would not mean the
  ///   blocks that are left.
  static func text(
    json: [UInt8], file: String, configuration: ModelConfiguration, keptBlocks: [Int], isWidened: Bool = false,
    quantization: StrictJSON? = nil
  ) throws -> [UInt8] {
    let isCut = keptBlocks.count < configuration.blockCount
    guard isCut || isWidened || quantization != nil else { return json }
    guard case .object(let object) = try StrictJSON.parse(json, file: file) else {
      throw InferenceError.invalidData(file: file, detail: "is not a JSON object")
    }
    var members = object.members.map { ($0.key, $0.value) }
    func set(_ key: ByteString, _ value: StrictJSON) {
      if let place = members.firstIndex(where: { $0.0 == key }) {
        members[place].1 = value
      } else {
        members.append((key, value))
      }
    }
    // transformers 5 writes `dtype`, earlier ones `torch_dtype`; both are read.
    if isWidened { set(object["dtype"] == nil ? "torch_dtype" : "dtype", .string("float32")) }
    func quantizedText() -> [UInt8] {
      if let quantization { set("quantization_config", quantization) }
      return StrictJSON.members(members).text
    }
    guard isCut else { return quantizedText() }
    set("num_hidden_layers", .integer(Int64(keptBlocks.count)))
    let windows = configuration.attentionWindows
    if case .array(let types)? = object["layer_types"] {
      guard types.count == configuration.blockCount else {
        throw InferenceError.invalidData(
          file: file, detail: "layer_types has \(types.count) elements for \(configuration.blockCount) blocks")
      }
      set("layer_types", .array(keptBlocks.map { types[$0] }))
    } else if windows.contains(where: { $0 == nil }), windows.contains(where: { $0 != nil }) {
      set(
        "layer_types", .array(keptBlocks.map { .string(windows[$0] == nil ? "full_attention" : "sliding_attention") }))
    }
    // The families' rules are many; what they read back decides whether the text is right. They take no quantized models.
    let read = try ModelConfiguration(json: StrictJSON.members(members).text, file: file)
    guard read.blockCount == keptBlocks.count,
      read.attentionWindows == (windows.isEmpty ? [] : keptBlocks.map { windows[$0] })
    else {
      throw InferenceError.unsupported(
        file: file, detail: "removing blocks of this configuration; keep a half of every block instead")
    }
    return quantizedText()
  }
}
