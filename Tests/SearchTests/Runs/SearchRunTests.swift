import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference
@testable import Search

/// Whole searches through the catalog: what they store keeps the rules, and stopping changes nothing.
@Suite(.serialized, .usualTimeLimit) struct SearchRunTests {
  @Test func resumeFromEveryClosedGenerationEqualsTheUndisturbedRun() throws {
    let undisturbed = try RunCatalog()
    try undisturbed.run(RunCatalog.recipe()).run()
    for last in 0..<4 {
      let stopped = try RunCatalog { progress, cancellation in
        // The next generation reports its first evaluation: those before it are closed.
        let generation = progress.details.first { $0.name == "generation" }?.value
        if generation == "\(last + 1)/4" { cancellation.request() }
      }
      let run = try stopped.run(RunCatalog.recipe())
      #expect { try run.run() } throws: { isStop($0) }
      #expect(try stopped.count("SELECT max(generation_index) FROM generation") == Int64(last))
      #expect(try stopped.count("SELECT count(*) FROM run WHERE state = 'open'") == 1)
      let resumed = try RunCatalog(stopped)
      let record = try resumed.store.read { try $0.run(nil) }
      try Run(record, evaluations: try resumed.evaluations(), job: resumed.job).run()
      #expect(try resumed.digest() == undisturbed.digest(), "after generation \(last)")
    }
  }

  @Test func aStoppedRunIsFoundByItsRecipe() throws {
    let stopped = try RunCatalog { progress, cancellation in
      if progress.details.contains(where: { $0.value == "2/4" }) { cancellation.request() }
    }
    #expect { try stopped.run(RunCatalog.recipe()).run() } throws: { isStop($0) }
    let again = try RunCatalog(stopped)
    let run = try again.run(RunCatalog.recipe())
    #expect(run.isResumed)
    try run.run()
    #expect(run.record.isFinished)
    #expect(try again.count("SELECT count(*) FROM run") == 1)
    // And once more: nothing is left to compute.
    let finished = try RunCatalog(again)
    try finished.run(RunCatalog.recipe()).run()
    #expect(finished.job.record.work.forwardTokenCount == 0)
    #expect(finished.job.record.work.evaluationCount == 0)
    #expect(finished.job.record.work.cacheHitCount > 0)
  }

  @Test func aNameBelongsToOneRecipe() throws {
    let catalog = try RunCatalog()
    _ = try catalog.run(RunCatalog.recipe(), name: "mine")
    expectError(like: CatalogError.nameTaken("a run called mine has another recipe")) {
      try catalog.run(RunCatalog.recipe(3.5), name: "mine")
    }
    expectError(like: CatalogError.nameTaken("run mine has exactly this recipe")) {
      try catalog.run(RunCatalog.recipe(), name: "yours")
    }
    #expect(try catalog.run(RunCatalog.recipe()).record.name == "mine")
    #expect(try catalog.run(RunCatalog.recipe(3.5)).record.name == "run-1")
    #expect(try catalog.run(RunCatalog.recipe(2.5)).record.name == "run-2")
    #expect(try catalog.count("SELECT count(*) FROM run") == 3)
  }

  @Test(arguments: [
    RunCatalog.recipe(), RunCatalog.recipe(2.25), RunCatalog.recipe(2.5), RunCatalog.recipe(3.5),
    RunCatalog.recipe(4) { $0.mutationGroup = "name" }, RunCatalog.recipe(3) { $0.mutationGroup = "none" },
    RunCatalog.recipe(3.5) { $0.cost = .stored }, RunCatalog.recipe(4) { $0.cost = .stored },
    RunCatalog.recipe(3) { $0.measure = "topk-kl:7" }, RunCatalog.recipe(3) { $0.measure = "perplexity" },
    RunCatalog.recipe(3) {
      $0.survivors = [1]
      $0.tokens = [128]
    },
    RunCatalog.recipe(3) {
      $0.survivors = [4, 2, 1]
      $0.tokens = [32, 64, 256]
    },
    RunCatalog.recipe(3) { $0.initial = "random:5" }, RunCatalog.recipe(3) { $0.bits = [2, 4] },
    // 100 tokens cut the last sequence.
    RunCatalog.recipe(3) { $0.tokens = [100, 768] },
  ]) func whatARunStoresKeepsTheRules(recipe: SearchRecipe) throws {
    let catalog = try RunCatalog()
    let run = try catalog.run(recipe)
    try run.run()
    #expect(run.record.isFinished)

    // No candidate costs more than the budget.
    let cost = recipe.cost == .codes ? "code_bits" : "stored_bits"
    let candidates = "FROM candidate c JOIN assignment a ON a.id = c.assignment_id JOIN run r ON r.id = c.run_id"
    #expect(try catalog.count("SELECT count(*) \(candidates)") > 4)
    #expect(try catalog.count("SELECT count(*) \(candidates) WHERE a.\(cost) > r.budget_bits") == 0)
    let weights = try catalog.count("SELECT compressible_weight_count FROM model")
    #expect(try catalog.count("SELECT budget_bits FROM run") == Int64((recipe.targetBits ?? 0) * Double(weights)))

    // The parent joins in the last stage only; every offspring enters the first.
    let last = recipe.tokens.count - 1
    #expect(
      try catalog.count(
        "SELECT count(*) FROM candidate_result WHERE role = 'parent' AND generation > 0 AND stage < \(last)") == 0)
    #expect(
      try catalog.count("SELECT count(*) FROM candidate_result WHERE role = 'parent' AND stage = \(last)")
        == Int64(recipe.generations))
    #expect(
      try catalog.count("SELECT count(*) FROM candidate_result WHERE role = 'offspring' AND stage = 0")
        == catalog.count("SELECT count(*) FROM candidate WHERE role = 'offspring'"))

    // Stages have the tokens and survivors that were asked for, and one minibatch each.
    for (stage, (tokens, survivors)) in zip(recipe.tokens, recipe.survivors).enumerated() {
      let rows = try catalog.rows(
        """
        SELECT min(token_count), max(token_count), count(DISTINCT minibatch), sum(is_survivor) FROM candidate_result
        WHERE stage = \(stage) AND generation > 0 GROUP BY generation
        """)
      #expect(rows.count == recipe.generations)
      for row in rows {
        #expect(
          row == [.integer(tokens), .integer(tokens), .integer(1), .integer(survivors)], "stage \(stage) of \(recipe)")
      }
    }

    // The parent after a generation is the best of its last stage.
    #expect(
      try catalog.count(
        """
        SELECT count(*) FROM generation g JOIN run r ON r.id = g.run_id WHERE g.generation_index > 0
        AND g.parent_assignment_id <> (SELECT x.assignment_id FROM candidate_result x WHERE x.run = r.name
          AND x.generation = g.generation_index AND x.stage = \(last) AND x.is_survivor = 1)
        """) == 0)
    #expect(
      try catalog.count(
        """
        SELECT count(*) FROM candidate_result x WHERE x.stage = \(last) AND x.generation > 0 AND x.is_survivor = 1
        AND EXISTS (SELECT 1 FROM candidate_result y WHERE y.generation = x.generation AND y.stage = x.stage
          AND y.fitness < x.fitness)
        """) == 0)
    #expect(
      try catalog.count("SELECT found_assignment_id FROM run")
        == catalog.count(
          "SELECT parent_assignment_id FROM generation ORDER BY generation_index DESC LIMIT 1"))

    // The report covers both sets in the run's measure and in perplexity, complete.
    let measures: Set<String> = [try Measure(recipe.measure).name, "perplexity"]
    for point in RunPoint.allCases {
      let lines = try run.results().filter { $0.point == point }
      #expect(Set(lines.map { "\($0.role) \($0.measure)" }).count == 2 * measures.count)
      #expect(lines.allSatisfy { $0.value.isFinite })
    }
  }

  @Test func aSearchWithoutGenerationsRecommendsItsReference() throws {
    let catalog = try RunCatalog()
    let run = try catalog.run(RunCatalog.recipe { $0.generations = 0 })
    try run.run()
    #expect(run.record.foundAssignmentID == run.record.startAssignmentID)
    #expect(run.record.recommendation == .reference)
    let found = try #require(run.results().first { $0.point == .found && $0.role == .validation })
    #expect(found.difference == 0)
  }

  @Test func theRecommendationIsTheBetterOnHeldOutData() throws {
    for seed in UInt64(0)..<4 {
      let catalog = try RunCatalog()
      let run = try catalog.run(RunCatalog.recipe { $0.seed = seed })
      try run.run()
      let found = try #require(
        run.results().first { $0.point == .found && $0.role == .validation && $0.measure == "kl" })
      #expect(run.record.recommendation == ((try #require(found.difference)) < 0 ? .found : .reference))
    }
  }

  @Test func withoutValidationTheCalibrationSetJudges() throws {
    let catalog = try RunCatalog()
    let run = try catalog.run(RunCatalog.recipe(), validates: false)
    try run.run()
    #expect(try run.results().allSatisfy { $0.role == .calibration })
    #expect(run.record.recommendation != nil)
  }

  @Test func aFractionalTargetIsComparedWithItsStart() throws {
    let catalog = try RunCatalog()
    let run = try catalog.run(RunCatalog.recipe(2.5) { $0.initial = "random:8" })
    try run.run()
    #expect(run.record.referenceAssignmentID == run.record.startAssignmentID)
    #expect(try catalog.count("SELECT count(*) FROM candidate WHERE role = 'start'") == 8)
    let best = try catalog.count(
      """
      SELECT assignment_id FROM candidate_result WHERE generation = 0 ORDER BY fitness LIMIT 1
      """)
    #expect(run.record.startAssignmentID == best)
  }

  @Test func randomStartsAtALevelAreComparedWithUniform() throws {
    let catalog = try RunCatalog()
    let run = try catalog.run(RunCatalog.recipe { $0.initial = "random:4" })
    try run.run()
    let reference = try #require(run.record.referenceAssignmentID)
    #expect(try catalog.store.read { try $0.uniformSetting(ofAssignment: reference) }?.rule == .bits(3))
  }

  @Test(
    arguments: [
      (RunCatalog.recipe(1), .impossible(detail: "a target of 1.0 bits per weight is outside of")),
      (RunCatalog.recipe(9), .impossible(detail: "a target of 9.0 bits per weight is outside of")),
      (
        RunCatalog.recipe { $0.bits = [3, 8] },
        .notBuilt(detail: "8 bits are not built for every layer", method: "gptq", rules: [.bits(8)])
      ),
      (
        RunCatalog.recipe { $0.methods = ["rtn"] },
        .notBuilt(detail: "no rtn variants are built", method: "rtn", rules: [])
      ),
      (
        RunCatalog.recipe { $0.tokens = [64, 769] },
        .impossible(detail: "a stage asks for 769 tokens, but the calibration set has 768")
      ),
      (
        RunCatalog.recipe(2.5) { $0.initial = "uniform" },
        .impossible(detail: "only if the target is a level of every layer")
      ),
    ] as [(SearchRecipe, SearchError)])
  func impossibleRecipesStoreNothing(recipe: SearchRecipe, refusal: SearchError) throws {
    let catalog = try RunCatalog()
    let before = try catalog.digest()
    expectError(like: refusal) { try catalog.run(recipe) }
    #expect(try catalog.digest() == before)
  }
}
