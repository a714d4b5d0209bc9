import TestSupport
import Testing

@testable import Inference

/// What configurations say of packed layers, and what runtimes refuse.
@Suite(.usualTimeLimit) struct PackedConfigurationTests {
  private static let four = PackedScheme(bits: 4, isSymmetric: true, groupSize: 128)
  private static let three = PackedScheme(bits: 3, isSymmetric: true, groupSize: 128)
  private static let uneven = PackedScheme(bits: 3, isSymmetric: false, groupSize: nil)

  /// A block with the schemes of its layers q, k, v, o, gate, up, down.
  private func block(_ index: Int, _ schemes: [PackedScheme?]) -> [PackedLayer] {
    let paths = [
      "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj",
      "mlp.down_proj",
    ]
    return zip(paths, schemes).map { path, scheme in
      PackedLayer(
        name: "model.layers.\(index).\(path)", block: index, role: String(path.split(separator: ".")[1]), scheme: scheme
      )
    }
  }

  private func uniform(_ index: Int, _ scheme: PackedScheme?) -> [PackedLayer] {
    block(index, Array(repeating: scheme, count: 7))
  }

  private func text(_ value: StrictJSON) -> String { String(decoding: value.compactText, as: UTF8.self) }

  @Test func oneSchemeIsOneGroupOfAllLinearLayers() {
    let value = CompressedTensorsConfiguration.value(uniform(0, Self.four), others: ["lm_head"])
    #expect(
      text(value)
        == #"{"config_groups":{"group_0":{"input_activations":null,"output_activations":null,"targets":["Linear"],"#
        + #""weights":{"actorder":null,"dynamic":false,"group_size":128,"num_bits":4,"strategy":"group","symmetric":true,"#
        + #""type":"int"}}},"format":"pack-quantized","global_compression_ratio":null,"ignore":["lm_head"],"#
        + #""kv_cache_scheme":null,"quant_method":"compressed-tensors","quantization_status":"compressed"}"#)
  }

  @Test func severalSchemesNameTheirLayersAndPlainOnesAreIgnored() throws {
    let layers = block(0, [Self.four, Self.four, Self.four, Self.uneven, nil, nil, Self.three])
    let value = try #require(CompressedTensorsConfiguration.value(layers, others: ["lm_head"]).object)
    #expect(
      value["ignore"].map(text) == #"["model.layers.0.mlp.gate_proj","model.layers.0.mlp.up_proj","lm_head"]"#)
    let groups = try #require(value["config_groups"]?.object)
    #expect(groups.members.map(\.key) == ["group_0", "group_1", "group_2"])
    let targets = groups.members.map { $0.value.object?["targets"].map(text) ?? "" }
    #expect(
      targets == [
        #"["model.layers.0.mlp.down_proj"]"#, #"["model.layers.0.self_attn.o_proj"]"#,
        #"["model.layers.0.self_attn.q_proj","model.layers.0.self_attn.k_proj","model.layers.0.self_attn.v_proj"]"#,
      ])
    let weights = groups.members[1].value.object?["weights"].map(text)
    #expect(
      weights == #"{"actorder":null,"dynamic":false,"group_size":null,"num_bits":3,"strategy":"channel","#
        + #""symmetric":false,"type":"int"}"#)
  }

  @Test func patternsOfGPTQMatchFusedAndUnfusedNames() throws {
    let layers =
      uniform(0, Self.four) + block(1, [Self.three, Self.three, Self.three, Self.four, nil, nil, Self.four])
      + block(2, [Self.three, Self.three, Self.three, Self.four, Self.four, Self.three, Self.four])
      + uniform(11, Self.four)
    let value = GPTQConfiguration.value(layers, others: ["lm_head"], version: .v2, program: "evodb:1.0")
    let members = try #require(value.object)
    #expect(
      members.members.map(\.key.description) == [
        "bits", "group_size", "desc_act", "sym", "lm_head", "quant_method", "checkpoint_format", "format", "pack_dtype",
        "meta", "dynamic",
      ])
    #expect(members["bits"] == .integer(4) && members["checkpoint_format"] == .string("gptq_v2"))
    let dynamic = try #require(members["dynamic"]?.object)
    let three = #"{"bits":3,"group_size":128,"desc_act":false,"sym":true}"#
    #expect(
      dynamic.members.map { "\($0.key) \(text($0.value))" } == [
        #"+:^model\.layers\.(?:1|2)\.self_attn\.(?:q_proj|k_proj|v_proj|qkv_proj)$ "# + three,
        #"-:^model\.layers\.1\.mlp\.(?:gate_proj|up_proj|gate_up_proj)$ {}"#,
        #"+:^model\.layers\.2\.mlp\.up_proj$ "# + three,
      ])
    let whole = GPTQConfiguration.value(
      uniform(0, Self.uneven), others: ["lm_head"], version: .v1, program: "evodb:1.0")
    #expect(
      text(whole) == #"{"bits":3,"group_size":-1,"desc_act":false,"sym":false,"lm_head":false,"quant_method":"gptq","#
        + #""checkpoint_format":"gptq","format":"gptq","pack_dtype":"int32","meta":{"quantizer":["evodb:1.0"]}}"#)
  }

  @Test func runtimesRefuseWithTheRuleAndWhatMendsIt() throws {
    let torn = block(3, [Self.four, Self.three, Self.four, Self.four, Self.four, Self.four, Self.four])
    for runtime in [ServingRuntime.vllmGPU, .vllm] {
      let mended = runtime == .vllm ? torn.filter { $0.scheme != Self.three } + uniform(4, nil) : torn
      if runtime == .vllm {
        try runtime.validate(mended, format: "compressed-tensors")
        expectError(
          like: InferenceError.unfit(
            detail:
              "vLLM runs 4 and 8 bits everywhere (2 to 8 on GPUs: vllm-gpu); model.layers.3.self_attn.k_proj has 3",
            mend: .search(runtime: .vllm, ties: []))
        ) { try runtime.validate(torn, format: "compressed-tensors") }
      } else {
        #expect(
          throws: InferenceError.unfit(
            detail: "vLLM on GPUs computes q_proj, k_proj and v_proj as one layer, which needs one scheme; "
              + "model.layers.3.self_attn.q_proj has 4 bits, symmetric, groups of 128, and "
              + "model.layers.3.self_attn.k_proj 3 bits, symmetric, groups of 128",
            mend: .search(runtime: .vllmGPU, ties: ["qkv"]))
        ) { try runtime.validate(torn, format: "compressed-tensors") }
      }
    }
    // A layer that is plain is not what its neighbour is, either.
    let half = block(0, [Self.four, Self.four, Self.four, Self.four, nil, Self.four, Self.four])
    expectError(
      like: InferenceError.unfit(
        detail: "gate_proj and up_proj", mend: .search(runtime: .vllm, ties: ["gate_up"]))
    ) { try ServingRuntime.vllm.validate(half, format: "compressed-tensors") }
    try ServingRuntime.transformers.validate(torn, format: "compressed-tensors")
    let mixed = uniform(0, Self.four) + uniform(1, Self.uneven)
    expectError(
      like: InferenceError.unfit(
        detail: "transformers loads several schemes in one model only if all are symmetric; "
          + "model.layers.1.self_attn.q_proj has 3 bits, asymmetric, whole rows",
        mend: .search(runtime: .transformers, ties: []))
    ) { try ServingRuntime.transformers.validate(mixed, format: "compressed-tensors") }
    try ServingRuntime.transformers.validate(uniform(1, Self.uneven), format: "compressed-tensors")
    expectError(like: InferenceError.unfit(detail: "reads one scheme of gptq only", mend: nil)) {
      try ServingRuntime.transformers.validate(torn, format: "gptq")
    }
    expectError(
      like: InferenceError.unfit(detail: "llama.cpp runs types of GGUF", mend: .search(runtime: .gguf, ties: []))
    ) { try ServingRuntime.gguf.validate(torn, format: "gptq") }
  }
}
