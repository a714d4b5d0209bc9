import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference
@testable import Search

/// Budgets that count a whole GGUF file.
@Suite(.usualTimeLimit) struct FileBudgetTests {
  /// The catalog with variants of five types of every layer.
  private func catalog() throws -> RunCatalog {
    let catalog = try RunCatalog()
    let open = try OpenModel(
      try catalog.model(), store: catalog.store, longestSequence: 32, threadCount: 2, memoryLimit: nil)
    var method = CompressionMethod(KQuantMethod.self)
    method.values[KQuantMethod.importance] = .word("none")
    let plan = CompressionPlan(
      data: nil, upstream: .dense, keeps: .none, calibrates: false, method: method,
      rules: ["Q2_K", "IQ4_XS", "Q4_K", "Q5_1", "Q8_0"].map { .type($0) })
    _ = try CompressionJob(plan, model: open, job: catalog.job).run()
    return catalog
  }

  private func recipe(
    _ catalog: RunCatalog, _ byteCount: Int64, _ change: (inout SearchRecipe) -> Void = { _ in }
  ) throws -> SearchRecipe {
    let recipe = RunCatalog.recipe(.bytes(byteCount), .stored) {
      $0.methods = ["kquant"]
      $0.runtime = .gguf
      $0.file = FileBudget()
      $0.file?.embeddingType = .q80
      change(&$0)
    }
    return try catalog.store.read { try recipe.measuringFile(of: $0.model(nil), version: "0", tx: $0) }
  }

  private func space(_ catalog: RunCatalog, _ recipe: SearchRecipe) throws -> AssignmentSpace {
    try catalog.store.read { try AssignmentSpace(model: $0.model(nil), recipe: recipe, tx: $0) }
  }

  /// The sizes of the smallest and of the largest file.
  private func sizes(_ catalog: RunCatalog) throws -> ClosedRange<Int64> {
    let recipe = try recipe(catalog, 1)
    let costs = try space(catalog, recipe).space.feasibleCosts
    let file = try #require(recipe.file)
    return file.fileByteCount(cost: costs.lowerBound)...file.fileByteCount(cost: costs.upperBound)
  }

  @Test func aFoundFileKeepsToTheByte() throws {
    let catalog = try catalog()
    let sizes = try sizes(catalog)
    let target = sizes.lowerBound + (sizes.upperBound - sizes.lowerBound) / 3 + 17
    let recipe = try recipe(catalog, target)
    let run = try catalog.run(recipe)
    try run.run()
    let model = try catalog.model()
    let id = try #require(run.record.foundAssignmentID)
    let found = try catalog.store.read { try $0.assignment(id: id) }
    let place = URL(fileURLWithPath: catalog.folder.path + ".gguf")
    defer { try? FileManager.default.removeItem(at: place) }
    let summary = try GGUFExport.run(
      found, of: model, to: place, options: try #require(recipe.file).exportOptions, version: "0", job: catalog.job)
    #expect(Int64(summary.byteCount) <= target)
    // No layer of any candidate could have had its next better level.
    #expect(try catalog.rows(RunCatalog.fittingSteps).isEmpty)
    #expect(try catalog.count("SELECT count(*) FROM candidate") > 8)
    // The same recipe finds its run, and computes nothing.
    #expect(try catalog.run(try self.recipe(catalog, target)).isResumed)
  }

  @Test func anAssignmentFitsItsOwnFileAndNoSmallerOne() throws {
    let catalog = try catalog()
    let space = try space(catalog, try recipe(catalog, 1))
    var random = SplitMix64(property: 31)
    for _ in 0..<20 {
      let vector = LevelVector(
        space.space.units.map { Int(random.next() % UInt64($0.costs.count)) })
      let cost = space.space.cost(of: vector)
      guard cost < space.space.feasibleCosts.upperBound, cost > space.space.feasibleCosts.lowerBound else { continue }
      let size = try #require(try recipe(catalog, 1).file).fileByteCount(cost: cost)
      #expect(try space.plan(try recipe(catalog, size)).budget >= cost)
      #expect(try space.plan(try recipe(catalog, size - 1)).budget < cost)
    }
  }

  @Test func targetsOutOfReachNameTheSmallestAndTheLargestFile() throws {
    let catalog = try catalog()
    let sizes = try sizes(catalog)
    let space = try space(catalog, try recipe(catalog, 1))
    #expect(try space.plan(try recipe(catalog, sizes.lowerBound)).budget >= space.space.feasibleCosts.lowerBound)
    #expect(try space.plan(try recipe(catalog, sizes.upperBound)).budget == space.space.feasibleCosts.upperBound)
    let frame = try #require(try recipe(catalog, 1).file).frameByteCount
    for target in [1, sizes.lowerBound - 1, sizes.upperBound + 1, .max] {
      let recipe = try recipe(catalog, target)
      #expect(
        throws: SearchError.impossible(
          detail: "no file has \(target) bytes: of those that the levels allow the smallest has \(sizes.lowerBound) "
            + "bytes and the largest \(sizes.upperBound), \(frame) of them beside the layers")
      ) { try space.plan(recipe) }
    }
  }

  @Test func whatGoesNotWithAFileIsRefused() throws {
    let catalog = try catalog()
    let space = try space(catalog, try recipe(catalog, 1))
    let cases: [(String, (inout SearchRecipe) -> Void)] = [
      ("needs a target in bytes", { $0.target = .bits(3) }),
      ("needs the rules of the runtime gguf, not those of vllm", { $0.runtime = .vllm }),
      ("needs the rules of the runtime gguf, not those of any", { $0.runtime = nil }),
      ("does not know what dropped subblocks save", { $0.allowsDrop = true }),
      ("must know the bytes beside the layers", { $0.file?.frameByteCount = 0 }),
    ]
    for (text, change) in cases {
      var recipe = try recipe(catalog, 40_000)
      change(&recipe)
      expectError(like: SearchError.invalidParameter(detail: text)) { try space.plan(recipe) }
    }
  }

  @Test func recipesWithoutAFileAreWrittenAsBefore() throws {
    let json = try RunCatalog.recipe(.bytes(40_000), .stored).json
    for key in ["budget", "embedding_type", "head_type", "no_tokenizer", "frame_bytes"] { #expect(!json.contains(key)) }
  }

  @Test func aRecipeKeepsItsFile() throws {
    let plain = RunCatalog.recipe(.bytes(40_000), .stored)
    var recipe = try plain.setting("budget", to: "file").setting("embedding_type", to: "Q6_K")
    recipe = try recipe.setting("head_type", to: "Q4_K").setting("no_tokenizer", to: "true")
    recipe.file?.frameByteCount = 77
    #expect(recipe.file?.exportOptions.embeddingType == .q6K && recipe.file?.exportOptions.headType == .q4K)
    #expect(recipe.file?.leavesOutTokenizer == true)
    #expect(try SearchRecipe(json: recipe.json) == recipe)
    #expect(try recipe.setting("head_type", to: "").file?.headType == nil)
    #expect(try recipe.setting("budget", to: "layers") == plain)
    for (key, value) in [("budget", "model"), ("embedding_type", "IQ1_S"), ("head_type", "Q4")] {
      #expect(
        throws: SearchError.invalidParameter(
          detail: "\(key) must be a value that a search takes for it, not ‘\(value)’")
      ) { try recipe.setting(key, to: value) }
    }
    #expect(
      throws: SearchError.invalidParameter(
        detail: "embedding_type must be a value that a search takes for it, not ‘Q6_K’")
    ) { try plain.setting("embedding_type", to: "Q6_K") }
  }
}
