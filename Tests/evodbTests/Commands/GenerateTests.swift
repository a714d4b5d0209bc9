import Foundation
import TestSupport
import Testing

/// `evodb data --generate`.
@Suite(.usualTimeLimit) struct GenerateTests {
  private static let request = ["--generate", "--tokens", "200", "--sequence-length", "20", "--seed", "5"]

  @Test func aModelsOwnTextIsADataSetLikeAnyOther() throws {
    let catalog = try TinyCatalog(.filled)
    let made = try catalog.json(["data", "own"] + Self.request + ["--threads", "1"])
    #expect(try made.integer("sequence_count") == 10 && made.integer("token_count") == 200)
    let again = try catalog.run("data", ["own"] + Self.request)
    #expect(again.exitCode == 0 && again.diagnostics.contains("there already"))
    // Another catalog, other threads: the same text.
    let other = try TinyCatalog(.filled)
    let same = try other.json(["data", "mine"] + Self.request + ["--threads", "3", "--temperature", "1.0"])
    #expect(try same.text("digest") == made.text("digest"))
    let cold = try other.json(["data", "cold"] + Self.request + ["--temperature", "0.5", "--top-p", "0.9"])
    #expect(try cold.text("digest") != made.text("digest"))
    #expect(
      try other.number(
        "SELECT count(*) AS n FROM data_set WHERE options LIKE '{\"source\":\"self-generated\"%'") == 2)
    #expect(try catalog.json("calibrate", "--data", "own").integer("computed_statistic_count") == 12)
  }

  @Test func wrongAndImpossibleRequestsAreRefused() throws {
    let catalog = try TinyCatalog(.filled)
    let wrong = [
      ["own", "--generate"], ["own", "--tokens", "100"], ["own", "--generate", "--tokens", "100", "--top-p", "0"],
      ["own", "--generate", "--tokens", "100", "--temperature", "0"],
      ["own", "text.txt", "--generate", "--tokens", "100"],
      ["own", "--token-ids", "calibration.safetensors", "--seed", "1"],
    ]
    for arguments in wrong {
      let result = try catalog.run("data", arguments)
      #expect(result.exitCode == 64, "\(arguments): \(result.diagnostics)")
    }
    let impossible = [
      (["--tokens", "100", "--sequence-length", "65"], "at most 64"), (["--tokens", "10"], "less than one sequence"),
      (["--tokens", "100", "--sequence-length", "20", "--memory", "1M"], "the least is"),
    ]
    for (arguments, text) in impossible {
      let result = try catalog.run("data", ["own", "--generate"] + arguments)
      #expect(result.exitCode == 78, "\(arguments): \(result.diagnostics)")
      #expect(result.diagnostics.contains(text), "\(result.diagnostics)")
    }
    let taken = try catalog.run("data", ["calibration"] + Self.request)
    #expect(taken.exitCode == 73, "\(taken.diagnostics)")
    #expect(try catalog.number("SELECT count(*) AS n FROM data_set") == 2)
  }

  @Test func filesThatAreNotThereAndFoldersAreMissingInput() throws {
    let catalog = try TinyCatalog(.made)
    try catalog.output("import", Fixtures.example("prose-10m").path)
    for name in ["nowhere.txt", "."] {
      #expect(try catalog.run("data", "n", name).exitCode == 66)
    }
  }
}
