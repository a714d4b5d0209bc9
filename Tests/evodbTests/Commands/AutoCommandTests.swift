import Foundation
import TestSupport
import Testing

extension WholeRunTests {
  /// `evodb auto` on the example model with a short text and a search of one generation.
  @Suite(.usualTimeLimit) struct AutoCommandTests {
    @Test func autoDoesEverythingOnceAndNothingTwice() throws {
      let folder = try TemporaryFolder()
      let text = try String(contentsOf: Fixtures.example("prose-10m/calibration.txt"), encoding: .utf8)
      try folder.write(String(text.prefix(6000)), to: "text.txt")
      let runner = try CommandLineRunner(workingDirectory: folder.url)
      let command = [
        "auto", Fixtures.example("prose-10m").path, "--text", "text.txt", "--target-bits", "3", "--bits", "2-4",
        "--upstream", "dense",
        "--generations", "1", "--offspring", "2", "--survivors", "1,1", "--tokens", "256,512", "--sequence-length",
        "128", "--catalog", "auto.evodb",
      ]
      let first = try runner.run(command + ["--format", "json"])
      #expect(first.exitCode == 0, "\(first.diagnostics)")
      #expect(first.diagnostics.contains("variants built with GPTQ"))
      let found = try JSONFields(first.output)
      #expect(try found.number("kl") > 0)
      #expect(try found.number("kl_standard_error") > 0)
      #expect(try found.number("average_bits") <= 3)
      #expect(try found.number("reference_average_bits") == 3)
      #expect(try found.integer("forward_tokens") > 0)
      let second = try runner.run(command)
      #expect(second.output.contains("No forward pass"), "\(second.output)")
      #expect(try JSONFields(runner.run(command + ["--format", "json"]).output).integer("forward_tokens") == 0)
      let files = try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
      #expect(files == ["auto.evodb", "text.txt"])
    }

    @Test func autoBuildsTypesForAFileOfACertainSize() throws {
      let folder = try TemporaryFolder()
      let text = try String(contentsOf: Fixtures.example("prose-10m/calibration.txt"), encoding: .utf8)
      try folder.write(String(text.prefix(6000)), to: "text.txt")
      let runner = try CommandLineRunner(workingDirectory: folder.url)
      let auto = ["auto", Fixtures.example("prose-10m").path, "--text", "text.txt", "--catalog", "auto.evodb"]
      // Of two blocks' 1.6 million weights; all else stays as it is.
      let found = try runner.run(
        auto + [
          "--budget", "file", "--target-bytes", "19MB", "--types", "Q2_K,Q8_0", "--layers", "layers\\.1[01]\\.",
          "--generations", "1", "--offspring", "2", "--survivors", "1,1", "--tokens", "256,512", "--sequence-length",
          "128", "--format", "json",
        ])
      #expect(found.exitCode == 0, "\(found.diagnostics)")
      #expect(found.diagnostics.contains("variants built with GPTQ on k-quants"), "\(found.diagnostics)")
      let size = try JSONFields(found.output).integer("file_bytes")
      #expect((18_000_000...19_000_000).contains(size))
      let export = try runner.run(["export", "auto.evodb", "run-1", "--to", "gguf", "-o", "model.gguf"])
      #expect(export.exitCode == 0, "\(export.diagnostics)")
      let path = folder.url.appendingPathComponent("model.gguf").path
      #expect(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int == size)
      for (options, text) in [
        (["--for", "gguf", "--target-bits", "4", "--bits", "2-4"], "give --types"),
        (["--target-bits", "4", "--types", "Q4_K"], "--types is for --for gguf"),
        (["--target-bits", "4", "--budget", "file"], "needs a target in bytes"),
        (["--for", "gguf", "--target-bits", "4", "--symmetric"], "has no use for kquant-gptq"),
      ] {
        let wrong = try runner.run(auto + options)
        #expect(wrong.exitCode == 64 && wrong.diagnostics.contains(text), "\(options): \(wrong.diagnostics)")
      }
    }

    @Test func anotherTextOfTheSameNameNeedsAnotherCatalog() throws {
      let folder = try TemporaryFolder()
      let text = try String(contentsOf: Fixtures.example("prose-10m/calibration.txt"), encoding: .utf8)
      let runner = try CommandLineRunner(workingDirectory: folder.url)
      let options = ["--target-bits", "8", "--sequence-length", "32", "--catalog", "a.evodb", "--bits", "3"]
      let command = ["auto", Fixtures.example("prose-10m").path, "--text", "text.txt"] + options
      try folder.write(String(text.prefix(1000)), to: "text.txt")
      #expect(try runner.run(command).exitCode == 78, "8 bits are not built")
      try folder.write(String(text.suffix(1000)), to: "text.txt")
      #expect(try runner.run(command).exitCode == 73)
    }
  }
}
