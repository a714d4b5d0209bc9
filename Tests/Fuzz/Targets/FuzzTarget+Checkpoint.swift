import Foundation
import Inference
import TestSupport

extension FuzzTarget {
  /// Folders of the small models among the fixtures.
  static func modelFolders() throws -> [URL] {
    try ["golden/models", "families"].flatMap { part in
      try FileManager.default.contentsOfDirectory(at: Fixtures.url(part), includingPropertiesForKeys: nil)
    }.filter { FileManager.default.fileExists(atPath: $0.appendingPathComponent("config.json").path) }
      .sorted { $0.path < $1.path }
  }

  private static let types = TensorElementType.allCases.map { "\"\($0.rawValue)\"" }

  /// A safetensors file: header and all reads of what it says.
  static let safetensors = FuzzTarget(
    name: "safetensors", longestInput: 4096,
    words: types + [
      "\"dtype\":", "\"shape\":", "\"data_offsets\":", "\"__metadata__\":", "[0,0]", "9223372036854775807",
      "[4294967296,4294967296]",
      "\\ud800", "{}",
    ],
    makeSeeds: {
      var seeds: [[UInt8]] = []
      for type in TensorElementType.allCases {
        var builder = SafetensorsBuilder()
        builder.add("a", dtype: type.rawValue, shape: [2, 3], bytes: Array(repeating: 0x3F, count: 6 * type.byteCount))
        builder.add("b", dtype: type.rawValue, shape: [], bytes: Array(repeating: 0x40, count: type.byteCount))
        builder.add("c", dtype: type.rawValue, shape: [0, 7], bytes: [])
        seeds.append(builder.bytes())
      }
      seeds.append(RandomTokens.file(sequenceCount: 2, length: 5, seed: 1))
      let text = #"{"__metadata__":{"format":"pt"},"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
      seeds.append([UInt8(text.utf8.count), 0, 0, 0, 0, 0, 0, 0] + Array(text.utf8) + [0, 0, 0x80, 0x7F])
      return seeds
    },
    prepare: { folder in
      let scratch = ScratchFile("x.safetensors", in: folder)
      return { bytes in
        try scratch.write(bytes)
        let file = try SafetensorsFile(scratch.url)
        var byteCount = 0
        for tensor in file.tensors {
          byteCount += tensor.byteCount
          var seen = 0
          try file.forEachChunk(ofTensor: tensor.name, chunkByteCount: 100) { seen += $0.count }
          try expect(seen == tensor.byteCount, "\(tensor.name): \(seen) of \(tensor.byteCount) bytes read")
          if let matrix = try? file.matrix(named: tensor.name) {
            try expect(
              matrix.rows * matrix.columns * tensor.elementType.byteCount == tensor.byteCount,
              "\(tensor.name): a matrix of \(matrix.rows) × \(matrix.columns)")
          }
          if let integers = try? file.integers(named: tensor.name) {
            try expect(integers.shape == tensor.shape, "\(tensor.name): integers of shape \(integers.shape)")
          }
        }
        try expect(byteCount <= bytes.count, "tensors of \(byteCount) bytes in a file of \(bytes.count)")
      }
    })

  /// A `model.safetensors.index.json` beside a small model.
  static let index = FuzzTarget(
    name: "index", longestInput: 8192,
    words: ["\"weight_map\":", "\"metadata\":", "\"total_size\":", "model.safetensors", "../", "/", "\\u0000"],
    makeSeeds: {
      let folder = Fixtures.url("golden/models/llama-gqa")
      let file = try SafetensorsFile(folder.appendingPathComponent("model.safetensors"))
      let entries = file.tensors.map { "\"\($0.name)\":\"part.safetensors\"" }
      return [
        Array("{\"metadata\":{\"total_size\":1},\"weight_map\":{\(entries.joined(separator: ","))}}".utf8),
        Array(#"{"weight_map":{"model.norm.weight":"part.safetensors"}}"#.utf8),
        Array(#"{"weight_map":{"model.norm.weight":"../x"}}"#.utf8),
      ]
    },
    prepare: { folder in
      let model = Fixtures.url("golden/models/llama-gqa")
      for (source, name) in [("config.json", "config.json"), ("model.safetensors", "part.safetensors")] {
        try FileManager.default.copyItem(
          at: model.appendingPathComponent(source), to: folder.appendingPathComponent(name))
      }
      let scratch = ScratchFile("model.safetensors.index.json", in: folder)
      return { bytes in
        try scratch.write(bytes)
        let checkpoint = try Checkpoint(directory: folder)
        for tensor in checkpoint.tensors {
          try expect(checkpoint.contains(tensor.name), "\(tensor.name) is listed and not there")
        }
      }
    })

  /// Any JSON document.
  static let json = FuzzTarget(
    name: "json", longestInput: 4096,
    words: [
      "null", "true", "false", "\\u0000", "\\ud83d\\ude00", "\\udc00", "1e999", "-0", "9223372036854775808",
      "-9223372036854775808", "[[[[[[[[", "\u{FEFF}",
    ],
    makeSeeds: {
      [
        Array(#"{"a":[1,-2,3.5e-7,true,false,null,"x\n\u00e9\ud83d\ude00é"],"b":{"c":{}},"":[[],[[]]]}"#.utf8),
        Array("[9223372036854775807,-9223372036854775808,9223372036854775808,-0,0,0.0,1E+5]".utf8),
        Array(#"{"1":1,"2":2,"3":3,"4":4,"5":5,"6":6,"7":7,"8":8,"9":9,"10":10}"#.utf8),
        Array(" \t\r\n\"text\" ".utf8), Array(String(repeating: "[", count: 64).utf8),
      ] + (try modelFolders().map { [UInt8](try Data(contentsOf: $0.appendingPathComponent("config.json"))) })
    },
    prepare: { _ in
      { bytes in
        let value = try StrictJSON.parse(bytes, file: "x.json")
        _ = (value.summary, value.double)
        let text = JSONText.bytes(value)
        let again = try? StrictJSON.parse(text, file: "x.json")
        try expect(again == value, "written again and read again it is another value")
      }
    })

  /// A `config.json`, and a model that is opened with it.
  static let configuration = FuzzTarget(
    name: "config", longestInput: 4096,
    words: [
      "llama", "mistral", "qwen2", "qwen3", "gemma2", "phi3", "opt", "\"rope_scaling\":", "\"rope_parameters\":",
      "\"rope_type\":", "\"llama3\"", "\"longrope\"", "\"linear\"", "\"short_factor\":", "\"long_factor\":",
      "\"factor\":",
      "\"layer_types\":", "\"sliding_attention\"", "\"full_attention\"", "\"sliding_window\":",
      "\"use_sliding_window\":true",
      "\"max_window_layers\":", "\"num_hidden_layers\":", "\"num_key_value_heads\":", "\"head_dim\":",
      "\"original_max_position_embeddings\":", "\"partial_rotary_factor\":", "\"tie_word_embeddings\":true",
      "\"attention_bias\":true", "null", "2147483647", "9223372036854775807", "1e308", "1e-308", "0", "-1",
    ],
    makeSeeds: { try modelFolders().map { [UInt8](try Data(contentsOf: $0.appendingPathComponent("config.json"))) } },
    prepare: { folder in
      let scratch = ScratchFile("config.json", in: folder)
      // A model of each family: with the weights of its own one a configuration gets furthest.
      var weights: [String: URL] = [:]
      for model in try modelFolders() {
        let configuration = try ModelConfiguration(contentsOf: model.appendingPathComponent("config.json"))
        let architecture = configuration.architecture.rawValue
        let file = folder.appendingPathComponent("\(architecture).safetensors")
        guard weights.updateValue(file, forKey: architecture) == nil else { continue }
        try FileManager.default.copyItem(at: model.appendingPathComponent("model.safetensors"), to: file)
      }
      let (known, place) = (weights, folder.appendingPathComponent("model.safetensors"))
      var linked: URL?
      return { bytes in
        let configuration = try ModelConfiguration(json: bytes, file: "config.json")
        try expect(!configuration.canonicalFields.isEmpty, "no canonical fields")
        guard let file = known[configuration.architecture.rawValue] else { return }
        if linked != file {
          try? FileManager.default.removeItem(at: place)
          try FileManager.default.linkItem(at: file, to: place)
          linked = file
        }
        try scratch.write(bytes)
        let checkpoint = try Checkpoint(directory: folder)
        _ = try LanguageModelFactory.open(checkpoint, longestSequence: 8)
      }
    })

  /// Multiple-choice tasks, one JSON object a line.
  static let tasks = FuzzTarget(
    name: "tasks", longestInput: 4096,
    words: [
      "\"context\":", "\"choices\":", "\"answer\":", "\"query\":", "\"gold\":", "\n", "\r\n", "{\"", "\"]}",
      "9223372036854775807",
    ],
    makeSeeds: {
      let text = try String(contentsOf: Fixtures.example("prose-10m/tasks.jsonl"), encoding: .utf8)
      let lines = text.split(separator: "\n").prefix(4)
      return lines.map { Array($0.utf8) } + [Array(lines.joined(separator: "\n").utf8)]
    },
    prepare: { _ in
      { bytes in
        for item in try MultipleChoiceItem.list(bytes, file: "tasks.jsonl") {
          try expect(item.choices.indices.contains(item.answer), "the answer \(item.answer) is no choice")
        }
      }
    })
}
