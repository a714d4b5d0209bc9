import Foundation
import TestSupport

@testable import Catalog

/// Files to damage: a catalog, and the two that became of it under two writers who did not know of each other.
struct DamageSource {
  /// The common beginning, at rest.
  let before: [UInt8]
  /// The file of each writer when it was closed, and its log when it was killed instead.
  let writers: [(file: [UInt8], log: [UInt8])]

  init() throws {
    let (folder, contents) = try CatalogFolder.filled()
    // Tables of several pages, with blobs that overflow them.
    try folder.change { transaction in
      let sequences = (0..<120).map { number in (0..<12).map { Int32(100 * number + $0) } }
      let set = try transaction.store(
        dataSet: "many", sequences: sequences, tokenizerDigest: nil, textDigest: nil, options: "{}",
        droppedTokenCount: 0
      ).dataSet
      try Self.observe(
        [contents.dense, contents.high], on: try transaction.sequences(ofList: set.sequenceListID), contents, 0,
        transaction)
    }
    before = [UInt8](try folder.bytes)
    let start = before
    writers = try [1, 2].map { number in
      let copy = try CatalogFolder()
      try Data(start).write(to: URL(fileURLWithPath: copy.path))
      let store = try copy.write()
      try store.write { try Self.goOn(contents, number, $0) }
      let log = [UInt8](try Data(contentsOf: URL(fileURLWithPath: copy.path + "-wal")))
      store.close()
      return ([UInt8](try copy.bytes), log)
    }
  }

  /// Adds rows with ids that the other writer gives out as well, and contents of its own.
  private static func goOn(_ contents: ExampleContents, _ number: Int, _ transaction: CatalogTransaction) throws {
    let method = try ExampleContents.storeMethod(in: transaction)
    let list = contents.dataSet.sequenceListID
    let sites = try transaction.sites(ofModel: contents.model.id)
    let triangle: [UInt8] = (0..<10).flatMap { (place: Int) -> [UInt8] in [UInt8(place), UInt8(number), 1, 0x3f] }
    let diagonal: [UInt8] = [0, 2, 5, 9].flatMap { (place: Int) -> [UInt8] in Array(triangle[4 * place..<4 * place + 4])
    }
    let site = sites[number % sites.count]
    let key = ArtefactKey.statistic(
      kind: "hessian", revision: 1, architectureRevision: 1, model: contents.model.digest, site: site.name,
      data: contents.dataSet.digest, upstream: nil)
    let statistic = try transaction.store(
      statistic: StatisticRecord(
        recipeKey: key, contentKey: SHA256.digest(of: triangle), kind: "hessian", revision: 1, siteID: site.id,
        sequenceListID: list, upstreamMethodID: nil, upstreamLevel: nil, numericsID: contents.here),
      diagonal: diagonal, matrix: triangle)
    // The same layers and levels in the other order, and levels of their own.
    let layers = number == 1 ? contents.layers : contents.layers.reversed()
    var variants: [Int: VariantRecord] = [:]
    for layer in layers {
      variants[layer.index] = try ExampleContents.storeVariant(
        of: layer, bits: 4 + number, method: method, statistic: (statistic, key), numerics: contents.here,
        realisation: number, in: transaction)
    }
    let sequences = (0..<30).map { index in (0..<9).map { Int32(10_000 * number + 20 * index + $0) } }
    let set = try transaction.store(
      dataSet: "own-\(number)", sequences: sequences, tokenizerDigest: nil, textDigest: nil, options: "{}",
      droppedTokenCount: 0
    ).dataSet
    let assignments = try contents.layers.map { layer in
      try transaction.store(
        assignmentOf: contents.model, layers: contents.layers,
        variants: contents.layers.map {
          $0.index == layer.index ? variants[layer.index] : contents.variants[$0.index][0]
        },
        methods: contents.methods, dropped: [])
    }
    try observe(
      assignments, on: try transaction.sequences(ofList: set.sequenceListID), contents, number, transaction)
    var run = contents.run
    run.name = "run-\(number)"
    run.originRunID = contents.run.id
    run.originGeneration = 1
    run.foundAssignmentID = nil
    run.startAssignmentID = nil
    run.recommendation = nil
    run.isFinished = false
    run = try transaction.begin(run: run)
    let minibatch = try transaction.store(sequenceList: contents.sequences)
    for generation in contents.generations(minibatch: minibatch).prefix(number) {
      try transaction.store(generation: generation, ofRun: run.id, jobID: contents.job.id)
    }
    run.startAssignmentID = contents.mixed.id
    try transaction.update(run: run)
  }

  private static func observe(
    _ assignments: [AssignmentRecord], on sequences: [SequenceRecord], _ contents: ExampleContents, _ number: Int,
    _ transaction: CatalogTransaction
  ) throws {
    for (place, assignment) in assignments.enumerated() {
      for sequence in sequences {
        try transaction.store(
          observation: Observation(
            sum: Double(number + 1) + Double(place) / 8, predictionCount: sequence.tokenIDs.count - 1),
          assignmentID: assignment.id, measureID: contents.kl.id, sequenceID: sequence.id, numericsID: contents.here,
          jobID: contents.job.id)
      }
    }
  }
}
