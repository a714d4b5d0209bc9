import Foundation
import TestSupport
import Testing

/// `evodb branch`: a run that begins where another one stood.
@Suite(.usualTimeLimit) struct BranchCommandTests {
  private static let sharedTables = [
    "model", "tensor", "site", "weight", "layer", "sequence", "sequence_list", "sequence_list_item", "data_set",
    "method",
    "statistic", "variant", "blob", "blob_chunk", "assignment", "measure", "observation", "space", "space_unit",
    "space_level", "space_member", "generation", "candidate", "stage", "stage_result",
  ]

  private func counts(_ catalog: TinyCatalog) throws -> [Double] {
    try Self.sharedTables.map { try catalog.number("SELECT count(*) FROM \($0)") }
  }

  private func parent(_ catalog: TinyCatalog, _ run: String, _ generation: Int) throws -> String {
    let rows = try catalog.rows(
      "SELECT parent_assignment AS a FROM run_progress WHERE run = '\(run)' AND generation = \(generation)")
    return try #require(rows.first).text("a")
  }

  @Test func aBranchCopiesNoSharedRow() throws {
    let catalog = try TinyCatalog(.searched)
    let before = try counts(catalog)
    try catalog.output("branch", "first@2", "--name", "second", "--set", "seed=1", "--no-search")
    #expect(try counts(catalog) == before)
    let row = try #require(
      try catalog.rows("SELECT origin_run, origin_generation, seed, state FROM run_summary WHERE run = 'second'").first)
    #expect(try row.text("origin_run") == "first" && row.integer("origin_generation") == 2)
    #expect(try row.integer("seed") == 1 && row.text("state") == "open")
  }

  @Test func aBranchBeginsWithThatGenerationsParentAndIsSearched() throws {
    let catalog = try TinyCatalog(.searched)
    for generation in [0, 2] {
      let name = "from-\(generation)"
      let report = try catalog.json(
        "branch", "first@\(generation)", "--name", name, "--set", "seed=1", "--set", "generations=2")
      #expect(try report.text("state") == "finished")
      #expect(try parent(catalog, name, 0) == parent(catalog, "first", generation))
    }
    let lineage = try catalog.rows(
      "SELECT depth, ancestor_run, generation, parent_assignment FROM run_lineage WHERE run = 'from-2' "
        + "ORDER BY depth DESC, generation")
    #expect(try lineage.map { try $0.integer("depth") } == [1, 1, 1, 0, 0, 0])
    for row in lineage {
      let expected = try parent(catalog, row.text("ancestor_run"), row.integer("generation"))
      #expect(try row.text("parent_assignment") == expected)
    }
    // Without a generation it is the last one.
    try catalog.output("branch", "first", "--name", "on", "--set", "seed=2", "--no-search")
    #expect(try catalog.number("SELECT origin_generation FROM run_summary WHERE run = 'on'") == 4)
    // The strokes are those of the locale.
    let graph = try catalog.output("log", "--graph").split(separator: "\n")
    #expect(graph.count == 4)
    for (line, text) in zip(graph.dropFirst(), [("@0 ", " from-0  "), ("@2 ", " from-2  "), ("@4 ", " on  ")]) {
      #expect(line.contains(text.0) && line.contains(text.1), "\(line)")
    }
    #expect(try catalog.run("resume", "on").exitCode == 0)
  }

  @Test func anotherTargetIsKept() throws {
    let catalog = try TinyCatalog(.searched)
    let report = try catalog.json(
      "branch", "first@3", "--name", "smaller", "--set", "target-bits=2.75", "--set", "generations=1")
    #expect(try report.number("average_bits") <= 2.75 && report.number("average_bits") > 2.7)
    #expect(
      try catalog.number(
        """
        SELECT max(s.average_bits) FROM candidate_result c JOIN assignment_summary s ON s.assignment_id = c.assignment_id
        WHERE c.run = 'smaller'
        """) <= 2.75)
  }

  private static let refused: [(arguments: [String], code: Int32, text: String)] = [
    (["first@2", "--name", "x", "--set", "sed=1"], 64, "did you mean seed?"),
    (["first@2", "--name", "x", "--set", "seed"], 64, "FIELD=VALUE"),
    (["first@2", "--name", "x", "--set", "generations=many"], 64, "a number"),
    (["first@2", "--name", "x", "--set", "offspring=0"], 64, "offspring"),
    (["first@2", "--name", "x", "--set", "target-bits=99"], 78, "bits"),
    (["first@99", "--name", "x"], 66, "0 to 4"), (["none@1", "--name", "x"], 66, "none"), (["first@2"], 64, "--name"),
    (["first@2", "--name", "first", "--set", "seed=9"], 73, "first"),
  ]

  @Test(arguments: refused) func whatCannotBeIsSaid(arguments: [String], code: Int32, text: String) throws {
    let catalog = try TinyCatalog(.searched)
    let result = try catalog.run("branch", arguments)
    #expect(result.exitCode == code, "\(arguments): \(result.exitCode) \(result.diagnostics)")
    #expect(result.diagnostics.contains(text), "\(result.diagnostics)")
    #expect(try catalog.number("SELECT count(*) FROM run") == 1)
  }
}
