import Catalog

extension ExampleContents {
  /// A model of two blocks; each has an attention layer of 4 × 4 and an MLP layer of 8 × 4 weights at 16 bits.
  package static func storeModel(
    in transaction: CatalogTransaction, name: String = "tiny", seed: String = "model"
  ) throws -> ModelRecord {
    var sites: [SiteRecord] = []
    var layers: [LayerRecord] = []
    var tensors = [
      TensorRecord(
        name: "model.embed_tokens.weight", dtype: "BF16", shape: [26, 4],
        digest: SHA256.digest(of: "\(seed) embeddings".utf8))
    ]
    for block in 0..<2 {
      for (subblock, role, rows) in [("attention", "q_proj", 4), ("mlp", "up_proj", 8)] {
        let site = "model.layers.\(block).\(subblock).in"
        sites.append(SiteRecord(name: site, blockIndex: block, width: 4))
        let name = "model.layers.\(block).\(subblock).\(role)"
        let tensor = TensorRecord(
          name: name + ".weight", dtype: "BF16", shape: [rows, 4],
          digest: SHA256.digest(of: "\(seed) weight \(layers.count)".utf8))
        tensors.append(tensor)
        layers.append(
          LayerRecord(
            index: layers.count, name: name, blockIndex: block, subblock: subblock, role: role, siteName: site,
            weightDigest: ArtefactKey.weight(tensor), outputCount: rows,
            inputCount: 4, denseBits: 16))
      }
    }
    let digest = ArtefactKey.model(configuration: [("hidden", .integer(4))], tensors: tensors)
    let model = ModelRecord(
      digest: digest, name: name, architecture: "llama", architectureRevision: 1,
      configuration: #"{"hidden":4}"#, blockCount: 2, parameterCount: 200, compressibleWeightCount: 96)
    return try transaction.store(
      model: model, source: ModelSource(folder: "/models/tiny", fingerprint: "f", tokenizerDigest: nil),
      tensors: tensors, sites: sites, layers: layers)
  }

  package static func storeMethod(in transaction: CatalogTransaction) throws -> MethodRecord {
    var key = CanonicalRecord(kind: "method")
    key.set("name", "gptq")
    key.set("revision", 1)
    return try transaction.store(method: MethodRecord(name: "gptq", revision: 1, parameters: "{}", key: key))
  }

  /// - Parameter realisation: another one gives other bytes for the same recipe.
  package static func storeVariant(
    of layer: LayerRecord, bits: Int, method: MethodRecord, statistic: (id: Int64, recipeKey: Digest), numerics: Int64,
    realisation: Int = 0, in transaction: CatalogTransaction
  ) throws -> VariantRecord {
    let storedBits = bits * layer.weightCount + 32 * layer.outputCount
    let seed = SHA256.digest(of: "packed \(layer.name) \(bits) \(realisation)".utf8).bytes
    let packed = (0..<storedBits / 8).map { seed[$0 % 32] }
    let variant = VariantRecord(
      recipeKey: ArtefactKey.variant(
        weight: layer.weightDigest, method: method.digest, level: "bits=\(bits)", statistic: statistic.recipeKey),
      contentKey: SHA256.digest(of: packed), weightID: layer.weightID, methodID: method.id, level: "bits=\(bits)",
      bits: Double(bits), sparsity: nil,
      statisticRecipeKey: statistic.recipeKey, statisticID: statistic.id,
      nmse: 1 / Double(bits * (layer.index + 1)), codeBits: Int64(bits * layer.weightCount),
      storedBits: Int64(storedBits), dampingUsed: 0.01, deadInputCount: 0,
      trouble: layer.index == 3 ? "damping was raised" : nil, numericsID: numerics)
    return try transaction.store(variant: variant, packed: packed)
  }

  /// A finished run: it starts at `mixed`, ends at `high`, and is compared with `low`.
  package func storeRun(in transaction: CatalogTransaction) throws -> RunRecord {
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
    let recipe = #"{"generations":1,"seed":7}"#
    var run = RunRecord(
      name: "first", engineRevision: 1,
      recipeDigest: RunRecord.recipeDigest(
        engineRevision: 1, recipe: recipe, space: space.digest, calibration: dataSet.digest, validation: heldOut.digest),
      recipe: recipe, modelID: model.id, spaceID: space.id, measureID: kl.id, calibrationSetID: dataSet.id,
      validationSetID: heldOut.id, budget: 384, denseAssignmentID: dense.id, referenceAssignmentID: low.id)
    run = try transaction.begin(run: run)
    let all = try transaction.store(sequenceList: sequences)
    for generation in generations(minibatch: all) {
      try transaction.store(generation: generation, ofRun: run.id, jobID: job.id)
    }
    run.startAssignmentID = mixed.id
    run.foundAssignmentID = high.id
    run.recommendation = .found
    run.isFinished = true
    try transaction.update(run: run)
    var job = job
    job.runID = run.id
    job.work.evaluationCount = 24
    try transaction.update(job: job, outcome: .done)
    return run
  }

  /// Generation 0 takes `mixed` out of two starts, generation 1 replaces it by `high`.
  package func generations(minibatch: SequenceListRecord) -> [StoredGeneration] {
    func result(_ index: Int, _ name: String, _ survived: Bool) -> StoredGeneration.Result {
      let sum = (Self.sums["\(name)/kl"] ?? []).reduce(0, +)
      return StoredGeneration.Result(
        candidateIndex: index, observation: Observation(sum: sum, predictionCount: 10), fitness: sum / 10,
        survived: survived)
    }
    let first = StoredGeneration(
      index: 0,
      candidates: [
        StoredGeneration.Candidate(assignment: low, role: .start, switchCount: 0),
        StoredGeneration.Candidate(assignment: mixed, role: .start, switchCount: 0),
      ],
      stages: [
        StoredGeneration.Stage(
          index: 0, minibatch: minibatch, results: [result(0, "low", false), result(1, "mixed", true)])
      ], winnerIndex: 1, missingCount: 0)
    let second = StoredGeneration(
      index: 1,
      candidates: [
        StoredGeneration.Candidate(assignment: mixed, role: .parent, switchCount: 0),
        StoredGeneration.Candidate(assignment: high, role: .offspring, switchCount: 2),
        StoredGeneration.Candidate(assignment: low, role: .offspring, switchCount: 1),
      ],
      stages: [
        StoredGeneration.Stage(
          index: 0, minibatch: minibatch,
          results: [result(0, "mixed", true), result(1, "high", true), result(2, "low", false)]),
        StoredGeneration.Stage(
          index: 1, minibatch: minibatch, results: [result(0, "mixed", false), result(1, "high", true)]),
      ], winnerIndex: 1, missingCount: 3)
    return [first, second]
  }

  /// Two questions of two choices, answered by `high`, which is right about the first.
  package func storeTask(in transaction: CatalogTransaction) throws {
    let measure = MeasureRecord(name: "continuation", topK: nil, firstToken: 1, reference: "none", revision: 1)
    let choices: [[Int32]] = [[1, 2], [1, 3], [4, 5], [4, 6]]
    let items = [choices[0..<2], choices[2...]].map { item in
      item.enumerated().map { index, ids in
        TaskChoice(tokenIDs: ids, measure: measure, isAnswer: index == 0, characterCount: 2, byteCount: 3)
      }
    }
    let task = try transaction.store(task: "questions.jsonl", items: items)
    for (question, sum) in zip(task.questions, [1.0, 2, 4, 3]) {
      try transaction.store(
        observation: Observation(sum: sum, predictionCount: 1), assignmentID: high.id, measureID: question.measureID,
        sequenceID: question.sequence.id, numericsID: here, jobID: job.id)
    }
  }
}
