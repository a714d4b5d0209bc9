import Foundation
import TestSupport
import Testing

/// Exports for vLLM, transformers and other people's GGUF pipelines from the command line.
@Suite(.usualTimeLimit) struct PackedExportCommandTests {
  private static let short = [
    "--generations", "2", "--offspring", "4", "--survivors", "2,1", "--tokens", "64,128", "--data", "calibration",
    "--validation", "validation",
  ]

  private func object(_ catalog: TinyCatalog, _ file: String) throws -> [String: Any] {
    let data = try Data(contentsOf: catalog.folder.appendingPathComponent(file))
    return try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  @Test func whatIsSearchedForARuntimeIsExportedForIt() throws {
    let catalog = try TinyCatalog(.built)
    try catalog.output(
      ["search", "--for", "vllm-gpu", "--target-bits", "3", "--name", "served"] + Self.short)
    let written = try catalog.json(
      "export", "served", "--to", "compressed-tensors", "--for", "vllm-gpu", "-o", "served")
    #expect(try written.text("runtimes").hasPrefix("vllm-gpu"))
    #expect(try object(catalog, "served/config.json")["quantization_config"] is [String: Any])
    let again = try catalog.run("export", "served", "--to", "compressed-tensors", "-o", "served")
    #expect(again.exitCode == 73, "\(again.diagnostics)")
    let strict = try catalog.run("export", "served", "--to", "compressed-tensors", "--for", "vllm", "-o", "x")
    #expect(strict.exitCode == 78 && strict.diagnostics.contains("evodb search FILE --target-bits 4 --for vllm"))
    #expect(!FileManager.default.fileExists(atPath: catalog.folder.appendingPathComponent("x").path))
    #expect(
      try catalog.json("export", "uniform:4", "--to", "compressed-tensors", "--for", "vllm", "-o", "y").has("runtimes"))
  }

  @Test func anUntiedAssignmentNamesItsTie() throws {
    let catalog = try TinyCatalog(.built)
    let lines = try catalog.rows("SELECT layer FROM model_layer ORDER BY layer_index").map { row in
      let layer = try row.text("layer")
      return "\(layer): \(layer.hasSuffix("k_proj") ? 2 : 4)"
    }
    try Data(lines.joined(separator: "\n").utf8).write(to: catalog.folder.appendingPathComponent("p.txt"))
    let result = try catalog.run("export", "p.txt", "--to", "compressed-tensors", "-o", "x")
    #expect(result.exitCode == 78)
    #expect(result.diagnostics.contains("q_proj, k_proj and v_proj") && result.diagnostics.contains("--tie qkv"))
    let symmetric = try catalog.run("export", "p.txt", "--to", "compressed-tensors", "--for", "transformers", "-o", "x")
    #expect(symmetric.exitCode == 78 && symmetric.diagnostics.contains("--symmetric"), "\(symmetric.diagnostics)")
    let search = try catalog.run("search", ["--for", "transformers", "--target-bits", "3"] + Self.short)
    #expect(
      search.exitCode == 78 && search.diagnostics.contains("evodb build FILE --symmetric --method gptq"),
      "\(search.diagnostics)")
  }

  @Test func recipesForOtherQuantizersComeBack() throws {
    let catalog = try TinyCatalog(.filled)
    try catalog.output("build", "--data", "calibration", "--method", "kquant", "--types", "Q2_K,Q4_K")
    let lines = try catalog.rows("SELECT layer FROM model_layer ORDER BY layer_index").enumerated().map {
      "\(try $0.element.text("layer")): \($0.offset % 2 == 0 ? "2.5625 (2.5625-Q2_K.pth)" : "4.5 (4.5-Q4_K.pth)")\n"
    }
    try Data(lines.joined().utf8).write(to: catalog.folder.appendingPathComponent("p.txt"))
    let digest = try catalog.json("import-profile", "p.txt").text("assignment")
    #expect(try catalog.output("export", digest, "--to", "gguf-toolkit") == lines.joined())
    // The toolkit's stitcher has the names of GGUF files, and lines for what is no layer.
    let stems = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
    let stitched = lines.enumerated().map { index, line in
      "blk.\(index / 7).\(stems[index % 7]).weight:\(line.drop { $0 != ":" }.dropFirst())"
    }
    let others = ["blk.0.attn_norm.weight", "blk.2.ffn_norm.weight", "token_embd.weight", "output_norm.weight"].map {
      "\($0): 32 (32-F32.pth)\n"
    }
    try Data((others + stitched.reversed()).joined().utf8).write(to: catalog.folder.appendingPathComponent("g.txt"))
    #expect(try catalog.json("import-profile", "g.txt").text("assignment") == digest)
    try Data((stitched + ["blk.7.attn_q.weight: 4.5 (4.5-Q4_K.pth)\n"]).joined().utf8).write(
      to: catalog.folder.appendingPathComponent("g.txt"))
    let unknown = try catalog.run("import-profile", "g.txt")
    #expect(unknown.exitCode == 65 && unknown.diagnostics.contains("blk.7.attn_q.weight"), "\(unknown.diagnostics)")
    let types = try catalog.output("export", digest, "--to", "llama-quantize")
    // Rows of 64 inputs are no whole blocks of 256: the fallbacks.
    #expect(types.hasPrefix("^blk\\.0\\.attn_q\\.weight$=Q4_0\n^blk\\.0\\.attn_k\\.weight$=Q5_0\n"))
    #expect(types.split(separator: "\n").count == 21)
    let blocks = try catalog.run("export", digest, "--to", "compressed-tensors", "-o", "x")
    #expect(blocks.exitCode == 78 && blocks.diagnostics.contains("export it as GGUF"), "\(blocks.diagnostics)")
    let bits = try catalog.run("export", "drop:0.mlp", "--to", "llama-quantize")
    #expect(bits.exitCode == 78 && bits.diagnostics.contains("one half of block 0"))
    let pruned = try catalog.run("export", "drop:1", "--to", "llama-quantize")
    #expect(pruned.exitCode == 0 && pruned.diagnostics.contains("--prune-layers 1"))
    #expect(pruned.output.split(separator: "\n").count == 14)
    let found = try catalog.json(
      ["search", "--for", "gguf", "--target", "7.3bit"] + Self.short)
    #expect(try found.number("average_bits") <= 7.3)
  }

  @Test func wrongRequestsEndWithTheirCode() throws {
    let catalog = try TinyCatalog(.built)
    let cases: [([String], Int32, String)] = [
      (["export", "uniform:4", "--to", "gptq"], 64, "--output"),
      (["export", "uniform:4", "--to", "hf", "--for", "vllm", "-o", "x"], 64, "--for"),
      (["export", "uniform:4", "--to", "gptq", "--for", "gguf", "-o", "x"], 64, "gguf"),
      (
        ["export", "uniform:4", "--to", "compressed-tensors", "--checkpoint-format", "gptq", "-o", "x"], 64, "--to gptq"
      ),
      (["export", "uniform:4", "--to", "gptq", "-o", "x"], 78, "multiples of 32"),
      (["export", "dense", "--to", "compressed-tensors", "-o", "x"], 78, "--to hf"),
      (["export", "uniform:4", "--to", "llama-quantize"], 78, "type of GGUF"),
      (["export", "uniform:4", "--to", "gguf-toolkit"], 78, "type of GGUF"),
      (["export", "uniform:4", "--to", "compressed-tensors", "-o", "no/where"], 66, "no such folder"),
      (["search", "--for", "vllm", "--target-bits", "4", "--bits", "3,4"], 78, "4 and 8 bits"),
      (["search", "--for", "vllm", "--target-sparsity", "0.5"], 64, "--for"),
      (["search", "--for", "gguf", "--target-drop", "0.5"], 64, "--for"),
      (["search", "--for", "gguf", "--target-bits", "4", "--method", "gptq"], 64, "kquant"),
      (["search", "--for", "ollama", "--target-bits", "4"], 64, "transformers"),
      (["baseline", "dp", "--for", "vllm", "--target-bits", "4", "--bits", "5"], 78, "4 and 8 bits"),
      (["front", "--for", "transformers", "--from", "2bit", "--to", "4bit"], 78, "symmetric"),
    ]
    for (command, code, text) in cases {
      let result = try catalog.run(command[0], Array(command.dropFirst()))
      #expect(result.exitCode == code, "\(command): \(result.exitCode) \(result.diagnostics)")
      #expect(result.diagnostics.contains(text), "\(command): \(result.diagnostics)")
    }
  }
}
