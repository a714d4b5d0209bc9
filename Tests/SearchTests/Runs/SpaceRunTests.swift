import TestSupport
import Testing

@testable import Catalog
@testable import Inference
@testable import Search

/// Searches over every kind of space; the rules are read back from the tables with SQL.
@Suite(.usualTimeLimit) struct SpaceRunTests {
  /// Finishes a run and checks the rules that hold in every space.
  @discardableResult
  private func finish(_ recipe: SearchRecipe, in catalog: RunCatalog) throws -> Run {
    let run = try catalog.run(recipe)
    try run.run()
    #expect(run.record.isFinished)
    let candidates = try catalog.count("SELECT count(*) FROM candidate")
    #expect(candidates > 4)
    #expect(try catalog.count("SELECT count(*) FROM (\(RunCatalog.candidateCosts)) WHERE cost > budget") == 0)
    #expect(try catalog.count("SELECT count(*) FROM (\(RunCatalog.candidateCosts)) WHERE cost > 0") == candidates)
    #expect(try catalog.count("SELECT count(*) FROM (\(RunCatalog.fittingSteps))") == 0)
    // The same again is found; the space comes back from its tables as it was.
    let again = try catalog.run(recipe)
    #expect(again.isResumed && again.record.id == run.record.id)
    let space = try catalog.store.read { try $0.space(id: run.record.spaceID) }
    #expect(try catalog.rows("SELECT digest FROM space WHERE id = \(space.id)") == [[.digest(space.digest)]])
    return run
  }

  private func step(_ layer: LayerRecord) -> [Int] {
    (-2...2).map { layer.weightCount / 2 + 100 * $0 }
  }

  // MARK: Drops

  @Test(arguments: [[], [UnitTie.block], [.pairs]]) func exactlyAsManyAsAskedForAreDropped(ties: [UnitTie]) throws {
    let catalog = try RunCatalog()
    // Three blocks: of pairs there is one, blocks 0 and 1, and it must stay or go as a whole.
    let count = ties == [.pairs] ? 2 : 1
    try finish(RunCatalog.recipe(.dropCount(count), .subblocks) { $0.ties = ties }, in: catalog)
    let dropped = "FROM candidate c JOIN assignment a ON a.id = c.assignment_id JOIN json_each(a.dropped_subblocks) d"
    let candidates = try catalog.count("SELECT count(*) FROM candidate")
    for half in ["attention", "mlp"] {
      #expect(
        try catalog.count("SELECT count(*) \(dropped) WHERE d.value LIKE '%.\(half)'") == candidates * Int64(count))
    }
    #expect(
      try catalog.rows("SELECT cost, target_dropped_subblock_count, target_bits FROM run_summary")
        == [[.text("subblocks"), .integer(2 * count), .null]])
    if ties == [.block] {
      #expect(
        try catalog.count("SELECT count(DISTINCT dropped_subblocks) FROM assignment WHERE dropped_subblocks <> '[]'")
          == 3)
    }
  }

  @Test func onlyWhatTheListAllowsIsDropped() throws {
    let catalog = try RunCatalog()
    let recipe = RunCatalog.recipe(.drop(0.34), .subblocks) {
      $0.allowed = ["0.attention", "1.mlp", "2.attention", "2.mlp"]
      $0.initial = "random:64"
    }
    try finish(recipe, in: catalog)
    let others = "d.value NOT IN ('0.attention', '1.mlp', '2.attention', '2.mlp')"
    #expect(
      try catalog.count(
        "SELECT count(*) FROM assignment a JOIN json_each(a.dropped_subblocks) d WHERE \(others)") == 0)
    // There are four assignments: all of them are tried, and the missing starts are counted.
    #expect(try catalog.count("SELECT count(*) FROM candidate WHERE generation_index = 0") == 4)
    let run = try catalog.store.read { try $0.run(nil) }
    #expect(try catalog.store.read { try $0.missingOffspring(ofRun: run.id).starts } == 60)
  }

  @Test func theWorstIsWorseThanTheBest() throws {
    let catalog = try RunCatalog()
    let best = try finish(RunCatalog.recipe(.dropCount(1), .subblocks), in: catalog)
    let worst = try finish(RunCatalog.recipe(.dropCount(1), .subblocks) { $0.isInverted = true }, in: catalog)
    func value(_ run: Run) throws -> Double {
      try #require(try run.results().first { $0.point == .found && $0.role == .calibration && $0.measure == "kl" })
        .value
    }
    #expect(try value(worst) > value(best))
    // The reference is the better one: nobody should take the worst.
    #expect(worst.record.recommendation == .reference)
  }

  @Test(arguments: [
    SearchRecipe.Target.drop(0.1), .drop(1), .drop(0), .dropCount(0), .dropCount(3), .dropCount(.max), .drop(1e300),
  ]) func noneAndAllCannotBeDropped(target: SearchRecipe.Target) throws {
    let catalog = try RunCatalog()
    let range = "that many attentions and as many MLPs can be removed from 1 to 2"
    expectError(like: SearchError.impossible(detail: range)) {
      try catalog.run(RunCatalog.recipe(target, .subblocks))
    }
    #expect(try catalog.count("SELECT count(*) FROM run") == 0)
  }

  // MARK: Sparsity

  @Test func equalStepsExchangeAcrossLayersOfAllSizes() throws {
    let catalog = try RunCatalog()
    try catalog.addSparseVariants(zeros: step)
    let run = try finish(RunCatalog.recipe(.sparsity(0.5), .weights), in: catalog)
    #expect(run.recipe.mutationGroup == "size")
    #expect(
      try catalog.rows("SELECT DISTINCT cost, budget FROM (\(RunCatalog.candidateCosts))").count == 1,
      "a run that starts on its budget stays on it")
    #expect(try catalog.rows("SELECT cost, target_sparsity FROM run_summary") == [[.text("weights"), .real(0.5)]])
    let reference = try #require(run.record.referenceAssignmentID)
    #expect(reference == run.record.startAssignmentID)
    #expect(try catalog.store.read { try $0.uniformSetting(ofAssignment: reference) }?.rule == .sparsity(0.5))
    let shares = try catalog.rows("SELECT round(sparsity, 9) FROM assignment_summary WHERE sparsity IS NOT NULL")
    #expect(shares.allSatisfy { $0 == [.real(0.5)] })
    // Layers of different sizes did exchange: some layer of each size has left the middle.
    #expect(try catalog.count("SELECT count(DISTINCT size_group) FROM space_unit") == 1)
  }

  @Test func sparsitiesBetweenLevelsAndUnevenLevelsWork() throws {
    let catalog = try RunCatalog()
    try catalog.addSparseVariants { layer in [0.31, 0.47, 0.66].map { Int($0 * Double(layer.weightCount)) } }
    let run = try finish(RunCatalog.recipe(.sparsity(0.5), .weights), in: catalog)
    #expect(run.recipe.mutationGroup == "none", "uneven steps cannot be exchanged one for one")
    #expect(run.record.referenceAssignmentID == run.record.startAssignmentID)
    for sparsity in [0.9, 0.1] {
      let range = "a sparsity of \(sparsity) is outside of what the built levels allow: "
      expectError(like: SearchError.impossible(detail: range)) {
        try catalog.run(RunCatalog.recipe(.sparsity(sparsity), .weights))
      }
    }
  }

  @Test func patternsAreASpaceOfTheirOwn() throws {
    let catalog = try RunCatalog()
    try catalog.addSparseVariants(zeros: { _ in [] }, pattern: "2:4")
    try finish(
      RunCatalog.recipe(.sparsity(0.25), .weights) {
        $0.patterns = ["2:4"]
        $0.allowsDense = true
      }, in: catalog)
  }

  // MARK: Joint spaces

  static let joint: [SearchRecipe] = [
    RunCatalog.recipe(.bytes(40_000), .stored) { $0.allowsDrop = true },
    RunCatalog.recipe(.bytes(60_000), .stored) {
      $0.methods = ["gptq", "sparsegpt"]
      $0.allowsDrop = true
      $0.ties = [.qkv, .gateUp]
    },
    RunCatalog.recipe(.bits(4.3), .stored) { $0.methods = ["gptq", "sparsegpt"] },
    RunCatalog.recipe(.bits(3.9), .stored) {
      $0.allowsDrop = true
      $0.mutationGroup = "size"
    },
    RunCatalog.recipe(.bits(5), .stored) {
      $0.methods = ["gptq", "sparsegpt"]
      $0.allowsDrop = true
      $0.allowsDense = true
      $0.ties = [.block]
      $0.allowed = ["1.attention", "1.mlp"]
    },
    RunCatalog.recipe(.bits(3), .codes) { $0.allowsDrop = true },
    RunCatalog.recipe(.sparsity(0.55), .weights) { $0.allowsDrop = true },
  ]

  @Test(arguments: joint) func noCandidateIsAboveItsBudgetAndNothingFitsIntoTheSlack(recipe: SearchRecipe) throws {
    let catalog = try RunCatalog()
    try catalog.addSparseVariants(zeros: step, pattern: "2:4")
    var recipe = recipe
    recipe.generations = 3
    let run = try finish(recipe, in: catalog)
    if recipe.allowsDrop, recipe.mutationGroup.isEmpty {
      #expect(
        try catalog.count("SELECT count(*) FROM assignment WHERE dropped_subblocks <> '[]'") > 0, "\(recipe.target)")
      #expect(run.recipe.mutationGroup == "none")
    }
    if recipe.ties.contains(.qkv) {
      // q, k and v of a block have one level, in every candidate.
      #expect(
        try catalog.count(
          """
          SELECT count(*) FROM (SELECT 1 FROM assignment_layer WHERE role IN ('q_proj', 'k_proj', 'v_proj')
          GROUP BY assignment_id, block_index HAVING count(DISTINCT method || bits) > 1)
          """) == 0)
    }
  }

  @Test func aRunGoesOnFromAnotherRunsResult() throws {
    let catalog = try RunCatalog()
    let first = try finish(RunCatalog.recipe(), in: catalog)
    let found = try #require(first.record.foundAssignmentID)
    let digest = try catalog.store.read { try $0.assignment(id: found).digest.hex }
    let second = try finish(
      RunCatalog.recipe(.bits(3.6), .stored) {
        $0.allowsDrop = true
        $0.initial = "assignment:\(digest)"
      }, in: catalog)
    #expect(second.record.startAssignmentID != nil)
    #expect(try catalog.count("SELECT count(*) FROM candidate WHERE run_id = 2 AND generation_index = 0") == 1)
    let drops = try finish(
      RunCatalog.recipe(.dropCount(2), .subblocks) { $0.initial = "assignment:\(digest)" }, in: catalog)
    #expect(drops.record.isFinished)
  }

  @Test func tiesThatCannotBeAreRefused() throws {
    let catalog = try RunCatalog()
    for (recipe, rule) in [
      (RunCatalog.recipe(.bits(3.6), .stored) { $0.ties = [.qkv, .block] }, "would be tied twice, by qkv and block"),
      (RunCatalog.recipe(.bits(3.6), .stored) { $0.ties = [.pairs] }, "layers are tied by qkv"),
      (RunCatalog.recipe(.dropCount(1), .subblocks) { $0.ties = [.qkv] }, "drops are tied by block or by pairs"),
    ] {
      expectError(like: SearchError.invalidParameter(detail: rule)) { try catalog.run(recipe) }
    }
  }

  @Test func listsOfSubblocksAreReadLineByLine() throws {
    let text = "# what may go\n3.attention\n\n  2   # both halves\r\n3.attention\n"
    #expect(try DropList.parse(text, blockCount: 4) == ["2.attention", "2.mlp", "3.attention"])
    for (text, place) in [
      ("", "no subblock"), ("# nothing", "no subblock"), ("1\n4", "line 2"), ("attention", "line 1"),
      ("1.ffn", "line 1"),
      ("1 2", "line 1"), ("01.mlp", "line 1"), ("-1", "line 1"), ("1.mlp.x", "line 1"),
      ("99999999999999999999", "line 1"),
    ] {
      expectError(like: SearchError.invalidProfile(detail: place), "\(text)") {
        try DropList.parse(text, blockCount: 4)
      }
    }
  }
}
