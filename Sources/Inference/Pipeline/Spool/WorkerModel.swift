import Catalog
import Foundation

/// A model's folder, opened by a worker that knows no catalog: held against the model's digest.
struct WorkerModel {
  /// Where it is; nil: where the coordinator has it.
  var folder: String?
  var threadCount: Int
  var memoryLimit: Int64?
  var cancellation: Cancellation
  var note: @Sendable (String) -> Void

  /// Opens what a session computes with.
  ///
  /// - Throws: `InferenceError.refusedRequest` for an arithmetic or a revision that this build does not have, or
  ///   `.otherModel`; as `Checkpoint` and `MemoryPlan`.
  func open(_ page: CoordinatorPage, _ spool: SpoolFolder, _ scratch: String?) throws -> SpoolComputer {
    guard
      let arithmetic = Arithmetic.allCases.first(where: { NumericsRecord($0).digest == page.model.numerics })
    else {
      let own = NumericsRecord(Arithmetic(rawValue: page.arithmetic) ?? .float32).digest
      throw InferenceError.refusedRequest(.otherNumerics(wanted: page.model.numerics, own: own))
    }
    let url = AbsolutePath.url(folder ?? page.folder)
    let checkpoint = try Checkpoint(directory: url)
    try verify(checkpoint, is: page.model.digest, scratch)
    let revision = try LanguageModelFactory.revision(of: checkpoint.configuration)
    guard revision == page.model.architectureRevision else {
      throw InferenceError.refusedRequest(
        .otherRevision(of: "the architecture", wanted: page.model.architectureRevision, own: revision))
    }
    guard (2...checkpoint.configuration.maximumPositions).contains(page.longestSequence) else {
      throw InferenceError.refusedRequest(
        .malformed(
          "sequences of \(page.longestSequence) tokens, where the model takes 2 to "
            + "\(checkpoint.configuration.maximumPositions)"))
    }
    let network = try LanguageModelFactory.open(
      checkpoint, longestSequence: page.longestSequence, arithmetic: arithmetic)
    let memory = try MemoryPlan(
      model: network, checkpointByteCount: checkpoint.tensors.reduce(0) { $0 + $1.byteCount },
      longestSequence: page.longestSequence, threadCount: threadCount, limit: memoryLimit, arithmetic: arithmetic,
      purpose: page.purpose == .evaluation
        ? .evaluation
        : .compression(calibrationTokenCount: threadCount * page.longestSequence, isDivided: true))
    ProcessLimits.reserve(threadCount: threadCount)
    BufferPool.shared.limit(toByteCount: memory.bufferPoolByteCount)
    let contents = SpoolContents(
      spool, scratch: scratch, hiddenSize: network.hiddenSize, stateCapacity: memory.teacherByteCount)
    let weights = WeightCache(capacity: memory.weightCacheByteCount, arithmetic: arithmetic) { index, choice in
      let layer = network.layers[index]
      return switch choice {
      case .dense: checkpoint.source(layer.tensorName, rows: layer.outputCount, columns: layer.inputCount)
      case .variant(let key): try contents.weights(key, of: layer)
      }
    }
    let evaluations = InProcessWorker(
      page.model, network: network, weights: weights, contents: contents, threadCount: 1,
      sharesPrefixes: memory.sharesPrefixes, keepsTeacherProbabilities: memory.keepsTeacherProbabilities)
    let compression = InProcessCompression(
      page.model, name: checkpoint.directory.lastPathComponent, network: network, weights: weights, contents: contents,
      types: checkpoint.layerTypes(of: network), statisticByteCount: memory.statisticByteCount)
    return SpoolComputer(evaluations: evaluations, compression: compression)
  }

  /// Looks at all bytes of the folder's tensors, unless they were looked at in the state that its files are in.
  private func verify(_ checkpoint: Checkpoint, is wanted: Digest, _ scratch: String?) throws {
    let before = WeightFingerprint(try checkpoint.fileStates(settling: true))
    let noted = scratch.map { "\($0)/folder-\(wanted.hex)" }
    let text = Array("\(checkpoint.directory.path)\n\(before.text)".utf8)
    if before.isComplete, let noted,
      let file = try? SpoolFolder.read(noted, as: [.folderState], isOurs: { $0.st_uid == geteuid() }),
      file.content == text
    {
      return
    }
    note("checking the weights in \(checkpoint.directory.path)")
    let digests = try TensorDigests.compute(
      checkpoint.tensors, of: checkpoint, threadCount: threadCount, cancellation: cancellation, progress: { _, _ in })
    let tensors = zip(checkpoint.tensors, digests).map { tensor, digest in
      TensorRecord(name: tensor.name, dtype: tensor.elementType.rawValue, shape: tensor.shape, digest: digest)
    }
    let found = ArtefactKey.model(
      configuration: ModelImport.configurationValues(checkpoint.configuration), tensors: tensors)
    guard found == wanted else {
      throw InferenceError.refusedRequest(
        .otherModel(folder: checkpoint.directory.path, found: found, wanted: wanted))
    }
    if let noted, before.isComplete, before == WeightFingerprint(try checkpoint.fileStates(settling: false)) {
      SpoolContents.keep(SpoolFile.folderState.sealed(text), at: noted)
    }
  }
}

extension SpoolWorker {
  /// A worker of this process.
  ///
  /// - Parameters:
  ///   - modelFolder: where the model is on this machine; nil: where the coordinator has it.
  ///   - memoryLimit: bytes; nil: three quarters of what is free.
  ///   - note: is told, once each, of what is worth telling.
  public convenience init(
    _ plan: Plan, version: String, threadCount: Int, modelFolder: String?, memoryLimit: Int64?,
    settings: SpoolSettings = SpoolSettings(), cancellation: Cancellation, note: @escaping @Sendable (String) -> Void
  ) {
    let model = WorkerModel(
      folder: modelFolder, threadCount: threadCount, memoryLimit: memoryLimit, cancellation: cancellation, note: note)
    self.init(
      plan, identity: WorkerIdentity(version: version, threadCount: threadCount), settings: settings,
      cancellation: cancellation, note: note, open: model.open)
  }
}
