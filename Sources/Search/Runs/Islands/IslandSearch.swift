import Catalog
import Inference

/// A ring of searches that exchange parents. Each is a run of its own in the catalog; they go on together.
public final class IslandSearch {
  /// The runs, in the order of their numbers.
  public let runs: [Run]
  private let evaluations: EvaluationLedger

  /// Begins a ring, or finds the one with the same recipes.
  ///
  /// - Parameters:
  ///   - recipe: of the first island, with the seed of the ring.
  ///   - name: NAME-1, NAME-2, … are the names of the runs; nil: the first of `run-1`, `run-2`, … that gives free names.
  ///   - validation: nil: no validation.
  /// - Throws: `SearchError`, `InferenceError`, `CatalogError`; nothing is stored if the recipe is impossible.
  public init(
    _ strategy: RunStrategyName, _ recipe: SearchRecipe, count: Int, exchangeInterval: Int, name: String?,
    calibration: DataSetRecord, validation: DataSetRecord?, evaluations: EvaluationLedger, job: Job
  ) throws {
    guard strategy.isSearch else {
      throw SearchError.impossible(
        detail: "islands exchange parents between generations, and \(strategy.rawValue) has none to exchange")
    }
    self.evaluations = evaluations
    // What a search fills in is the same for all: an evaluation of one must not become the beginning of another.
    let (recipes, names) = try job.store.read { tx in
      let preview = try SearchPreview(
        strategy, recipe, model: evaluations.model.record, calibration: calibration, tx: tx)
      let recipes = try preview.recipe.islands(count, exchangeInterval: exchangeInterval)
      let digests = try recipes.map {
        try strategy.digest(
          of: $0, space: preview.space.record.digest, calibration: calibration.digest, validation: validation?.digest)
      }
      return (recipes, try Self.names(given: name, prefix: strategy.namePrefix, digests, tx))
    }
    runs = try zip(recipes, names).map { recipe, own in
      try Run(
        strategy, recipe, name: name == nil ? nil : own, standardName: own, calibration: calibration,
        validation: validation, evaluations: evaluations, job: job)
    }
    if let first = runs.first { job.works(onRun: first.record.id) }
  }

  /// Takes up the ring of a stored run.
  ///
  /// - Throws: `CatalogError.notFound` if an island is missing.
  public init(of record: RunRecord, evaluations: EvaluationLedger, job: Job) throws {
    self.evaluations = evaluations
    let own = try Run(record, evaluations: evaluations, job: job)
    guard let island = own.recipe.island else {
      runs = [own]
      return
    }
    runs = try (1...island.count).map { number in
      guard number != island.number else { return own }
      return try Run(try own.otherIsland(number), evaluations: evaluations, job: job)
    }
    if let first = runs.first { job.works(onRun: first.record.id) }
  }

  /// Goes on to the end of all islands.
  ///
  /// - Throws: as `Run.run`; all closed generations and all evaluations stay.
  public func run() throws {
    guard runs.count > 1 else { return try runs.forEach { try $0.run() } }
    let meeting = IslandMeeting(evaluations)
    for (place, run) in runs.enumerated() { run.joins(meeting.seat(place), showsProgress: place == 0) }
    try meeting.run(runs.map { run in { try run.run() } })
  }

  /// The island with the best result on the whole calibration set; of a search for the worst the one with the worst.
  ///
  /// - Throws: `CatalogError`.
  public func best() throws -> Run {
    var best: (run: Run, value: Double)?
    for run in runs {
      let line = try run.results().first {
        $0.point == .found && $0.role == .calibration && $0.measure == run.recipe.measure
      }
      guard let value = line?.value else { continue }
      if let known = best, value == known.value || (value > known.value) != run.recipe.isInverted { continue }
      best = (run, value)
    }
    guard let run = best?.run ?? runs.first else { throw CatalogError.damaged("a search without runs") }
    return run
  }

  /// The names of the islands with these recipes.
  ///
  /// - Throws: `CatalogError.nameTaken` if another run has one of them.
  private static func names(given: String?, prefix: String, _ digests: [Digest], _ tx: CatalogTransaction) throws
    -> [String]
  {
    let known = Dictionary(try tx.runs().map { ($0.name, $0.recipeDigest) }, uniquingKeysWith: { first, _ in first })
    func names(_ base: String) -> [String] { digests.indices.map { "\(base)-\($0 + 1)" } }
    func isFree(_ base: String) -> Bool {
      zip(names(base), digests).allSatisfy { name, digest in known[name].map { $0 == digest } ?? true }
    }
    if let given {
      guard isFree(given) else {
        throw CatalogError.nameTaken(
          "runs called \(names(given).joined(separator: ", ")) are asked for, and one of them has another recipe",
          remedy: .choose(.name, values: []))
      }
      return names(given)
    }
    var number = 1
    while known["\(prefix)-\(number)"] != nil || !isFree("\(prefix)-\(number)") { number += 1 }
    return names("\(prefix)-\(number)")
  }
}
