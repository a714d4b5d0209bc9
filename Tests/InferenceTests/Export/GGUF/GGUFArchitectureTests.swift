import Foundation
import TestSupport
import Testing

@testable import Inference

/// Families in llama.cpp's words.
@Suite(.usualTimeLimit) struct GGUFArchitectureTests {
  private func configuration(_ model: String, _ changes: [String: Any] = [:]) throws -> ModelConfiguration {
    let url = Fixtures.url(model).appendingPathComponent("config.json")
    var object = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
    object.merge(changes) { $1 }
    return try ModelConfiguration(json: Array(JSONSerialization.data(withJSONObject: object)), file: "config.json")
  }

  private func fields(_ model: String) throws -> [ByteString: GGUFValue] {
    let fields = try GGUFArchitecture(configuration(model)).fields(blockCount: 3)
    return Dictionary(uniqueKeysWithValues: fields.map { ($0.key, $0.value) })
  }

  /// What llama.cpp's converter writes of every family, from the fixtures' configurations.
  @Test(arguments: [
    ("llama-gqa", "llama", 16), ("llama-tied-f16", "llama", 24), ("mistral-sliding-window", "llama", 16),
    ("qwen2-bias", "qwen2", 16), ("qwen3-qknorm", "qwen3", 24), ("phi3", "phi3", 16), ("gemma2", "gemma2", 16),
  ])
  func everyFamilyHasTheKeysOfTheConverter(model: String, name: String, headDimension: UInt32) throws {
    let found = try fields("golden/models/\(model)")
    let c = try configuration("golden/models/\(model)")
    let expected: [(String, GGUFValue)] = [
      ("vocab_size", .uint32(96)), ("context_length", .uint32(64)), ("embedding_length", .uint32(64)),
      ("block_count", .uint32(3)), ("feed_forward_length", .uint32(112)), ("attention.head_count", .uint32(4)),
      ("attention.head_count_kv", .uint32(2)), ("attention.key_length", .uint32(headDimension)),
      ("attention.value_length", .uint32(headDimension)), ("rope.dimension_count", .uint32(headDimension)),
      ("attention.layer_norm_rms_epsilon", .float32(Float(c.normEpsilon))),
      ("rope.freq_base", .float32(Float(c.ropeTheta))),
    ]
    for (key, value) in expected { #expect(found[ByteString("\(name).\(key)")] == value, "\(key)") }
  }

  @Test func familiesHaveKeysOfTheirOwn() throws {
    let gemma = try fields("golden/models/gemma2")
    #expect(gemma["gemma2.attention.sliding_window"] == .uint32(8))
    #expect(gemma["gemma2.attn_logit_softcapping"] == .float32(5))
    #expect(gemma["gemma2.final_logit_softcapping"] == .float32(3))
    let phi = try fields("golden/models/phi3")
    #expect(phi["phi3.attention.sliding_window"] != nil)
    let long = try fields("golden/models/phi3-longrope")
    #expect(long["phi3.rope.scaling.type"] == .string("longrope"))
    #expect(long["phi3.rope.scaling.original_context_length"] == .uint32(16))
    #expect(long["phi3.rope.scaling.attn_factor"] == .float32(Float(1.75.squareRoot())))
    let linear = try fields("families/llama-linear-biases")
    #expect(linear["llama.rope.scaling.type"] == .string("linear"))
    let plain = try fields("golden/models/llama-gqa")
    #expect(plain["llama.rope.scaling.type"] == nil && plain["llama.attention.sliding_window"] == nil)
  }

  @Test func ropeFactorsAreTensors() throws {
    let llama = try GGUFArchitecture(configuration("golden/models/llama3-rope-scaled"))
    let frequencies = try #require(llama.ropeTensors.first)
    #expect(frequencies.name == "rope_freqs.weight" && frequencies.values.count == 8)
    // What the frequencies of the forward pass are divided by.
    let c = try configuration("golden/models/llama3-rope-scaled")
    let plain = RotaryTable.frequencies(headDimension: c.headDimension, theta: c.ropeTheta)
    let scaled = RotaryPositions.scaled(plain, c.ropeScaling)
    for (index, factor) in frequencies.values.enumerated() {
      #expect(abs(plain[index] / scaled[index] / factor - 1) < 1e-6, "\(index)")
    }
    #expect(zip(frequencies.values, frequencies.values.dropFirst()).allSatisfy { $0 <= $1 })
    let phi = try GGUFArchitecture(configuration("golden/models/phi3-longrope")).ropeTensors
    #expect(phi.map(\.name) == ["rope_factors_long.weight", "rope_factors_short.weight"])
    #expect(phi.allSatisfy { $0.values.count == 8 })
  }

  @Test func tensorsHaveTheirNames() throws {
    let gemma = try GGUFArchitecture(configuration("golden/models/gemma2")).tensors
    func name(_ source: String) -> ByteString? { gemma.first { $0.source == source }?.name(block: 0) }
    #expect(name("model.layers.1.post_attention_layernorm.weight") == "blk.0.post_attention_norm.weight")
    #expect(name("model.layers.1.pre_feedforward_layernorm.weight") == "blk.0.ffn_norm.weight")
    #expect(name("model.layers.1.post_feedforward_layernorm.weight") == "blk.0.post_ffw_norm.weight")
    #expect(gemma.allSatisfy { if case .norm(let addsOne) = $0.kind { addsOne } else { true } })
    #expect(!gemma.contains { $0.source == "lm_head.weight" } && gemma.allSatisfy { $0.rowOrder == nil })
    let llama = try GGUFArchitecture(configuration("golden/models/llama-gqa")).tensors
    #expect(
      llama.filter { $0.rowOrder != nil }.map(\.stem)
        == Array(repeating: ["attn_q.weight", "attn_k.weight"], count: 3).flatMap { $0 })
    #expect(llama.last?.stem == "output.weight")
    let biased = try GGUFArchitecture(configuration("families/llama-linear-biases")).tensors
    #expect(biased.contains { $0.stem == "attn_k.bias" && $0.rowOrder?.headCount == 2 })
  }

  @Test(
    arguments: [
      ("golden/models/opt", [:], "no model of the family opt"),
      ("golden/models/gemma2", ["tie_word_embeddings": false], "no output projection other than the embedding"),
      ("families/gemma2-biases", [:], "no biases behind the attention"),
      ("families/qwen3-windows", [:], "no biases behind the attention"),
      ("golden/models/qwen2-bias", ["head_dim": 32], "4 × 32 is not 64"),
    ] as [(String, [String: any Sendable], String)])
  func whatLlamaCppDoesNotHaveIsRefused(model: String, changes: [String: any Sendable], detail: String) throws {
    let configuration = try configuration(model, changes)
    expectError(like: InferenceError.impossible(detail: detail)) { try GGUFArchitecture(configuration) }
  }

  @Test func ropeScalingsThatAFamilyDoesNotReadAreRefused() throws {
    var qwen = try configuration("golden/models/qwen2-bias")
    qwen.ropeScaling = try configuration("golden/models/llama3-rope-scaled").ropeScaling
    expectError(like: InferenceError.impossible(detail: "qwen2 does not read this kind of rope scaling")) {
      try GGUFArchitecture(qwen)
    }
    qwen.ropeScaling = .linear(factor: 2)
    #expect(try GGUFArchitecture(qwen).fields(blockCount: 1).contains { $0.key == "qwen2.rope.scaling.factor" })
  }

  // MARK: Blocks

  private func halves(_ blocks: [Int]) -> Set<Subblock> {
    Set(blocks.flatMap { [Subblock(blockIndex: $0, half: .attention), Subblock(blockIndex: $0, half: .mlp)] })
  }

  @Test func droppedBlocksAreLeftOut() throws {
    let llama = try GGUFArchitecture(configuration("golden/models/llama-gqa"))
    #expect(try llama.keptBlocks(dropping: halves([1])) == [0, 2])
    #expect(try llama.keptBlocks(dropping: [Subblock(blockIndex: 1, half: .mlp)]) == [0, 1, 2])
    expectError(like: InferenceError.impossible(detail: "drops all 3 blocks")) {
      try llama.keptBlocks(dropping: halves([0, 1, 2]))
    }
  }

  /// Windows are in blocks 0, 2, 4, … of Gemma 2 in llama.cpp.
  @Test func gemmaKeepsAsManyBlocksAsItsWindowsNeed() throws {
    func kept(_ dropped: [Int], blockCount: Int = 6, _ changes: [String: Any] = [:]) throws -> [Int] {
      var changes = changes
      changes["num_hidden_layers"] = blockCount
      changes["layer_types"] = (0..<blockCount).map { $0 % 2 == 0 ? "sliding_attention" : "full_attention" }
      return try GGUFArchitecture(configuration("golden/models/gemma2", changes)).keptBlocks(dropping: halves(dropped))
    }
    #expect(try kept([]) == [0, 1, 2, 3, 4, 5])
    #expect(try kept([2, 3]) == [0, 1, 4, 5])
    // Without block 2 the full ones 1 and 3 would be neighbours.
    #expect(try kept([2]) == [0, 1, 2, 3, 4, 5])
    #expect(try kept([0]) == [0, 1, 2, 3, 4, 5])
    #expect(try kept([0, 1, 2]) == [0, 3, 4, 5])
    #expect(try kept([5]) == [0, 1, 2, 3, 4])
    // A window as long as the context is none.
    #expect(try kept([2], ["sliding_window": 64]) == [0, 1, 3, 4, 5])
  }

  @Test func gemmaIsScaledByTheNumberOfItsBlocks() throws {
    func kept(_ dropped: [Int], blockCount: Int, scalar: Int) throws -> [Int] {
      try GGUFArchitecture(
        configuration(
          "golden/models/gemma2",
          [
            "num_hidden_layers": blockCount, "query_pre_attn_scalar": scalar, "head_dim": 8,
            "layer_types": (0..<blockCount).map { $0 % 2 == 0 ? "sliding_attention" : "full_attention" },
          ])
      ).keptBlocks(dropping: halves(dropped))
    }
    // 64 / 4 heads with 46 blocks, as in the model of 27 billion weights; all others by the width of a head.
    #expect(try kept([], blockCount: 46, scalar: 16).count == 46)
    #expect(try kept([44, 45], blockCount: 46, scalar: 16).count == 46)
    #expect(try kept([2, 3], blockCount: 4, scalar: 8) == [0, 1])
    expectError(like: InferenceError.impossible(detail: "the width of a head, 8, not of 16.0")) {
      try kept([], blockCount: 4, scalar: 16)
    }
  }
}
