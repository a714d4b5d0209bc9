import Foundation
import TestSupport
import Testing

/// GGUF files from the command line.
@Suite(.usualTimeLimit) struct GGUFExportCommandTests {
  @Test func aFileIsWrittenAndSaysWhatIsNotAsItWas() throws {
    let catalog = try TinyCatalog(.built)
    let result = try catalog.run(
      "export", ["uniform:3", "--to", "gguf", "--embedding-type", "Q8_0", "-o", "m.gguf", "--format", "json"])
    #expect(result.exitCode == 0, "\(result.diagnostics)")
    let file = catalog.folder.appendingPathComponent("m.gguf")
    let size = try #require(try FileManager.default.attributesOfItem(atPath: file.path)[.size] as? Int)
    let values = try #require(
      JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    #expect(values["file_bytes"] as? Int == size && values["block_count"] as? Int == 3)
    #expect(try Data(contentsOf: file).prefix(4) == Data("GGUF".utf8))
    #expect(result.diagnostics.contains("evodb: 21 layers") || result.diagnostics.contains("evodb: 18 layers"))
    let quiet = try catalog.run("export", ["uniform:3", "--to", "gguf", "--quiet", "-o", "q.gguf"])
    #expect(quiet.exitCode == 0 && quiet.diagnostics.isEmpty, "\(quiet.diagnostics)")
    let again = try catalog.run("export", ["uniform:3", "--to", "gguf", "-o", "m.gguf"])
    #expect(again.exitCode == 73 && again.diagnostics.contains("exists already"))
  }

  @Test func wrongRequestsEndWithTheirCode() throws {
    let catalog = try TinyCatalog(.built)
    let opt = Fixtures.url("golden/models/opt").path
    try catalog.output("import", opt, "--name", "opt")
    let cases: [([String], Int32, String)] = [
      (["uniform:3", "--model", "llama-gqa", "--to", "gguf"], 64, "--output PATH, the file to write"),
      (["uniform:3", "--to", "gguf", "-o", "x.gguf", "--embedding-type", "Q3"], 64, "--embedding-type"),
      (["uniform:3", "--to", "gguf", "-o", "x.gguf", "--head-type", "IQ2_XS"], 64, "Q4_K"),
      (
        ["uniform:3", "--to", "gguf", "-o", "x.gguf", "--max-shard-size", "1GB"], 64, "--max-shard-size is for --to hf"
      ),
      (["uniform:3", "--to", "hf", "-o", "x", "--embedding-type", "Q4_K"], 64, "--embedding-type is for --to gguf"),
      (["uniform:3", "--to", "hf", "-o", "x", "--no-tokenizer"], 64, "--no-tokenizer is for --to gguf"),
      (["uniform:3", "--model", "llama-gqa", "--to", "gguf", "-o", "no/x.gguf"], 66, "no such folder"),
      (["dense", "--model", "opt", "--to", "gguf", "-o", "x.gguf"], 78, "llama.cpp has no model of the family opt"),
      (
        ["drop:0,1,2", "--model", "llama-gqa", "--to", "gguf", "-o", "x.gguf"], 78, "llama.cpp needs at least one"
      ),
    ]
    for (command, code, text) in cases {
      let result = try catalog.run("export", command)
      #expect(result.exitCode == code, "\(command): \(result.exitCode) \(result.diagnostics)")
      #expect(result.diagnostics.contains(text), "\(command): \(result.diagnostics)")
    }
    let left = try FileManager.default.contentsOfDirectory(atPath: catalog.folder.path)
    #expect(!left.contains { $0.contains("gguf") }, "\(left)")
  }
}
