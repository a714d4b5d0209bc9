import Catalog

/// A small catalog with rows in every table: a model of four layers, their variants, assignments, observations of two
/// numerics, and a run of two generations.
package struct ExampleContents {
  package var model: ModelRecord
  package var layers: [LayerRecord]
  package var sequences: [SequenceRecord]
  package var dataSet: DataSetRecord
  package var heldOut: DataSetRecord
  package var methods: [Int64: Digest]
  /// By layer, then at 3 and at 4 bits.
  package var variants: [[VariantRecord]]
  package var kl: MeasureRecord
  package var perplexity: MeasureRecord
  /// `here` is the smaller of the two by digest.
  package var here: Int64
  package var elsewhere: Int64
  package var job: JobRecord
  package var dense: AssignmentRecord
  package var low: AssignmentRecord
  package var high: AssignmentRecord
  package var mixed: AssignmentRecord
  package var run: RunRecord

  /// The sums of an assignment under a measure on the sequences 0 to 2 (5, 2 and 3 predictions).
  package static let sums: [String: [Double]] = [
    "dense/kl": [0, 0, 0], "low/kl": [1.75, 0.5, 0.875], "high/kl": [0.25, 0.125, 0.0625],
    "mixed/kl": [0.5, 0.375, 0.1],
    "dense/perplexity": [9.5, 4.25, 6], "low/perplexity": [11.5, 4.5, 7.25], "high/perplexity": [9.75, 4.125, 6.25],
    "mixed/perplexity": [10, 4.75, 6.125],
  ]
  package static let tokens: [[Int32]] = [[1, 2, 3, 4, 5, 6], [7, 8, 9], [10, 11, 12, 13]]

  /// Stores everything; `reversed` does so in another order, so that local ids differ.
  package init(in transaction: CatalogTransaction, reversed: Bool = false) throws {
    func ordered<T>(_ values: [T]) -> [T] { reversed ? values.reversed() : values }

    let numerics = ["a", "b"].map { NumericsRecord(blasVersion: "0.3", blasCore: $0, kernels: "1") }
      .sorted { $0.digest < $1.digest }
    let numericsIDs = try Self.inOrder(numerics, reversed) { try transaction.store(numerics: $0) }
    (here, elsewhere) = (numericsIDs[0], numericsIDs[1])
    job = try transaction.beginJob(command: "search", version: "0.0.0", numericsID: here)

    if reversed {
      _ = try transaction.store(measure: MeasureRecord(name: "perplexity", topK: nil, reference: "none", revision: 1))
    }
    kl = try transaction.store(measure: MeasureRecord(name: "kl", topK: nil, reference: "dense", revision: 1))
    perplexity = try transaction.store(
      measure: MeasureRecord(name: "perplexity", topK: nil, reference: "none", revision: 1))

    sequences = try Self.inOrder(Self.tokens, reversed) { try transaction.store(sequence: $0) }
    dataSet = try transaction.store(
      dataSet: "text", sequences: Self.tokens, tokenizerDigest: SHA256.digest(of: [1]), textDigest: nil, options: "{}",
      droppedTokenCount: 3
    ).dataSet
    heldOut = try transaction.store(
      dataSet: "held-out", sequences: [Self.tokens[2], Self.tokens[0]], tokenizerDigest: nil, textDigest: nil,
      options: "{}", droppedTokenCount: 0
    ).dataSet

    model = try Self.storeModel(in: transaction)
    layers = try transaction.layers(ofModel: model.id)
    let method = try Self.storeMethod(in: transaction)
    methods = [method.id: method.digest]
    let sites = try transaction.sites(ofModel: model.id)
    let list = dataSet.sequenceListID
    let statisticKey = ArtefactKey.statistic(
      kind: "hessian", revision: 1, architectureRevision: 1, model: model.digest, site: sites[0].name,
      data: dataSet.digest, upstream: (method.digest, "bits=3"))
    let statisticID = try transaction.store(
      statistic: StatisticRecord(
        recipeKey: statisticKey, contentKey: SHA256.digest(of: "matrix".utf8),
        kind: "hessian", revision: 1, siteID: sites[0].id, sequenceListID: list, upstreamMethodID: method.id,
        upstreamLevel: "bits=3", numericsID: here), diagonal: Array(1...16), matrix: nil)
    let known = layers
    let wished = known.indices.flatMap { layer in [3, 4].map { (layer: layer, bits: $0) } }
    let own = here
    let stored = try Self.inOrder(wished, reversed) { wish in
      try Self.storeVariant(
        of: known[wish.layer], bits: wish.bits, method: method, statistic: (statisticID, statisticKey), numerics: own,
        in: transaction)
    }
    variants = known.indices.map { Array(stored[$0 * 2..<$0 * 2 + 2]) }

    let (m, l, v, k) = (model, layers, variants, methods)
    let choices: [[VariantRecord?]] = [
      [nil, nil, nil, nil], v.map { $0[0] }, v.map { $0[1] }, [v[0][0], nil, v[2][1], v[3][0]],
    ]
    let assignments = try Self.inOrder(Array(choices.enumerated()), reversed) { index, choice in
      try transaction.store(
        assignmentOf: m, layers: l, variants: choice, methods: k, dropped: index == 3 ? ["1.mlp"] : [])
    }
    (dense, low, high, mixed) = (assignments[0], assignments[1], assignments[2], assignments[3])

    let named = [("dense", dense), ("low", low), ("high", high), ("mixed", mixed)]
    for (name, assignment) in ordered(named) {
      for measure in ordered([kl, perplexity]) {
        for (index, sum) in ordered(Array((Self.sums["\(name)/\(measure.name)"] ?? []).enumerated())) {
          try transaction.store(
            observation: Observation(sum: sum, predictionCount: Self.tokens[index].count - 1),
            assignmentID: assignment.id, measureID: measure.id, sequenceID: sequences[index].id, numericsID: here,
            jobID: job.id)
        }
      }
    }
    // A wrong answer of other numerics, which counts nowhere.
    try transaction.store(
      observation: Observation(sum: 99, predictionCount: 5), assignmentID: dense.id, measureID: kl.id,
      sequenceID: sequences[0].id, numericsID: elsewhere, jobID: job.id)
    var wrong = ObservationSelection()
    wrong.numericsID = elsewhere
    try transaction.void([wrong], reason: "broken machine", by: "somebody@there", at: "2026-01-01T00:00:00.000Z")
    // The other arithmetic, whose answers nobody prefers, disagrees once.
    try transaction.store(
      observation: Observation(sum: 6.5, predictionCount: Self.tokens[2].count - 1), assignmentID: mixed.id,
      measureID: perplexity.id, sequenceID: sequences[2].id, numericsID: elsewhere, jobID: job.id)
    try transaction.store(
      teacherState: [1, 2, 3, 4], modelID: model.id, sequenceID: sequences[0].id, numericsID: here)
    try transaction.store(
      calibrationStream: [5, 6], recipeKey: SHA256.digest(of: [1]), numericsID: here)
    try transaction.store(
      blockScore: 0.5, ofBlock: 0, modelID: model.id, sequenceListID: list, kind: "cosine", parameter: 1, revision: 1,
      numericsID: here)
    try transaction.replace(monotonicity: [
      MonotonicityFinding(
        sequenceListID: list, measureID: kl.id, kind: "layer-error", assignmentCount: 3, pairCount: 3,
        violationCount: 1,
        pairs: [
          MonotonicityFinding.Pair(
            lighterID: low.id, heavierID: high.id, lighterError: 0.25, heavierError: 0.5, difference: 0.125,
            standardError: 0.0625)
        ])
    ])
    for (level, changed) in ordered([("bits=3", low), ("bits=4", high)]) {
      try transaction.store(changeOf: layers[0].name, to: level, in: changed.id, from: dense.id)
    }
    run = RunRecord(
      name: "", engineRevision: 1, recipeDigest: dense.digest, recipe: "", modelID: 0, spaceID: 0, measureID: 0,
      calibrationSetID: 0, validationSetID: nil, budget: 0, denseAssignmentID: 0, referenceAssignmentID: nil)
    run = try storeRun(in: transaction)
    try storeTask(in: transaction)
  }

  /// The results of `body` in the order of the elements, whichever is made first.
  private static func inOrder<T, U>(_ values: [T], _ reversed: Bool, _ body: (T) throws -> U) throws -> [U] {
    reversed ? try values.reversed().map(body).reversed() : try values.map(body)
  }
}
