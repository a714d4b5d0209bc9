import Foundation
import TestSupport
import Testing

/// Data of one sequence, listed once or more: values, no standard errors, and a sentence that says so.
@Suite(.usualTimeLimit) struct OneSequenceTests {
  /// A built catalog with data sets `one` (a sequence) and `same` (the same one four times).
  private func catalog() throws -> TinyCatalog {
    let catalog = try TinyCatalog(.built)
    for (name, count) in [("one", 1), ("same", 4)] {
      let ids = (0..<count).flatMap { _ in (0..<32).map { Int32(($0 * $0 * 7 + 3) % 96) } }
      var builder = SafetensorsBuilder()
      builder.add(
        "input_ids", dtype: "I32", shape: [count, 32], bytes: ids.flatMap { SafetensorsBuilder.littleEndian($0) })
      try Data(builder.bytes()).write(to: catalog.folder.appendingPathComponent("\(name).safetensors"))
      try catalog.output("data", name, "--token-ids", "\(name).safetensors")
    }
    return catalog
  }

  private static let search = [
    "search", "--target-bits", "3", "--generations", "2", "--offspring", "4", "--survivors", "1", "--tokens", "32",
  ]

  @Test(arguments: ["one", "same"])
  func aSearchEndsWithASentence(name: String) throws {
    let catalog = try catalog()
    let text = try catalog.output(Self.search + ["--data", name, "--name", "s"])
    #expect(text.contains("The calibration data \(name) are one sequence"), "\(text)")
    #expect(text.contains("Found ") && !text.contains("nan") && !text.contains("many standard errors"), "\(text)")
    #expect(try catalog.output("show", "s").contains("no standard error can be told"))
    let fields = try catalog.json("show", "s")
    #expect(try fields.number("kl") > 0)
    let line = try catalog.output("show", "s", "--format", "csv")
    #expect(!line.lowercased().contains("nan") && !line.lowercased().contains("inf,"))
    let dp = try catalog.output("baseline", "dp", "--target-bits", "3", "--data", name, "--name", "d")
    #expect(dp.contains("are one sequence"), "\(dp)")
    let compared = try catalog.run("compare", ["s", "d", "--data", name])
    #expect(compared.exitCode == 0 && compared.diagnostics.contains("\(name) is one sequence"))
    let log = try catalog.output("log")
    #expect(!log.lowercased().contains("nan"), "\(log)")
    let found = try catalog.run("monotonicity", ["--validation", name])
    #expect(found.exitCode == 0, "\(found.diagnostics)")
  }

  @Test func aHeldOutSequenceIsSaidBesideMoreCalibrationData() throws {
    let catalog = try catalog()
    let text = try catalog.output(Self.search + ["--data", "calibration", "--validation", "one", "--name", "s"])
    #expect(text.contains("The validation data one are one sequence"), "\(text)")
    #expect(!text.contains("The calibration data"))
    let more = try catalog.output(Self.search + ["--data", "calibration", "--validation", "validation", "--name", "t"])
    #expect(!more.contains("one sequence") && more.contains("standard errors of the paired difference"), "\(more)")
  }

  @Test func seedsHaveOneRangeWhereverTheyAreGiven() throws {
    let catalog = try catalog()
    let range = "from 0 to 9223372036854775807"
    let search = Self.search + ["--data", "calibration"]
    try catalog.output(search + ["--name", "s", "--seed", "9223372036854775807"])
    #expect(
      try catalog.output("query", "SELECT seed FROM run_summary WHERE run = 's'", "--format", "csv")
        == "seed\r\n9223372036854775807\r\n")
    for seed in ["9223372036854775808", "18446744073709551616", "-1", "x", "1.5"] {
      for command in [
        search + ["--seed=\(seed)"], ["baseline", "random", "--target-bits", "3", "--seed=\(seed)"],
        ["data", "g", "--generate", "--tokens", "64", "--seed=\(seed)"], ["verify", "--seed=\(seed)"],
        ["branch", "s@1", "--name", "b", "--set", "seed=\(seed)"],
      ] {
        let result = try catalog.run(command[0], Array(command.dropFirst()))
        #expect(result.exitCode == 64 && result.diagnostics.contains(range), "\(command): \(result.diagnostics)")
      }
    }
    for verb in ["search", "baseline", "data", "verify", "auto"] {
      let help = try catalog.runner.run(["help", verb]).output
      #expect(help.split(whereSeparator: \.isWhitespace).joined(separator: " ").contains(range), "\(verb)")
    }
  }

  @Test func advisedCommandsAreQuoted() throws {
    let folder = try TemporaryFolder()
    let runner = try CommandLineRunner(workingDirectory: folder.url)
    let name = "it's $HOME `id`.evodb"
    let made = try runner.run(["init", name])
    #expect(made.diagnostics.contains(#"evodb import 'it'\''s $HOME `id`.evodb' MODEL_DIR"#), "\(made.diagnostics)")
    let missing = try runner.run(["status", "no such.evodb"])
    #expect(missing.diagnostics.contains("evodb init 'no such.evodb'"))
    let catalog = try catalog()
    let running = try catalog.runner.run(
      ["branch", catalog.path, "x y", "--name", "z"])
    #expect(running.exitCode == 66)
    let open = try catalog.run(
      "search", Array((Self.search + ["--data", "calibration", "--name", "my run"]).dropFirst()))
    #expect(open.exitCode == 0)
    let branched = try catalog.run("branch", ["my run@1", "--name", "-dash", "--no-search", "--set", "generations=3"])
    #expect(branched.exitCode == 0 || branched.exitCode == 64, "\(branched.diagnostics)")
    let other = try catalog.run("branch", ["my run@1", "--name=-dash", "--no-search", "--set", "generations=3"])
    #expect(other.exitCode == 0, "\(other.diagnostics)")
    let status = try catalog.output("status")
    #expect(status.contains("evodb resume -- ") && status.contains(" -dash"), "\(status)")
  }
}
