import Catalog
import Foundation
import Inference
import Search

/// Times of reading and writing a catalog.
struct CatalogTimes {
  /// Section 5: looking up what is known, and opening the file.
  static func cacheSection(_ example: ExampleCatalog, _ offspring: ExampleCatalog.Offspring) throws -> BenchSection {
    let evaluations = try EvaluationLedger(model: example.model, job: example.job)
    let sequences = Array(example.sequences.prefix(16))
    let assignments = offspring.assignments
    _ = try evaluations.observations(of: assignments, on: sequences, measures: [.kl, .perplexity])
    let before = evaluations.forwardTokenCount
    let pairs = assignments.count * sequences.count
    let throughEvaluator = try Stopwatch.best(of: 10) {
      _ = try evaluations.observations(of: assignments, on: sequences, measures: [.kl])
    }
    let measure = try evaluations.record(of: .kl)
    let inTransaction = try Stopwatch.best(of: 10) {
      try example.job.store.read { tx in
        for assignment in assignments {
          for sequence in sequences {
            _ = try tx.observation(
              assignmentID: assignment.id, measureID: measure.id, sequenceID: sequence.id,
              preferring: example.job.numericsID)
          }
        }
      }
    }
    guard evaluations.forwardTokenCount == before else {
      throw InferenceError.impossible(detail: "a cached evaluation computed something")
    }
    let space = try example.space()
    guard let uniform = space.uniform(bits: 3) else {
      throw InferenceError.impossible(detail: "the benchmark's space has no uniform 3 bits")
    }
    let key = Stopwatch.best(of: 10, repetitions: 5) { _ = space.digest(of: uniform) }
    let opening = try Stopwatch.best(of: 20) {
      let store = try CatalogStore(path: example.path, mode: .read)
      _ = try store.read { try $0.models() }
      store.close()
    }
    return BenchSection(
      key: "cache", title: "5. Cached evaluations",
      words: """
        KL of \(assignments.count) assignments on \(sequences.count) sequences, all known: time for one (assignment, \
        sequence), through the ledger and as the bare look-up in a transaction. Key: the digests by which an assignment of \(example.model.layers.count) layers is found. Opening: a reading connection beside the \
        writer, with the checks of the file and a first query.
        """,
      figures: [
        Figure(
          "evaluator_microseconds", "a cached evaluation", throughEvaluator / Double(pairs) * 1e6, "us", digits: 2
        ).aiming("microseconds"),
        Figure("lookup_microseconds", "of it the look-up", inTransaction / Double(pairs) * 1e6, "us", digits: 2),
        Figure("assignment_key_microseconds", "key of an assignment", key * 1e6, "us", digits: 0),
        Figure("open_milliseconds", "opening a catalog", opening * 1e3, "ms", digits: 2),
      ])
  }

  /// Section 6: a real search.
  static func searchSection(_ example: ExampleCatalog) throws -> BenchSection {
    var recipe = SearchRecipe(targetBits: 3)
    // Another seed than that of the other sections' candidates: nothing may be cached.
    recipe.seed = 1
    let store = example.job.store
    let evaluations = try EvaluationLedger(model: example.model, job: example.job)
    let run = try Run(
      .evolution, recipe, name: "bench", calibration: example.calibration, validation: nil, evaluations: evaluations,
      job: example.job)
    let before = store.busySeconds
    let (seconds, _) = try Stopwatch.time { try run.run() }
    let busy = store.busySeconds - before
    let again = try Stopwatch.time { try run.run() }.seconds
    return BenchSection(
      key: "search", title: "6. The catalog's share of a search",
      words: """
        The default search, \(recipe.generations) generations of \(recipe.offspring) offspring and the complete evaluation \
        of its end, \(example.job.threadCount) threads; inside the catalog: all transactions, with making keys, reading \
        weights, keeping the dense model's states and syncing. Again: the same recipe once more, which computes nothing.
        """,
      figures: [
        Figure("search_seconds", "the search", seconds, "s", digits: 2),
        Figure(
          "search_tokens_per_second", "forward tokens of it", Double(evaluations.forwardTokenCount) / seconds,
          "tokens/s",
          digits: 0),
        Figure("catalog_milliseconds", "inside the catalog", busy * 1e3, "ms"),
        Figure("catalog_percent", "share of the search", busy / seconds * 100, "%", digits: 2).aiming("< 1 %"),
        Figure("again_milliseconds", "again", again * 1e3, "ms"),
      ])
  }

  /// The catalog's part of the same search without its forward passes, again and again.
  static func costlessSection(_ example: ExampleCatalog) throws -> BenchSection {
    let repetitions = 5
    let store = example.job.store
    var busy: [Double] = []
    for seed in 0..<repetitions {
      var recipe = SearchRecipe(targetBits: 3)
      recipe.seed = UInt64(100 + seed)
      let evaluations = try EvaluationLedger(
        model: example.model, job: example.job, worker: CostlessWorker(hiddenSize: example.hiddenSize))
      let before = store.busySeconds
      _ = try Run(
        .evolution, recipe, name: "costless-\(seed)", calibration: example.calibration, validation: nil,
        evaluations: evaluations, job: example.job
      ).run()
      busy.append(store.busySeconds - before)
    }
    let later = busy.dropFirst().sorted()
    return BenchSection(
      key: "catalog", title: "The catalog in a search whose evaluations cost nothing",
      words: """
        Searches as in section 6, but nothing is computed: the time inside the catalog, without reading weights. The first one also \
        keeps the dense model's states; of the other \(repetitions - 1) the median.
        """,
      figures: [
        Figure("first_milliseconds", "the first search", busy[0] * 1e3, "ms"),
        Figure("catalog_milliseconds", "a later one", later[later.count / 2] * 1e3, "ms"),
      ])
  }
}
