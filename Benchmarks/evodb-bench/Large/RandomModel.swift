import Foundation

/// The sizes of a Llama.
struct ModelShape {
  /// In words: `135 million`.
  let parameters: String
  let blockCount: Int
  let hiddenSize: Int
  let intermediateSize: Int
  let headCount: Int
  let keyValueHeadCount: Int
  let vocabularySize: Int
  let sequenceLength: Int
  let isTied: Bool

  /// TinyLlama's (Zhang et al. 2024).
  static let large = ModelShape(
    parameters: "1.1 billion", blockCount: 22, hiddenSize: 2048, intermediateSize: 5632, headCount: 32,
    keyValueHeadCount: 4, vocabularySize: 32000, sequenceLength: 2048, isTied: false)
  /// SmolLM2's smallest (Allal et al. 2025).
  static let small = ModelShape(
    parameters: "135 million", blockCount: 30, hiddenSize: 576, intermediateSize: 1536, headCount: 9,
    keyValueHeadCount: 3, vocabularySize: 49152, sequenceLength: 2048, isTied: true)

  /// Weights, norms not counted.
  var parameterCount: Int {
    let block = hiddenSize * (2 * hiddenSize + 2 * keyValueWidth + 3 * intermediateSize)
    return blockCount * block + (isTied ? 1 : 2) * vocabularySize * hiddenSize
  }

  var keyValueWidth: Int { hiddenSize / headCount * keyValueHeadCount }

  /// Token ids drawn from the vocabulary.
  func tokenIDs(count: Int, seed: UInt64) -> [Int32] {
    var state = seed
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int32(state >> 33) % Int32(vocabularySize)
    }
  }
}

/// A Llama of random weights in bfloat16 as a folder on disk.
struct RandomModel {
  let shape: ModelShape
  let folder: URL

  /// Bytes of `model.safetensors`.
  var weightByteCount: Int {
    let attributes = try? FileManager.default.attributesOfItem(
      atPath: folder.appendingPathComponent("model.safetensors").path)
    return (attributes?[.size] as? NSNumber)?.intValue ?? 0
  }

  /// Writes the folder, unless a complete one is there.
  init(_ shape: ModelShape, in folder: URL) throws {
    self.shape = shape
    self.folder = folder
    let file = folder.appendingPathComponent("model.safetensors")
    guard !FileManager.default.fileExists(atPath: file.path) else { return }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try configuration.write(to: folder.appendingPathComponent("config.json"), atomically: true, encoding: .utf8)
    let part = folder.appendingPathComponent("model.safetensors.part")
    try writeWeights(to: part)
    try FileManager.default.moveItem(at: part, to: file)
  }

  private var configuration: String {
    """
    {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": \(shape.hiddenSize),
    "intermediate_size": \(shape.intermediateSize), "num_hidden_layers": \(shape.blockCount), "num_attention_heads": \(shape.headCount),
    "num_key_value_heads": \(shape.keyValueHeadCount), "vocab_size": \(shape.vocabularySize), "max_position_embeddings": \(shape.sequenceLength),
    "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": \(shape.isTied),
    "torch_dtype": "bfloat16", "bos_token_id": 1, "eos_token_id": 2}

    """
  }

  private var tensors: [(name: String, shape: [Int])] {
    var tensors: [(String, [Int])] = [("model.embed_tokens.weight", [shape.vocabularySize, shape.hiddenSize])]
    for block in 0..<shape.blockCount {
      let prefix = "model.layers.\(block)."
      tensors += [
        ("input_layernorm.weight", [shape.hiddenSize]),
        ("self_attn.q_proj.weight", [shape.hiddenSize, shape.hiddenSize]),
        ("self_attn.k_proj.weight", [shape.keyValueWidth, shape.hiddenSize]),
        ("self_attn.v_proj.weight", [shape.keyValueWidth, shape.hiddenSize]),
        ("self_attn.o_proj.weight", [shape.hiddenSize, shape.hiddenSize]),
        ("post_attention_layernorm.weight", [shape.hiddenSize]),
        ("mlp.gate_proj.weight", [shape.intermediateSize, shape.hiddenSize]),
        ("mlp.up_proj.weight", [shape.intermediateSize, shape.hiddenSize]),
        ("mlp.down_proj.weight", [shape.hiddenSize, shape.intermediateSize]),
      ].map { (prefix + $0.0, $0.1) }
    }
    tensors.append(("model.norm.weight", [shape.hiddenSize]))
    if !shape.isTied { tensors.append(("lm_head.weight", [shape.vocabularySize, shape.hiddenSize])) }
    return tensors
  }

  private func writeWeights(to url: URL) throws {
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
          for index in 0..<count { buffer[index] = isNorm ? 0x3F80 : Self.word(&state) }
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
