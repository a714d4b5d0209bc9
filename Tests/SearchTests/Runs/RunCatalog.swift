import Foundation
import TestSupport

@testable import Catalog
@testable import Inference
@testable import Search

/// A catalog of the three-block golden model with GPTQ variants of 2 to 5 bits, worked on in-process.
final class RunCatalog {
  let folder = TemporaryFolderOwner()
  let store: CatalogStore
  let job: Job
  let cancellation: Cancellation

  /// - Parameter watch: sees the job's progress and may request the cancellation it is given.
  init(watch: @escaping (Job.Progress, Cancellation) -> Void = { _, _ in }) throws {
    try Self.built.get().write(to: URL(fileURLWithPath: folder.path))
    (store, job, cancellation) = try Self.opened(folder.path, .write, watch)
  }

  /// The catalog of another one that has been let go of, opened again.
  init(_ other: RunCatalog, watch: @escaping (Job.Progress, Cancellation) -> Void = { _, _ in }) throws {
    other.store.close()
    try FileManager.default.copyItem(atPath: other.folder.path, toPath: folder.path)
    (store, job, cancellation) = try Self.opened(folder.path, .write, watch)
  }

  deinit { store.close() }

  func model() throws -> ModelRecord { try store.read { try $0.model(nil) } }
  func dataSet(_ name: String) throws -> DataSetRecord { try store.read { try $0.dataSet(name) } }

  func evaluations() throws -> EvaluationLedger {
    let open = try OpenModel(
      try model(), store: store, longestSequence: 32, threadCount: job.threadCount, memoryLimit: nil)
    return try EvaluationLedger(model: open, job: job)
  }

  /// Begins or finds a run.
  func run(_ recipe: SearchRecipe, name: String? = nil, validates: Bool = true) throws -> Run {
    try Run(
      .evolution, recipe, name: name, calibration: try dataSet("calibration"),
      validation: validates ? try dataSet("validation") : nil, evaluations: try evaluations(), job: job)
  }

  /// A short recipe: 4 generations of 6 offspring in two stages.
  static func recipe(_ targetBits: Double = 3, _ change: (inout SearchRecipe) -> Void = { _ in }) -> SearchRecipe {
    var recipe = SearchRecipe(targetBits: targetBits)
    recipe.generations = 4
    recipe.offspring = 6
    recipe.survivors = [2, 1]
    recipe.tokens = [64, 256]
    recipe.initialTokens = 64
    change(&recipe)
    return recipe
  }

  /// A short recipe for another target.
  static func recipe(
    _ target: SearchRecipe.Target, _ cost: SearchRecipe.Cost, _ change: (inout SearchRecipe) -> Void = { _ in }
  ) -> SearchRecipe {
    recipe(3) {
      $0.target = target
      $0.cost = cost
      $0.methods = SearchRecipe(target: target, cost: cost).methods
      $0.mutationGroup = ""
      change(&$0)
    }
  }

  /// The values of a query, row by row.
  func rows(_ sql: String) throws -> [[SQLValue]] {
    try store.read { tx in
      var rows: [[SQLValue]] = []
      try tx.connection.forEachRow(sql, []) { rows.append($0.values) }
      return rows
    }
  }

  /// The integer that a query gives.
  func count(_ sql: String) throws -> Int64 {
    try store.read { try $0.connection.integer(sql) ?? 0 }
  }

  /// The digest of everything that times and machines do not change.
  func digest() throws -> String { try store.read { try $0.sharedDigest(includingProvenance: true).hex } }

  private static func opened(
    _ path: String, _ mode: CatalogStore.Mode, _ watch: @escaping (Job.Progress, Cancellation) -> Void
  ) throws -> (CatalogStore, Job, Cancellation) {
    let store = try CatalogStore(path: path, mode: mode, command: "test")
    let cancellation = Cancellation()
    let job = try Job(
      store: store, command: "test", version: "0", threadCount: 2, cancellation: cancellation,
      report: { progress in if let progress { watch(progress, cancellation) } })
    return (store, job, cancellation)
  }

  private static let built = Result { () throws -> Data in
    let folder = TemporaryFolderOwner()
    let (store, job, _) = try opened(folder.path, .create) { _, _ in }
    let model = try ModelImport.run(folder: Fixtures.url("golden/models/llama-gqa"), name: nil, job: job)
    var sets: [DataSetRecord] = []
    for (name, count, seed) in [("calibration", 24, UInt64(1)), ("validation", 8, 2)] {
      let file = URL(fileURLWithPath: folder.path + "-\(name).safetensors")
      try Data(RandomTokens.file(sequenceCount: count, length: 32, seed: seed)).write(to: file)
      sets.append(try TextSequences.store(tokenIDs: InputFile(file), as: name, model: model, job: job).dataSet)
    }
    let open = try OpenModel(model, store: store, longestSequence: 32, threadCount: 2, memoryLimit: nil)
    let plan = CompressionPlan(
      data: sets[0], upstream: .standard, keeps: .all, calibrates: false, method: CompressionMethod(GPTQMethod.self),
      rules: [.bits(2), .bits(3), .bits(4), .bits(5)])
    _ = try CompressionJob(plan, model: open, job: job).run()
    store.close()
    return try Data(contentsOf: URL(fileURLWithPath: folder.path))
  }
}

/// Whether a run ended because it was asked to, between two stages or inside of one.
func isStop(_ error: any Error) -> Bool {
  error as? SearchError == .interrupted || error as? InferenceError == .interrupted
}

/// A path in a folder that vanishes with its owner.
final class TemporaryFolderOwner {
  let path: String

  init() {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("evodb-run-\(UUID().uuidString)").path
  }

  deinit {
    for suffix in ["", "-wal", "-shm", "-lock", "-calibration.safetensors", "-validation.safetensors"] {
      try? FileManager.default.removeItem(atPath: path + suffix)
    }
  }
}
