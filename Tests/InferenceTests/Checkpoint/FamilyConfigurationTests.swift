import Foundation
import TestSupport
import Testing

@testable import Inference

/// The fields that each family reads from a `config.json`, and those it refuses.
@Suite(.usualTimeLimit) struct FamilyConfigurationTests {
  private static let golden = [
    "llama": "llama-gqa", "mistral": "mistral-sliding-window", "phi3": "phi3", "qwen2": "qwen2-bias",
    "qwen3": "qwen3-qknorm", "gemma2": "gemma2", "opt": "opt",
  ]

  /// The golden configuration of a family with fields replaced by JSON texts (nil: left out).
  private func parse(_ family: String, _ changes: KeyValuePairs<String, String?> = [:]) throws -> ModelConfiguration {
    let name = try #require(Self.golden[family])
    let data = try Data(contentsOf: Fixtures.url("golden/models/\(name)/config.json"))
    var fields = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    for (field, text) in changes {
      fields[field] = try text.map {
        try JSONSerialization.jsonObject(with: Data($0.utf8), options: .fragmentsAllowed)
      }
    }
    let json = try JSONSerialization.data(withJSONObject: fields)
    return try ModelConfiguration(json: Array(json), file: "config.json")
  }

  private func refusal(_ family: String, _ changes: KeyValuePairs<String, String?>) throws -> String? {
    do {
      _ = try parse(family, changes)
      return nil
    } catch InferenceError.unsupported(_, let detail) {
      return detail
    } catch InferenceError.invalidData(_, let detail) {
      return detail
    }
  }

  @Test func digestsOfLlamaModelsStay() throws {
    #expect(
      try parse("llama").canonicalFields.map { "\($0.name)=\($0.value)" } == [
        "architecture=llama", "block_count=3", "head_count=4", "head_dimension=16", "hidden_size=64",
        "intermediate_size=112", "key_value_head_count=2", "norm_epsilon=3ee4f8b588e368f1",
        "rope_theta=40c3880000000000", "tied_embeddings=0", "vocabulary_size=96",
      ])
  }

  @Test func traitsAreInTheDigestOnlyWhereTheyAre() throws {
    func extra(_ family: String, _ changes: KeyValuePairs<String, String?> = [:]) throws -> [String] {
      let common = Set(try parse("llama").canonicalFields.map(\.name))
      let fields = try parse(family, changes).canonicalFields
      #expect(fields.map(\.name) == fields.map(\.name).sorted())
      return fields.filter { !common.contains($0.name) }.map { "\($0.name)=\($0.value)" }
    }
    #expect(try extra("mistral") == ["attention_windows=8,8,8"])
    #expect(try extra("mistral", ["sliding_window": "null"]) == [])
    #expect(try extra("phi3") == [])
    #expect(try extra("qwen2") == ["attention_input_bias=1"])
    #expect(try extra("qwen3") == ["query_key_norm=1"])
    #expect(
      try extra("gemma2") == [
        "attention_cap=4014000000000000", "attention_scale_divisor=4030000000000000", "attention_windows=8,all,8",
        "logit_cap=4008000000000000",
      ])
    #expect(
      try extra("opt") == ["attention_input_bias=1", "attention_output_bias=1", "learned_positions=1", "mlp_bias=1"])
    #expect(
      try extra("llama", ["rope_parameters": #"{"rope_type": "linear", "factor": 2, "rope_theta": 10000}"#])
        == ["rope_factor=4000000000000000", "rope_scaling=linear"])
    #expect(try extra("llama", ["attention_bias": "true"]) == ["attention_input_bias=1", "attention_output_bias=1"])
  }

  @Test func windowsFollowTheRulesOfEachFamily() throws {
    #expect(try parse("mistral", ["sliding_window": nil]).attentionWindows == [4096, 4096, 4096])
    #expect(try parse("phi3", ["sliding_window": "2047"]).attentionWindows == [2047, 2047, 2047])
    #expect(try parse("phi3", ["sliding_window": nil]).attentionWindows == [nil, nil, nil])
    for family in ["qwen2", "qwen3"] {
      #expect(try parse(family, ["sliding_window": "7"]).attentionWindows == [nil, nil, nil])
      #expect(
        try parse(
          family,
          ["sliding_window": "7", "use_sliding_window": "true", "max_window_layers": "1", "layer_types": nil]
        ).attentionWindows == [nil, 7, 7])
      #expect(
        try refusal(family, ["layer_types": #"["full_attention", "sliding_attention", "full_attention"]"#])?
          .contains("no sliding window") == true)
    }
    #expect(try parse("gemma2", ["layer_types": nil]).attentionWindows == [8, nil, 8])
    #expect(
      try parse("gemma2", ["layer_types": #"["full_attention", "full_attention", "sliding_attention"]"#])
        .attentionWindows == [nil, nil, 8])
    #expect(try refusal("gemma2", ["layer_types": #"["full_attention"]"#])?.contains("layer_types") == true)
    #expect(
      try refusal("gemma2", ["layer_types": #"["full_attention", "full_attention", "chunked_attention"]"#])?
        .contains("chunked_attention") == true)
    #expect(try refusal("llama", ["sliding_window": "8"])?.contains("sliding_window = 8") == true)
    #expect(try refusal("opt", ["sliding_window": "8"])?.contains("sliding_window = 8") == true)
    #expect(
      try refusal("mistral", ["layer_types": #"["full_attention", "full_attention", "full_attention"]"#])?
        .contains("layer_types") == true)
  }

  @Test func absentFieldsHaveTheDefaultsOfTheFamily() throws {
    #expect(try parse("mistral", ["num_attention_heads": "8", "num_key_value_heads": nil]).keyValueHeadCount == 8)
    #expect(try parse("mistral", ["num_key_value_heads": "null"]).keyValueHeadCount == 4)
    #expect(try parse("phi3", ["num_key_value_heads": nil]).keyValueHeadCount == 4)
    #expect(try parse("qwen3", ["head_dim": nil]).headDimension == 128)
    #expect(try parse("qwen2").headDimension == 16)
    #expect(try parse("gemma2", ["tie_word_embeddings": nil]).tiedEmbeddings)
    #expect(try parse("opt", ["tie_word_embeddings": nil]).tiedEmbeddings)
    #expect(try !parse("phi3", ["tie_word_embeddings": nil]).tiedEmbeddings)
    let capped = try parse(
      "gemma2",
      ["attn_logit_softcapping": nil, "final_logit_softcapping": nil, "query_pre_attn_scalar": nil])
    #expect(capped.attentionCap == 50 && capped.logitCap == 30 && capped.attentionScaleDivisor == 256)
    let uncapped = try parse("gemma2", ["attn_logit_softcapping": "null", "final_logit_softcapping": "null"])
    #expect(uncapped.attentionCap == nil && uncapped.logitCap == nil)
  }

  @Test func bothSpellingsOfRopeAgree() throws {
    let llama3 =
      #""factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16"#
    let new = try parse("llama", ["rope_parameters": #"{"rope_type": "llama3", "rope_theta": 5e5, \#(llama3)}"#])
    for type in ["rope_type", "type"] {
      let old = try parse(
        "llama",
        ["rope_parameters": nil, "rope_theta": "500000", "rope_scaling": #"{"\#(type)": "llama3", \#(llama3)}"#])
      #expect(old == new)
    }
    #expect(
      new.ropeScaling
        == .llama3(.init(factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: 16)))
    // Without a place of its own the original length is the model's.
    let absent = try parse(
      "llama",
      [
        "rope_parameters":
          #"{"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "rope_theta": 5e5}"#
      ])
    #expect(
      absent.ropeScaling
        == .llama3(.init(factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: 64)))
    #expect(
      try refusal(
        "llama",
        [
          "rope_scaling": #"{"type": "linear", "factor": 2}"#,
          "rope_parameters": #"{"rope_type": "linear", "factor": 3}"#,
        ])?.contains("different scalings") == true)
  }

  @Test func longRopeIsReadInAllItsNames() throws {
    let eight = "[1, 1, 1, 1, 1, 1, 1, 1.5]"
    func phi3(_ type: String, _ more: String = "") throws -> ModelConfiguration {
      try parse(
        "phi3",
        [
          "rope_parameters": nil, "rope_theta": "10000", "max_position_embeddings": "8192",
          "rope_scaling": #"{"type": "\#(type)", "short_factor": \#(eight), "long_factor": \#(eight)\#(more)}"#,
        ])
    }
    let expected = try phi3("longrope")
    #expect(try phi3("su") == expected && phi3("yarn") == expected)
    guard case .longRope(let scaling) = expected.ropeScaling else {
      Issue.record("not longrope")
      return
    }
    #expect(scaling.originalPositions == 4096 && scaling.shortFactors.last == 1.5)
    #expect(abs(scaling.attentionFactor - (1 + log(2.0) / log(4096.0)).squareRoot()) < 1e-12)
    guard case .longRope(let given) = try phi3("longrope", #", "attention_factor": 1.5, "factor": 9"#).ropeScaling
    else {
      Issue.record("not longrope")
      return
    }
    #expect(given.attentionFactor == 1.5)
    func refused(_ fields: String) throws -> String? {
      try refusal("phi3", ["rope_parameters": "{\"rope_type\": \"longrope\", \(fields)}"])
    }
    #expect(try refused("\"short_factor\": \(eight)")?.contains("long_factor") == true)
    #expect(try refused("\"short_factor\": [1], \"long_factor\": \(eight)")?.contains("short_factor") == true)
    #expect(
      try refused("\"short_factor\": [0, 1, 1, 1, 1, 1, 1, 1], \"long_factor\": \(eight)")?.contains("contains 0")
        == true)
    #expect(
      try refused("\"short_factor\": \(eight), \"long_factor\": \(eight), \"original_max_position_embeddings\": 16")?
        .contains("original_max_position_embeddings is 16") == true)
  }

  @Test func unknownScalingsAreRefusedByName() throws {
    for type in ["yarn", "dynamic", "mrope", "proportional", "nonsense"] {
      let rope = "{\"rope_type\": \"\(type)\", \"factor\": 2.0}"
      for family in ["llama", "mistral", "qwen2", "qwen3", "gemma2"] {
        #expect(
          try refusal(family, ["rope_parameters": rope])?.contains("rope_parameters.rope_type = \"\(type)\"") == true)
      }
    }
    #expect(
      try refusal("phi3", ["rope_parameters": #"{"rope_type": "linear", "factor": 2}"#])?.contains("linear") == true)
    #expect(
      try refusal("phi3", ["rope_parameters": #"{"partial_rotary_factor": 0.75}"#])?.contains("partial_rotary") == true)
    #expect(
      try refusal("gemma2", ["rope_parameters": #"{"full_attention": {"rope_type": "default"}}"#])?
        .contains("full_attention") == true)
    for broken in ["", #", "factor": 0"#, #", "factor": "8""#, #", "factor": -2"#] {
      #expect(
        try refusal("llama", ["rope_parameters": "{\"rope_type\": \"linear\"\(broken)}"])?.contains("factor") == true)
    }
    #expect(
      try refusal(
        "llama",
        ["rope_parameters": #"{"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4}"#])?
        .contains("high_freq_factor") == true)
  }

  @Test func whatWouldChangeResultsIsRefusedByName() throws {
    for (family, field, value) in [
      ("mistral", "hidden_act", "\"gelu\""), ("mistral", "attention_bias", "true"), ("phi3", "attention_bias", "true"),
      ("phi3", "hidden_act", "\"gelu\""), ("qwen2", "hidden_act", "\"relu\""), ("qwen3", "mlp_bias", "true"),
      ("gemma2", "hidden_activation", "\"gelu\""), ("gemma2", "use_bidirectional_attention", "true"),
      ("opt", "activation_function", "\"gelu\""), ("opt", "do_layer_norm_before", "false"),
      ("opt", "word_embed_proj_dim", "32"), ("opt", "layer_norm_elementwise_affine", "false"),
      ("opt", "_remove_final_layer_norm", "true"), ("opt", "num_attention_heads", "5"),
      ("phi3", "quantization_config", "{}"), ("qwen2", "auto_map", "{}"),
    ] {
      #expect(try refusal(family, [field: value])?.contains(field) == true, "\(family).\(field)")
    }
    for family in Self.golden.keys.sorted() {
      #expect(try refusal(family, ["architectures": #"["OtherForCausalLM"]"#])?.contains("OtherFor") == true)
    }
  }

  @Test func absurdCountsAreRefusedBeforeAnythingIsMadeOfThem() throws {
    for family in Self.golden.keys.sorted() {
      #expect(try refusal(family, ["num_hidden_layers": "2147483647"])?.contains("num_hidden_layers") == true)
      guard family != "opt" else { continue }
      #expect(try refusal(family, ["head_dim": "2147483646"])?.contains("head_dim") == true)
    }
  }

  @Test func codeShippedWithPhi3IsWhatTransformersHas() throws {
    let own =
      #"{"AutoConfig": "configuration_phi3.Phi3Config", "AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"}"#
    #expect(try parse("phi3", ["auto_map": own]) == parse("phi3"))
    #expect(try refusal("phi3", ["auto_map": #"{"AutoModel": "modeling_mine.Phi3"}"#])?.contains("auto_map") == true)
    #expect(try refusal("phi3", ["auto_map": #"{"AutoModel": 3}"#])?.contains("auto_map") == true)
    #expect(try refusal("llama", ["auto_map": own])?.contains("auto_map") == true)
  }

  @Test func biasesAreThoseOfTheFamily() throws {
    #expect(try parse("opt", ["enable_bias": "false"]).mlpBias == false)
    let qwen = try parse("qwen3", ["attention_bias": "true"])
    #expect(qwen.attentionInputBias && qwen.attentionOutputBias && !qwen.mlpBias)
    let llama = try parse("llama", ["mlp_bias": "true"])
    #expect(llama.mlpBias && !llama.attentionInputBias)
  }

  @Test func importedFamiliesKeepTheirNamesAndLayers() throws {
    let catalog = try TestCatalog()
    for (family, name) in Self.golden.sorted(by: { $0.key < $1.key }) {
      let model = try catalog.importModel(Fixtures.url("golden/models/\(name)"))
      #expect(model.architecture == family && model.architectureRevision == 1 && model.blockCount == 3)
    }
  }
}
