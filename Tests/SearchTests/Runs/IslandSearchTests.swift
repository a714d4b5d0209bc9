import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference
@testable import Search

/// Rings of searches that exchange parents.
@Suite(.serialized, .usualTimeLimit) struct IslandSearchTests {
  private func ring(
    _ catalog: RunCatalog, _ strategy: RunStrategyName = .evolution, count: Int = 3, exchange: Int = 1,
    name: String? = nil, recipe: SearchRecipe = RunCatalog.recipe()
  ) throws -> IslandSearch {
    try IslandSearch(
      strategy, recipe, count: count, exchangeInterval: exchange, name: name,
      calibration: try catalog.dataSet("calibration"), validation: try catalog.dataSet("validation"),
      evaluations: try catalog.evaluations(), job: catalog.job)
  }

  /// The assignments of a generation's candidates, and the parent after it.
  private func generation(_ index: Int, of run: Run, in catalog: RunCatalog) throws -> Generation<Digest, Digest> {
    try #require(try catalog.store.read { try $0.generation(index, ofRun: run.record.id) }).content
  }

  @Test(arguments: [RunStrategyName.evolution, .guided]) func theParentOfTheNeighbourIsACandidate(
    _ strategy: RunStrategyName
  ) throws {
    let catalog = try RunCatalog()
    let islands = try ring(catalog, strategy, exchange: 2)
    #expect(islands.runs.map(\.record.name) == ["run-1-1", "run-1-2", "run-1-3"])
    #expect(islands.runs.map(\.recipe.seed) == [0, 1, 2])
    try islands.run()
    var joined = 0
    for (place, run) in islands.runs.enumerated() {
      #expect(run.record.isFinished)
      let neighbour = islands.runs[(place + 2) % 3]
      for index in 1...4 {
        let before = try generation(index - 1, of: neighbour, in: catalog)
        let here = try generation(index, of: run, in: catalog)
        let hasIt = here.candidates.contains { $0.assignment == before.winner }
        if index % 2 == 0 { #expect(hasIt, "\(strategy.rawValue): generation \(index) of island \(place + 1)") }
        joined += here.candidates.last?.assignment == before.winner ? 1 : 0
        #expect(Set(here.candidates.map(\.assignment)).count == here.candidates.count)
      }
    }
    #expect(joined > 0)
    #expect(try catalog.count("SELECT count(*) FROM run WHERE state = 'finished'") == 3)
    // Nothing is left for the same ring.
    let again = try RunCatalog(catalog)
    let known = try ring(again, strategy, exchange: 2)
    try known.run()
    #expect(known.runs.map(\.isResumed) == [true, true, true])
    #expect(again.job.record.work.forwardTokenCount == 0)
    // Every generation follows from the recipes.
    let replayed = try RunCatalog(again)
    let record = try replayed.store.read { try $0.run("run-1-2") }
    let open = try OpenModel(
      try replayed.model(), store: replayed.store, longestSequence: 32, threadCount: 2, memoryLimit: nil)
    let fresh = try EvaluationLedger(model: open, job: replayed.job, usesStoredResults: false)
    #expect(try RunReplay(Run(record, evaluations: fresh, job: replayed.job), store: replayed.store).isEqual)
  }

  @Test func whatIslandsAskTogetherIsThatOfEachByItself() throws {
    let catalog = try RunCatalog()
    let islands = try ring(catalog, exchange: 4)
    try islands.run()
    // Before the first exchange an island is a search with its seed.
    for (place, run) in islands.runs.enumerated() {
      let other = try RunCatalog()
      let alone = try other.run(RunCatalog.recipe { $0.seed = UInt64(place) })
      try alone.run()
      for index in 0..<4 {
        #expect(try generation(index, of: run, in: catalog) == generation(index, of: alone, in: other))
      }
    }
  }

  @Test(arguments: [1, 3]) func aStoppedRingEndsAsOneThatWasNotStopped(_ last: Int) throws {
    let undisturbed = try RunCatalog()
    try ring(undisturbed).run()
    let stopped = try RunCatalog { progress, cancellation in
      if progress.details.contains(where: { $0.value == "\(last)/4" }) { cancellation.request() }
    }
    let islands = try ring(stopped)
    #expect { try islands.run() } throws: { isStop($0) }
    #expect(try stopped.count("SELECT count(*) FROM run WHERE state = 'open'") == 3)
    // Any of them takes up all.
    let resumed = try RunCatalog(stopped)
    let record = try resumed.store.read { try $0.run("run-1-2") }
    let ring = try IslandSearch(of: record, evaluations: try resumed.evaluations(), job: resumed.job)
    #expect(ring.runs.map(\.record.name) == ["run-1-1", "run-1-2", "run-1-3"])
    try ring.run()
    #expect(try resumed.digest() == undisturbed.digest())
  }

  @Test func namesAreOfTheWholeRing() throws {
    let catalog = try RunCatalog()
    _ = try catalog.run(RunCatalog.recipe(3.5), name: "mine-2")
    let count = try catalog.count("SELECT count(*) FROM run")
    expectError(like: CatalogError.nameTaken("runs called mine-1, mine-2, mine-3 are asked for")) {
      try ring(catalog, name: "mine")
    }
    #expect(try catalog.count("SELECT count(*) FROM run") == count)
    #expect(try ring(catalog, name: "ours").runs.map(\.record.name) == ["ours-1", "ours-2", "ours-3"])
    // Another number of islands is another ring.
    #expect(try ring(catalog, count: 2).runs.map(\.record.name) == ["run-1-1", "run-1-2"])
    #expect(try ring(catalog, exchange: 2).runs.map(\.record.name) == ["run-2-1", "run-2-2", "run-2-3"])
    expectError(like: CatalogError.nameTaken("run ours-1 has exactly this recipe")) { try ring(catalog, name: "other") }
  }

  @Test func anIslandWhoseNeighbourIsMissingIsNamed() throws {
    let catalog = try RunCatalog()
    let recipes = try RunCatalog.recipe().islands(3, exchangeInterval: 1)
    _ = try catalog.run(recipes[1], name: "second")
    let record = try catalog.store.read { try $0.run("second") }
    expectError(
      like: CatalogError.notFound("run second exchanges parents with island 1 of 3, seed 0, which the catalog")
    ) {
      try IslandSearch(of: record, evaluations: try catalog.evaluations(), job: catalog.job)
    }
  }

  @Test func aBranchOfAnIslandIsASearchByItself() throws {
    let catalog = try RunCatalog()
    let islands = try ring(catalog, count: 2)
    try islands.run()
    let origin = RunOrigin(run: islands.runs[0].record, generation: 2)
    let recipe = try catalog.store.read { try origin.recipe($0) { $0 } }
    #expect(recipe.island == nil)
    let branch = try Run(
      .evolution, recipe, name: "branch", calibration: try catalog.dataSet("calibration"), validation: nil,
      evaluations: try catalog.evaluations(), job: catalog.job, origin: origin)
    try branch.run()
    #expect(branch.record.isFinished && branch.record.spaceID == islands.runs[0].record.spaceID)
  }

  @Test func aRecipeKnowsItsPlace() throws {
    let recipes = try RunCatalog.recipe { $0.seed = 7 }.islands(4, exchangeInterval: 2)
    #expect(recipes.map(\.seed) == [7, 8, 9, 10])
    #expect(recipes.map { $0.island?.neighbour } == [4, 1, 2, 3])
    for recipe in recipes {
      #expect(try SearchRecipe(json: recipe.json) == recipe)
      for other in 1...4 { #expect(recipe.ofIsland(other) == recipes[other - 1]) }
    }
    #expect(try RunCatalog.recipe().json.contains("island") == false)
    let wrong: [(Int, Int, UInt64)] = [
      (1, 1, 0), (0, 1, 0), (257, 1, 0), (2, 0, 0), (2, 5, 0), (2, 1, UInt64(Int64.max)),
    ]
    for (count, interval, seed) in wrong {
      #expect {
        try RunCatalog.recipe { $0.seed = seed }.islands(count, exchangeInterval: interval)
      } throws: { error in
        if case SearchError.invalidParameter = error { true } else { false }
      }
    }
    for change in [#""island":5"#, #""island":0"#, #""islands":1"#, #""exchange":9"#, #""seed":0"#] {
      let name = change.prefix { $0 != ":" }
      let json = try recipes[3].json.replacing(try Regex("\(name):[0-9]+"), with: change)
      expectError(like: CatalogError.damaged("a run's recipe cannot be read: ")) { try SearchRecipe(json: json) }
    }
    let half = try recipes[0].json.replacing(#""exchange":2,"#, with: "")
    expectError(like: CatalogError.damaged("a run's recipe cannot be read: ")) { try SearchRecipe(json: half) }
  }

  @Test func theFirstFailureEndsAllAndNobodyWaitsForEver() throws {
    let catalog = try RunCatalog()
    let meeting = IslandMeeting(try catalog.evaluations())
    let seats = (0..<3).map { meeting.seat($0) }
    let sequences = try catalog.store.read { tx in
      try tx.sequences(ofList: tx.dataSet("calibration").sequenceListID)
    }
    #expect(throws: SearchError.invalidParameter(detail: "the second")) {
      try meeting.run([
        { _ = try seats[0].observations(of: [], on: sequences, measures: [.kl]) { _, _ in } },
        { throw SearchError.invalidParameter(detail: "the second") },
        { try seats[2].wait { false } },
      ])
    }
    expectError(like: CatalogError.damaged("searches that exchange parents wait for each other")) {
      try meeting.run([{ try seats[0].wait { false } }, { try seats[1].wait { false } }])
    }
    var order: [Int] = []
    try meeting.run([
      {
        try seats[0].wait { order == [1] }
        order.append(0)
      },
      { order.append(1) },
    ])
    #expect(order == [1, 0])
  }
}
