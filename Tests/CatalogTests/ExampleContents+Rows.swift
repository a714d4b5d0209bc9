@testable import Catalog

extension ExampleContents {
  /// A model of two blocks; each has an attention layer of 4 × 4 and an MLP layer of 8 × 4 weights at 16 bits.
  static func storeModel(
    in transaction: CatalogTransaction, name: String = "tiny", seed: String = "model"
  ) throws -> ModelRecord {
    var sites: [SiteRecord] = []
    var layers: [LayerRecord] = []
    for block in 0..<2 {
      for (subblock, role, rows) in [("attention", "q_proj", 4), ("mlp", "up_proj", 8)] {
        let site = "model.layers.\(block).\(subblock).in"
        sites.append(SiteRecord(name: site, blockIndex: block, width: 4))
        layers.append(
          LayerRecord(
            index: layers.count, name: "model.layers.\(block).\(subblock).\(role)", blockIndex: block,
            subblock: subblock, role: role, siteName: site,
            weightDigest: SHA256.digest(of: "\(seed) weight \(layers.count)".utf8), outputCount: rows, inputCount: 4,
            denseBits: 16))
      }
    }
    let model = ModelRecord(
      digest: SHA256.digest(of: seed.utf8), name: name, architecture: "llama", architectureRevision: 1,
      configuration: #"{"hidden":4}"#, blockCount: 2, parameterCount: 200, compressibleWeightCount: 96)
    return try transaction.store(
      model: model, source: ModelSource(folder: "/models/tiny", fingerprint: "f", tokenizerDigest: nil),
      tensors: layers.map {
        TensorRecord(name: $0.name + ".weight", dtype: "BF16", shape: [$0.outputCount, 4], digest: $0.weightDigest)
      }, sites: sites, layers: layers)
  }

  static func storeMethod(in transaction: CatalogTransaction) throws -> MethodRecord {
    var key = CanonicalRecord(kind: "method")
    key.set("name", "gptq")
    key.set("revision", 1)
    return try transaction.store(method: MethodRecord(name: "gptq", revision: 1, parameters: "{}", key: key))
  }

  static func storeVariant(
    of layer: LayerRecord, bits: Int, method: Int64, statistic: Int64, numerics: Int64,
    in transaction: CatalogTransaction
  ) throws -> VariantRecord {
    let packed = Array("packed \(layer.name) \(bits)".utf8)
    let variant = VariantRecord(
      recipeKey: SHA256.digest(of: "recipe \(layer.name) \(bits)".utf8), contentKey: SHA256.digest(of: packed),
      weightID: layer.weightID, methodID: method, level: "bits=\(bits)", bits: Double(bits), sparsity: nil,
      statisticRecipeKey: SHA256.digest(of: "statistic recipe".utf8), statisticID: statistic,
      nmse: 1 / Double(bits * (layer.index + 1)), codeBits: Int64(bits * layer.weightCount),
      storedBits: Int64(bits * layer.weightCount + 32 * layer.outputCount), dampingUsed: 0.01, deadInputCount: 0,
      trouble: layer.index == 3 ? "damping was raised" : nil, numericsID: numerics)
    return try transaction.store(variant: variant, packed: packed)
  }

  /// A finished run: it starts at `mixed`, ends at `high`, and is compared with `low`.
  func storeRun(in transaction: CatalogTransaction) throws -> RunRecord {
    let units = layers.map { layer in
      SpaceRecord.Unit(
        name: layer.name, sizeGroup: "\(layer.weightCount)", nameGroup: layer.role, weightCount: layer.weightCount,
        levels: variants[layer.index].reversed().map { variant in
          SpaceRecord.Level(
            cost: variant.codeBits, label: variant.level,
            members: [
              SpaceRecord.Member(
                layerID: layer.id, layerName: layer.name, layerIndex: layer.index, variantID: variant.id,
                contentKey: variant.contentKey, isDropped: false)
            ])
        })
    }
    let space = try transaction.store(
      space: SpaceRecord(modelID: model.id, modelDigest: model.digest, cost: "codes", units: units))
    var run = RunRecord(
      name: "first", recipeDigest: SHA256.digest(of: "run recipe".utf8), recipe: #"{"generations":1,"seed":7}"#,
      modelID: model.id, spaceID: space.id, measureID: kl.id, calibrationSetID: dataSet.id,
      validationSetID: heldOut.id, budget: 384, denseAssignmentID: dense.id, referenceAssignmentID: low.id)
    run = try transaction.begin(run: run)
    let all = try transaction.store(sequenceList: sequences)
    for generation in generations(minibatch: all) {
      try transaction.store(generation: generation, ofRun: run.id, jobID: job.id)
    }
    run.startAssignmentID = mixed.id
    run.foundAssignmentID = high.id
    run.recommendation = "found"
    run.isFinished = true
    try transaction.update(run: run)
    var job = job
    job.runID = run.id
    job.work.evaluationCount = 24
    try transaction.update(job: job, outcome: .done)
    return run
  }

  /// Generation 0 takes `mixed` out of two starts, generation 1 replaces it by `high`.
  func generations(minibatch: SequenceListRecord) -> [ClosedGeneration] {
    func result(_ index: Int, _ name: String, _ survived: Bool) -> ClosedGeneration.Result {
      let sum = (Self.sums["\(name)/kl"] ?? []).reduce(0, +)
      return ClosedGeneration.Result(
        candidateIndex: index, observation: Observation(sum: sum, predictionCount: 10), fitness: sum / 10,
        survived: survived)
    }
    let first = ClosedGeneration(
      index: 0,
      candidates: [
        ClosedGeneration.Candidate(assignment: low, role: "start", switchCount: 0),
        ClosedGeneration.Candidate(assignment: mixed, role: "start", switchCount: 0),
      ],
      stages: [
        ClosedGeneration.Stage(
          index: 0, minibatch: minibatch, results: [result(0, "low", false), result(1, "mixed", true)])
      ], winnerIndex: 1, missingCount: 0)
    let second = ClosedGeneration(
      index: 1,
      candidates: [
        ClosedGeneration.Candidate(assignment: mixed, role: "parent", switchCount: 0),
        ClosedGeneration.Candidate(assignment: high, role: "offspring", switchCount: 2),
        ClosedGeneration.Candidate(assignment: low, role: "offspring", switchCount: 1),
      ],
      stages: [
        ClosedGeneration.Stage(
          index: 0, minibatch: minibatch,
          results: [result(0, "mixed", true), result(1, "high", true), result(2, "low", false)]),
        ClosedGeneration.Stage(
          index: 1, minibatch: minibatch, results: [result(0, "mixed", false), result(1, "high", true)]),
      ], winnerIndex: 1, missingCount: 3)
    return [first, second]
  }
}
