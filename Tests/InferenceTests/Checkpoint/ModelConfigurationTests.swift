import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct ModelConfigurationTests {
  /// The fields of a Llama of before transformers 5, as JSON texts.
  private static let fields: [(String, String)] = [
    ("architectures", #"["LlamaForCausalLM"]"#), ("model_type", "\"llama\""), ("hidden_size", "64"),
    ("intermediate_size", "112"), ("num_hidden_layers", "3"), ("num_attention_heads", "4"),
    ("num_key_value_heads", "2"), ("vocab_size", "96"), ("max_position_embeddings", "64"),
    ("rms_norm_eps", "1e-05"), ("rope_theta", "10000.0"), ("hidden_act", "\"silu\""),
  ]

  /// Parses those fields with some replaced (nil: left out).
  private func parse(_ changes: KeyValuePairs<String, String?> = [:]) throws -> ModelConfiguration {
    var fields = Self.fields
    for (name, value) in changes {
      fields.removeAll { $0.0 == name }
      if let value { fields.append((name, value)) }
    }
    let text = "{" + fields.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ") + "}"
    return try ModelConfiguration(json: Array(text.utf8), file: "config.json")
  }

  private func invalid(_ changes: KeyValuePairs<String, String?>) throws -> String? {
    do {
      _ = try parse(changes)
      return nil
    } catch InferenceError.invalidData(_, let detail) { return detail }
  }

  private func unsupported(_ changes: KeyValuePairs<String, String?>) throws -> String? {
    do {
      _ = try parse(changes)
      return nil
    } catch InferenceError.unsupported(_, let detail) { return detail }
  }

  @Test func allFieldsAreRead() throws {
    let configuration = try parse(["head_dim": "24", "tie_word_embeddings": "true", "rope_theta": "500000"])
    #expect(
      configuration
        == ModelConfiguration(
          architecture: Llama.architecture, hiddenSize: 64, intermediateSize: 112, blockCount: 3, headCount: 4,
          keyValueHeadCount: 2, headDimension: 24, vocabularySize: 96, maximumPositions: 64, normEpsilon: 1e-5,
          ropeTheta: 500_000, tiedEmbeddings: true))
  }

  @Test func absentAndNullFieldsHaveTheDefaultsOfTransformers() throws {
    for absent: String? in [nil, "null"] {
      let configuration = try parse([
        "num_key_value_heads": absent, "head_dim": absent, "rms_norm_eps": absent, "rope_theta": absent,
        "max_position_embeddings": absent, "tie_word_embeddings": absent, "hidden_act": absent,
        "architectures": absent, "rope_scaling": absent, "sliding_window": absent, "quantization_config": absent,
      ])
      #expect(configuration.keyValueHeadCount == 4)
      #expect(configuration.headDimension == 16)
      #expect(configuration.normEpsilon == 1e-6)
      #expect(configuration.ropeTheta == 10_000)
      #expect(configuration.maximumPositions == 2048)
      #expect(configuration.tiedEmbeddings == false)
    }
  }

  @Test func bothSpellingsGiveTheSameConfiguration() throws {
    let old = try parse(["rope_theta": "20000.0", "torch_dtype": "\"bfloat16\"", "rope_scaling": "null"])
    let new = try parse([
      "rope_theta": nil, "rope_parameters": #"{"rope_theta": 20000.0, "rope_type": "default"}"#,
      "dtype": "\"bfloat16\"",
    ])
    let both = try parse(["rope_theta": "20000", "rope_parameters": #"{"rope_theta": 20000.0}"#])
    #expect(old == new)
    #expect(old == both)
    #expect(old.canonicalFields == new.canonicalFields)
    #expect(try invalid(["rope_parameters": #"{"rope_theta": 20000.0}"#])?.contains("rope_theta") == true)
  }

  @Test func theFixturesAreRead() throws {
    let grouped = try ModelConfiguration(contentsOf: Fixtures.url("golden/models/llama-gqa/config.json"))
    #expect(grouped == (try parse()))
    let tied = try ModelConfiguration(contentsOf: Fixtures.url("golden/models/llama-tied-f16/config.json"))
    #expect(tied.headDimension == 24)
    #expect(tied.tiedEmbeddings)
    let prose = try ModelConfiguration(contentsOf: Fixtures.example("prose-10m/config.json"))
    #expect(prose.blockCount == 12)
    #expect(prose.vocabularySize == 4096)
  }

  @Test func whatHasNoEffectIsAccepted() throws {
    let plain = try parse()
    #expect(try parse(["pretraining_tp": "2", "use_cache": "false", "attention_dropout": "0.0"]) == plain)
    #expect(try parse(["rope_scaling": #"{"type": "default"}"#, "layer_types": #"["full_attention"]"#]) == plain)
    #expect(try parse(["attention_bias": "false", "mlp_bias": "false", "partial_rotary_factor": "1.0"]) == plain)
  }

  @Test func whatWouldChangeResultsIsRefusedByName() throws {
    #expect(try unsupported(["model_type": "\"gpt_neox\""])?.contains("model_type = \"gpt_neox\"") == true)
    #expect(try unsupported(["architectures": #"["LlamaForTokenClassification"]"#])?.contains("LlamaForTok") == true)
    #expect(try unsupported(["hidden_act": "\"gelu\""])?.contains("hidden_act = \"gelu\"") == true)
    #expect(try unsupported(["sliding_window": "4096"])?.contains("sliding_window = 4096") == true)
    #expect(try unsupported(["layer_types": #"["sliding_attention"]"#])?.contains("sliding_attention") == true)
    #expect(try unsupported(["quantization_config": "{}"])?.contains("quantization_config") == true)
    #expect(try unsupported(["auto_map": "{}"])?.contains("auto_map") == true)
    #expect(try unsupported(["partial_rotary_factor": "0.5"])?.contains("partial_rotary_factor") == true)
    for field in ["rope_parameters", "rope_scaling"] {
      #expect(
        try unsupported([field: #"{"rope_type": "yarn"}"#])?.contains("\(field).rope_type = \"yarn\"") == true)
      #expect(try unsupported([field: #"{"type": "dynamic", "factor": 2.0}"#])?.contains("dynamic") == true)
      #expect(try unsupported([field: #"{"partial_rotary_factor": 0.5}"#])?.contains("partial") == true)
    }
  }

  @Test(arguments: [
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "vocab_size",
    "max_position_embeddings", "head_dim",
  ])
  func countsOutOfRangeAreRefused(_ field: String) throws {
    for value in ["0", "-1", "2147483648", "9223372036854775808", "1.5", "64.0", "1e2", "\"64\"", "true", "[]"] {
      #expect(try invalid([field: value])?.contains(field) == true)
    }
  }

  @Test func nonsenseIsRefused() throws {
    #expect(try invalid(["num_key_value_heads": "3"])?.contains("must divide") == true)
    #expect(try invalid(["num_attention_heads": "6", "num_key_value_heads": nil])?.contains("hidden_size") == true)
    #expect(try invalid(["head_dim": "15"])?.contains("even") == true)
    #expect(try invalid(["hidden_size": nil])?.contains("hidden_size must be") == true)
    #expect(try invalid(["model_type": nil]) != nil)
    #expect(try invalid(["tie_word_embeddings": "1"]) != nil)
    #expect(try invalid(["rope_parameters": "[]"]) != nil)
    for value in ["0", "-1", "1e999", "\"x\"", "NaN", "-0.0"] {
      #expect(try invalid(["rope_theta": value]) != nil)
      #expect(try invalid(["rope_theta": nil, "rope_parameters": "{\"rope_theta\": \(value)}"]) != nil)
    }
    for value in ["-1e-5", "1e999", "2", "null2"] { #expect(try invalid(["rms_norm_eps": value]) != nil) }
    #expect(throws: InferenceError.invalidData(file: "config.json", detail: "expected a JSON object")) {
      try ModelConfiguration(json: Array("[]".utf8), file: "config.json")
    }
  }

  @Test func canonicalFieldsAreSortedAndExact() throws {
    let fields = try parse().canonicalFields
    #expect(fields.map(\.name) == fields.map(\.name).sorted())
    let text = fields.map { "\($0.name)=\($0.value)" }
    #expect(text.contains("architecture=llama"))
    #expect(text.contains("head_dimension=16"))
    #expect(text.contains("norm_epsilon=3ee4f8b588e368f1"))
    #expect(text.contains("rope_theta=40c3880000000000"))
    #expect(text.contains("tied_embeddings=0"))
    #expect(try parse(["max_position_embeddings": "9"]).canonicalFields == fields)
    #expect(try parse(["rms_norm_eps": "1e-06"]).canonicalFields != fields)
  }
}
