import Catalog
import Foundation
import Inference

/// Section 9: a file with a million evaluations of 70 searches, made of random numbers.
struct MillionEvaluations {
  private static let runCount = 70
  private static let generationCount = 60
  private static let offspringCount = 32

  private let path: String
  private let folder: URL

  /// Measures opening, the queries behind `runs` and `best`, and a cached look-up.
  static func section() throws -> BenchSection {
    let file = try MillionEvaluations()
    defer { try? FileManager.default.removeItem(at: file.folder) }
    return try file.measured()
  }

  private init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("evodb-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    path = folder.appendingPathComponent("million.evodb").path
    let store = try CatalogStore(path: path, mode: .create, command: "bench")
    try Filler(store: store, runs: Self.runCount, generations: Self.generationCount, offspring: Self.offspringCount)
      .fill()
    store.close()
  }

  private func measured() throws -> BenchSection {
    func query(_ store: CatalogStore, _ sql: String) throws -> Double {
      try Stopwatch.best(of: 3) {
        try store.query(sql, timeout: 600, maximumRows: .max, onColumns: { _ in }, onRow: { _ in })
      }
    }
    let opening = try Stopwatch.best(of: 10) {
      let store = try CatalogStore(path: path, mode: .read)
      _ = try store.read { try $0.models() }
      store.close()
    }
    let store = try CatalogStore(path: path, mode: .read)
    defer { store.close() }
    var counts: [Int64] = []
    try store.query(
      """
      SELECT (SELECT count(*) FROM observation), (SELECT min(id) FROM assignment WHERE id > 1000), (SELECT min(id) FROM
      measure)
      """, timeout: 60, maximumRows: 1, onColumns: { _ in }
    ) { row in
      counts = row.map { if case .integer(let value) = $0 { value } else { 0 } }
    }
    let runs = try query(
      store,
      """
      SELECT s.run, (SELECT r.value FROM run_result r WHERE r.run = s.run AND r.point = 'found' AND r.measure = s.measure
        ORDER BY r.data_set_role DESC LIMIT 1) FROM run_summary s ORDER BY s.run_id
      """)
    let best = try query(store, "SELECT * FROM run_result WHERE run = 'run-7'")
    let bestAssignment = try query(store, "SELECT * FROM best_assignment")
    let summary = try query(store, "SELECT * FROM evaluation_summary")
    let one = try query(
      store,
      "SELECT * FROM evaluation_summary WHERE assignment = (SELECT found_assignment FROM run_summary WHERE run = 'run-7')"
    )
    let candidates = try query(store, "SELECT * FROM candidate_result")
    // Views with a row for every evaluation, layer or pair: asked about one assignment, as their users do.
    var digests: [String] = []
    try store.query(
      "SELECT found_assignment, reference_assignment FROM run_summary WHERE run = 'run-7'", timeout: 60,
      maximumRows: 1, onColumns: { _ in }
    ) { row in
      digests = row.map { if case .text(let text) = $0 { "'\(text)'" } else { "NULL" } }
    }
    let (found, reference) = (digests[0], digests[1])
    let details = try ["evaluation", "sequence_result", "evaluation_coverage", "assignment_layer", "paired_difference"]
      .map {
        view -> Figure in
        let filter =
          view == "evaluation"
          ? "assignment_id = (SELECT id FROM assignment WHERE lower(hex(digest)) = \(found))"
          : view == "paired_difference"
            ? "assignment = \(found) AND other_assignment = \(reference)"
            : "assignment = \(found)"
        let seconds = try query(store, "SELECT * FROM \(view) WHERE \(filter)")
        return Figure("million_one_\(view)_milliseconds", "\(view) of one assignment", seconds * 1e3, "ms", digits: 2)
          .aiming("< 1 s")
      }
    let lookUps = 20_000
    let lookUp = try Stopwatch.best(of: 3) {
      try store.read { tx in
        for index in 0..<lookUps {
          _ = try tx.observation(
            assignmentID: counts[1] + Int64(index * 7919 % 100_000), measureID: counts[2],
            sequenceID: Int64(1 + index % 128), preferring: 1)
        }
      }
    }
    let verify = try Stopwatch.time { _ = try store.verify(onFinding: { _ in }) }.seconds
    let beside = try ReadersBesideWriter.longestCommit(path: path, readerCount: 8, snapshotSeconds: 30, seconds: 35)
    return BenchSection(
      key: "million", title: "9. A file with a million evaluations",
      words: """
        \(counts[0]) evaluations of \(Self.runCount) searches of \(Self.generationCount) generations, \
        \(try store.fileByteCount() >> 20) MiB. Opening includes the checks of the file and a first query; the queries are \
        those of evodb log and evodb show, and whole views; a look-up is at a random place. The readers hold their snapshots for 30 s.
        """,
      figures: [
        Figure("million_open_milliseconds", "opening", opening * 1e3, "ms", digits: 2).aiming("< 50 ms"),
        Figure("million_runs_milliseconds", "runs", runs * 1e3, "ms").aiming("< 1 s"),
        Figure("million_best_milliseconds", "best", best * 1e3, "ms").aiming("< 1 s"),
        Figure("million_lookup_microseconds", "a cached look-up", lookUp / Double(lookUps) * 1e6, "us", digits: 2)
          .aiming("< 20 us"),
        Figure("million_best_assignment_milliseconds", "view best_assignment", bestAssignment * 1e3, "ms")
          .aiming("< 50 ms"),
        Figure("million_summary_milliseconds", "view evaluation_summary, all", summary * 1e3, "ms").aiming("< 1 s"),
        Figure("million_one_summary_milliseconds", "of one assignment by its digest", one * 1e3, "ms", digits: 2)
          .aiming("< 5 ms"),
        Figure("million_candidates_milliseconds", "view candidate_result, all", candidates * 1e3, "ms").aiming("< 1 s"),
      ] + details + [
        Figure("million_verify_seconds", "verify", verify, "s"),
        Figure("readers_longest_commit_milliseconds", "longest commit beside 8 readers", beside.longest * 1e3, "ms")
          .aiming("< 50 ms"),
        Figure("readers_error_count", "errors of these readers", Double(beside.readErrorCount), "", digits: 0)
          .aiming("0"),
      ])
  }
}

/// Stores what searches would have stored, with random sums.
private struct Filler {
  let store: CatalogStore
  let runs: Int
  let generations: Int
  let offspring: Int

  func fill() throws {
    let base = try store.write { try Base(tx: $0) }
    var random = SplitMix64(state: 1)
    for run in 1...runs {
      try store.write { tx in
        try add(run: run, base: base, random: &random, tx)
      }
    }
  }

  private func add(run: Int, base: Base, random: inout SplitMix64, _ tx: CatalogTransaction) throws {
    func evaluate(_ assignment: AssignmentRecord, _ sequences: some Collection<SequenceRecord>) throws {
      for sequence in sequences {
        try tx.store(
          observation: Observation(
            sum: Double(random.next() >> 11) * 1e-14, predictionCount: sequence.tokenIDs.count - 1),
          assignmentID: assignment.id, measureID: base.measure.id, sequenceID: sequence.id, numericsID: base.numericsID,
          jobID: base.job.id)
      }
    }
    var parent = try base.assignment(&random, tx)
    try evaluate(parent, base.sequences)
    let start = parent
    let recipe = "{\"seed\":\(run),\"generations\":\(generations)}"
    var record = RunRecord(
      name: "run-\(run)", engineRevision: 1,
      recipeDigest: RunRecord.recipeDigest(
        engineRevision: 1, recipe: recipe, space: base.space.digest, calibration: base.calibration.digest,
        validation: base.validation.digest),
      recipe: recipe, modelID: base.model.id, spaceID: base.space.id,
      measureID: base.measure.id, calibrationSetID: base.calibration.id, validationSetID: base.validation.id,
      budget: 1 << 30, denseAssignmentID: base.dense.id, referenceAssignmentID: base.reference.id)
    record = try tx.begin(run: record)
    for index in 0..<generations {
      var candidates = [parent]
      for _ in 0..<offspring { candidates.append(try base.assignment(&random, tx)) }
      var stages: [StoredGeneration.Stage] = []
      for (stage, (survivors, size)) in [(candidates.count, 4), (5, 16)].enumerated() {
        let offset = Int(random.next() % 112)
        let minibatch = Array(base.sequences[offset..<offset + size])
        for candidate in candidates[..<survivors] { try evaluate(candidate, minibatch) }
        stages.append(
          StoredGeneration.Stage(
            index: stage, minibatch: try tx.store(sequenceList: minibatch),
            results: (0..<survivors).map {
              StoredGeneration.Result(
                candidateIndex: $0, observation: Observation(sum: 1, predictionCount: size), fitness: 1 / Double(size),
                survived: $0 < 5)
            }))
      }
      let generation = StoredGeneration(
        index: index,
        candidates: candidates.enumerated().map {
          StoredGeneration.Candidate(assignment: $1, role: $0 == 0 ? .parent : .offspring, switchCount: 1)
        }, stages: stages, winnerIndex: 1, missingCount: 0)
      try tx.store(generation: generation, ofRun: record.id, jobID: base.job.id)
      parent = candidates[1]
    }
    try evaluate(parent, base.sequences)
    record.startAssignmentID = start.id
    record.foundAssignmentID = parent.id
    record.recommendation = .found
    record.isFinished = true
    try tx.update(run: record)
  }

  /// The rows that all runs share: a model of 24 layers with variants at five levels, and two data sets.
  private struct Base {
    let model: ModelRecord
    let layers: [LayerRecord]
    let variants: [[VariantRecord]]
    let methods: [Int64: Digest]
    let sequences: [SequenceRecord]
    let calibration: DataSetRecord
    let validation: DataSetRecord
    let measure: MeasureRecord
    let numericsID: Int64
    let job: JobRecord
    let space: SpaceRecord
    let dense: AssignmentRecord
    let reference: AssignmentRecord

    init(tx: CatalogTransaction) throws {
      numericsID = try tx.store(numerics: NumericsRecord(.float32))
      job = try tx.beginJob(command: "bench", version: "bench", numericsID: numericsID)
      var sites: [SiteRecord] = []
      var layers: [LayerRecord] = []
      for index in 0..<24 {
        let name = "model.layers.\(index / 4).layer_\(index % 4)"
        sites.append(SiteRecord(name: name + ".in", blockIndex: index / 4, width: 256))
        layers.append(
          LayerRecord(
            index: index, name: name, blockIndex: index / 4, subblock: index % 4 < 2 ? "attention" : "mlp",
            role: "layer_\(index % 4)", siteName: name + ".in", weightDigest: SHA256.digest(of: name.utf8),
            outputCount: 256, inputCount: 256, denseBits: 16))
      }
      model = try tx.store(
        model: ModelRecord(
          digest: SHA256.digest(of: "bench".utf8), name: "bench", architecture: "llama", architectureRevision: 1,
          configuration: "{}", blockCount: 6, parameterCount: 24 << 16, compressibleWeightCount: 24 << 16),
        source: ModelSource(folder: "/", fingerprint: "", tokenizerDigest: nil), tensors: [], sites: sites,
        layers: layers)
      self.layers = try tx.layers(ofModel: model.id)
      var key = CanonicalRecord(kind: "method")
      key.set("name", "rtn")
      let method = try tx.store(method: MethodRecord(name: "rtn", revision: 1, parameters: "{}", key: key))
      methods = [method.id: method.digest]
      let numerics = numericsID
      variants = try self.layers.map { layer in
        try (2...6).map { bits in
          let packed = Array("\(layer.name) \(bits)".utf8)
          return try tx.store(
            variant: VariantRecord(
              recipeKey: SHA256.digest(of: "recipe \(layer.name) \(bits)".utf8), contentKey: SHA256.digest(of: packed),
              weightID: layer.weightID, methodID: method.id, level: "bits=\(bits)", bits: Double(bits), sparsity: nil,
              statisticRecipeKey: nil, statisticID: nil, nmse: nil, codeBits: Int64(bits) << 16,
              storedBits: Int64(bits) << 16, dampingUsed: nil, deadInputCount: 0, trouble: nil, numericsID: numerics),
            packed: packed)
        }
      }
      let tokens = (0..<192).map { sequence in (0..<32).map { Int32(sequence * 32 + $0) } }
      sequences = try tokens.map { try tx.store(sequence: $0) }
      func set(_ name: String, _ tokens: some Collection<[Int32]>) throws -> DataSetRecord {
        try tx.store(
          dataSet: name, sequences: Array(tokens), tokenizerDigest: nil, textDigest: nil, options: "{}",
          droppedTokenCount: 0
        ).dataSet
      }
      calibration = try set("calibration", tokens[..<128])
      validation = try set("validation", tokens[128...])
      measure = try tx.store(measure: MeasureRecord(name: "kl", topK: nil, reference: "dense", revision: 1))
      let (m, l, v, known) = (model, self.layers, variants, methods)
      space = try tx.store(
        space: SpaceRecord(
          modelID: model.id, modelDigest: model.digest, cost: "codes",
          units: l.map { layer in
            SpaceRecord.Unit(
              name: layer.name, sizeGroup: "s", nameGroup: "n", weightCount: layer.weightCount,
              levels: v[layer.index].reversed().map { variant in
                SpaceRecord.Level(
                  cost: variant.codeBits, label: variant.level,
                  members: [
                    SpaceRecord.Member(
                      layerID: layer.id, layerName: layer.name, layerIndex: layer.index, variantID: variant.id,
                      contentKey: variant.contentKey, isDropped: false)
                  ])
              })
          }))
      func assignment(_ choice: [VariantRecord?]) throws -> AssignmentRecord {
        try tx.store(assignmentOf: m, layers: l, variants: choice, methods: known, dropped: [])
      }
      dense = try assignment(l.map { _ in nil })
      reference = try assignment(v.map { $0[1] })
      for known in [dense, reference] {
        for sequence in sequences {
          try tx.store(
            observation: Observation(sum: 1, predictionCount: 31), assignmentID: known.id, measureID: measure.id,
            sequenceID: sequence.id, numericsID: numericsID, jobID: job.id)
        }
      }
    }

    func assignment(_ random: inout SplitMix64, _ tx: CatalogTransaction) throws -> AssignmentRecord {
      let choice = variants.map { $0[Int(random.next() % 5)] }
      return try tx.store(assignmentOf: model, layers: layers, variants: choice, methods: methods, dropped: [])
    }
  }
}
