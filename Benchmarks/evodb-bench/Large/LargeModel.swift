import Foundation

/// A Llama of 1.1 billion random weights in bfloat16, the shape of TinyLlama (Zhang et al. 2024), as a folder on disk.
struct LargeModel {
  static let blockCount = 22
  static let hiddenSize = 2048
  static let intermediateSize = 5632
  static let keyValueWidth = 256
  static let vocabularySize = 32000
  static let sequenceLength = 2048

  let folder: URL

  /// Bytes of `model.safetensors`.
  var weightByteCount: Int {
    let attributes = try? FileManager.default.attributesOfItem(
      atPath: folder.appendingPathComponent("model.safetensors").path)
    return (attributes?[.size] as? NSNumber)?.intValue ?? 0
  }

  /// Writes the folder, unless a complete one is there.
  init(in folder: URL) throws {
    self.folder = folder
    let file = folder.appendingPathComponent("model.safetensors")
    guard !FileManager.default.fileExists(atPath: file.path) else { return }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Self.configuration.write(to: folder.appendingPathComponent("config.json"), atomically: true, encoding: .utf8)
    let part = folder.appendingPathComponent("model.safetensors.part")
    try Self.writeWeights(to: part)
    try FileManager.default.moveItem(at: part, to: file)
  }

  private static let configuration = """
    {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": \(hiddenSize),
    "intermediate_size": \(intermediateSize), "num_hidden_layers": \(blockCount), "num_attention_heads": 32,
    "num_key_value_heads": 4, "vocab_size": \(vocabularySize), "max_position_embeddings": \(sequenceLength),
    "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": false,
    "torch_dtype": "bfloat16", "bos_token_id": 1, "eos_token_id": 2}

    """

  private static var tensors: [(name: String, shape: [Int])] {
    var tensors: [(String, [Int])] = [("model.embed_tokens.weight", [vocabularySize, hiddenSize])]
    for block in 0..<blockCount {
      let prefix = "model.layers.\(block)."
      tensors += [
        ("input_layernorm.weight", [hiddenSize]), ("self_attn.q_proj.weight", [hiddenSize, hiddenSize]),
        ("self_attn.k_proj.weight", [keyValueWidth, hiddenSize]),
        ("self_attn.v_proj.weight", [keyValueWidth, hiddenSize]),
        ("self_attn.o_proj.weight", [hiddenSize, hiddenSize]), ("post_attention_layernorm.weight", [hiddenSize]),
        ("mlp.gate_proj.weight", [intermediateSize, hiddenSize]),
        ("mlp.up_proj.weight", [intermediateSize, hiddenSize]),
        ("mlp.down_proj.weight", [hiddenSize, intermediateSize]),
      ].map { (prefix + $0.0, $0.1) }
    }
    return tensors + [("model.norm.weight", [hiddenSize]), ("lm_head.weight", [vocabularySize, hiddenSize])]
  }

  private static func writeWeights(to url: URL) throws {
    var entries: [String] = []
    var offset = 0
    for (name, shape) in tensors {
      let end = offset + shape.reduce(1, *) * 2
      entries.append(#""\#(name)":{"dtype":"BF16","shape":\#(shape),"data_offsets":[\#(offset),\#(end)]}"#)
      offset = end
    }
    let header = Data("{\(entries.joined(separator: ","))}".utf8)
    _ = FileManager.default.createFile(atPath: url.path, contents: nil)
    let file = try FileHandle(forWritingTo: url)
    try file.write(contentsOf: withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) } + header)
    var state: UInt64 = 1
    for (_, shape) in tensors {
      var left = shape.reduce(1, *)
      // Norms are ones; everything else is nearly normal with the deviation that training usually starts from.
      let isNorm = shape.count == 1
      while left > 0 {
        let count = min(left, 1 << 20)
        let words = [UInt16](unsafeUninitializedCapacity: count) { buffer, initialized in
          for index in 0..<count { buffer[index] = isNorm ? 0x3F80 : word(&state) }
          initialized = count
        }
        try file.write(contentsOf: words.withUnsafeBytes { Data($0) })
        left -= count
      }
    }
    try file.close()
  }

  /// The bfloat16 word of a random weight.
  private static func word(_ state: inout UInt64) -> UInt16 {
    // Knuth's linear congruential generator (MMIX); the sum of four bytes of its upper half is nearly normal.
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    let high = state >> 32
    let sum = (high & 0xFF) + (high >> 8 & 0xFF) + (high >> 16 & 0xFF) + (high >> 24 & 0xFF)
    let value = (Float(sum) - 510) * (0.02 / 147.8)
    return UInt16(truncatingIfNeeded: value.bitPattern >> 16).littleEndian
  }
}
