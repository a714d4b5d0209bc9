import Foundation
import TestSupport
import Testing

extension WholeRunTests {
  /// Nothing is computed twice, and nothing depends on how it was computed.
  @Suite(.usualTimeLimit) struct RepetitionTests {
    @Test func theSameRecipeAgainTakesNoForwardPassAndSaysSo() throws {
      let catalog = try TinyCatalog(.searched)
      let before = try catalog.digest("--all")
      let again = try catalog.json(TinyCatalog.firstSearch)
      #expect(try again.integer("forward_tokens") == 0)
      #expect(try again.integer("cache_hits") > 0)
      #expect(try again.text("run") == "first")
      // Without a name it is found all the same.
      let unnamed = try catalog.output(TinyCatalog.firstSearch.dropLast(2) + [])
      #expect(unnamed.contains("No forward pass"))
      let resumed = try catalog.output("resume", "first")
      #expect(resumed.contains("No forward pass"))
      #expect(try catalog.number("SELECT count(*) AS n FROM run") == 1)
      #expect(try catalog.digest("--all") == before)
    }

    @Test func aBuildAgainFindsEverything() throws {
      let catalog = try TinyCatalog(.built)
      let again = try catalog.json("build", "--data", "calibration", "--bits", "2-5")
      #expect(try again.integer("built_variant_count") == 0)
      #expect(try again.integer("found_variant_count") == 84)
      #expect(try again.integer("forward_tokens") == 0)
    }

    @Test func anotherSeedIsAnotherRunThatSharesWhatIsKnown() throws {
      let catalog = try TinyCatalog(.searched)
      let other = try catalog.json(["search"] + TinyCatalog.recipe + ["--data", "calibration", "--seed", "1"])
      #expect(try other.text("run") == "run-1")
      #expect(try other.integer("forward_tokens") > 0)
      #expect(try other.text("start_assignment") == catalog.json("show", "first").text("start_assignment"))
      #expect(try catalog.number("SELECT count(*) AS n FROM run") == 2)
      #expect(try catalog.run("show").exitCode == 66, "two runs need a name")
    }

    @Test func threadsPrefixesAndMemoryChangeNoBit() throws {
      func digest(_ threads: String, shares: Bool = true, isTight: Bool = false) throws -> String {
        let catalog = try TinyCatalog(.filled)
        func resources(_ command: [String]) throws -> [String] {
          let command = command + ["--threads", threads]
          guard isTight else { return command }
          let refusal = try catalog.run(command[0], Array(command.dropFirst()) + ["--memory", "1M"])
          #expect(refusal.exitCode == 78)
          let least = refusal.diagnostics.split(separator: "the least is ").last?.prefix { $0 != "\n" } ?? ""
          return command + ["--memory", String(least)]
        }
        try catalog.output(try resources(["calibrate", "--data", "calibration"]))
        try catalog.output(try resources(["build", "--bits", "2-5"]))
        try catalog.output(try resources(TinyCatalog.firstSearch + (shares ? [] : ["--no-prefix-sharing"])))
        return try catalog.digest("--all")
      }
      let plain = try digest("1")
      for threads in ["2", "3"] { #expect(try digest(threads) == plain, "\(threads) threads") }
      #expect(try digest("1", shares: false) == plain)
      #expect(try digest("2", shares: false, isTight: true) == plain)
      #expect(try digest("3", isTight: true) == plain)
    }
  }
}
