import Foundation
import TestSupport
import Testing

/// Searches for sparsities, drops and joint budgets from the command line.
@Suite(.usualTimeLimit) struct SpaceVerbTests {
  private static let short = [
    "--generations", "2", "--offspring", "4", "--survivors", "2,1", "--tokens", "64,128", "--data", "calibration",
    "--validation", "validation", "--strategy", "evopress",
  ]

  @Test func aSearchForDropsTellsWhatIsRemoved() throws {
    let catalog = try TinyCatalog(.filled)
    let options = ["search", "--target-drop", "0.34"] + Self.short
    let table = try catalog.output(options)
    #expect(table.contains("dropped") && table.contains("start") && !table.contains(" bits "))
    #expect(table.contains("of the random starts asked for do not exist"))
    let found = try catalog.json(options)
    #expect(try found.integer("dropped_subblock_count") == 2)
    #expect(try found.integer("forward_tokens") == 0)
    #expect(try catalog.output("ls", "runs").contains("drop=1"))
    // The same target in one word is the same run.
    let words = options.map { $0 == "--target-drop" ? "--target" : $0 == "0.34" ? "drop=34%" : $0 }
    #expect(try catalog.json(words).text("run") == found.text("run"))
    let digest = try found.text("assignment")
    #expect(try catalog.output("show", digest).contains("dropped"))
    let value = try catalog.json("evaluate", digest, "--data", "validation")
    #expect(try value.integer("dropped_subblock_count") == 2)
  }

  @Test func theWorstIsNamedSo() throws {
    let catalog = try TinyCatalog(.filled)
    let table = try catalog.output(["search", "--drop-count", "1", "--tie", "block", "--worst"] + Self.short)
    #expect(table.contains("worst") && !table.contains("Recommended"))
  }

  @Test func aJointSearchKeepsItsBytes() throws {
    let catalog = try TinyCatalog()
    let found = try catalog.json(
      ["search", "--target-bytes", "45000", "--allow-drop", "--tie", "qkv,gate_up", "--initial", "uniform:2"]
        + Self.short)
    #expect(try found.integer("stored_bytes") <= 45000)
    #expect(try catalog.output("evaluate", "drop:0.attention,2", "--data", "validation").contains("kl"))
  }

  @Test func aLayerWithoutWeightsIsNoObstacleToDrops() throws {
    let catalog = try TinyCatalog()
    try catalog.output("build", "--data", "calibration", "--method", "magnitude", "--sparsity", "0.5,1")
    let joint = ["search", "--target-stored-bits", "3", "--method", "gptq,magnitude", "--allow-drop"]
    #expect(try catalog.json(joint + Self.short).number("average_stored_bits") <= 3)
  }

  @Test func ofPatternsOfEqualCostTheFreerStays() throws {
    let catalog = try TinyCatalog(.filled)
    try catalog.output("build", "--method", "magnitude", "--pattern", "2:4,4:8")
    let options = ["--method", "magnitude", "--pattern", "2:4,4:8", "--initial", "random:1"]
    // With a single level for every layer there is nothing to search, and the strategies agree.
    for strategy in ["evopress", "guided"] {
      let found = try catalog.json(
        ["search", "--target-sparsity", "0.5"] + options + Self.short.dropLast() + [strategy])
      let levels = try catalog.rows(
        "SELECT DISTINCT level FROM assignment_layer WHERE assignment = '\(try found.text("assignment"))'")
      #expect(try levels.map { try $0.text("level") } == ["pattern=4:8"])
    }
  }

  @Test(arguments: [
    ([], 64, "--target-sparsity"), (["--target-bits", "3", "--target-drop", "0.5"], 64, "one target"),
    (["--target-drop", "0.5", "--bits", "3"], 64, "--bits"),
    (["--target-drop", "0.5", "--tie", "qkv"], 64, "block or pairs"),
    (["--target-bits", "3", "--tie", "pairs"], 64, "--target-drop"),
    (["--target-bits", "3", "--allow", "x"], 64, "--allow-drop"),
    (["--target-sparsity", "0.5", "--method", "gptq"], 64, "sparsegpt"),
    (["--target-drop", "0.5", "--allow", "none"], 66, "none"),
    (["--target-drop", "0.5", "--allow", "bad.txt"], 65, "line 2"), (["--drop-count", "0"], 78, "1 to 2"),
    (["--target-drop", "1"], 78, "1 to 2"), (["--drop-count", "1", "--allow", "one.txt"], 78, "none"),
    (["--target-sparsity", "0.5"], 78, "evodb build"), (["--target-bytes", "10"], 78, "bytes"),
    (["--target-bytes", "900G"], 78, "bytes"), (["--target-stored-bits", "99"], 78, "bits per weight"),
    (["--target-bits", "3", "--initial", "nonsense"], 66, "uniform:BITS"),
    (["--target-bits", "3", "--pattern", "2:4"], 64, "--pattern"),
    (["--target-bits", "2.5", "--initial-tokens", "99999"], 78, "768"),
  ]) func whatCannotBeIsSaidWithItsRange(options: [String], code: Int32, hint: String) throws {
    let catalog = try TinyCatalog()
    try "0\n7\n".write(to: catalog.folder.appendingPathComponent("bad.txt"), atomically: true, encoding: .utf8)
    try "0.mlp\n".write(to: catalog.folder.appendingPathComponent("one.txt"), atomically: true, encoding: .utf8)
    let result = try catalog.run("search", options + ["--data", "calibration"])
    #expect(result.exitCode == code)
    #expect(result.diagnostics.contains(hint), "\(result.diagnostics)")
    #expect(result.output.isEmpty)
  }
}
