import Catalog
import Foundation

/// Takes a checkpoint folder into a catalog: its keys and shapes, not its weights.
public enum ModelImport {
  /// Reads the folder, digests every tensor and stores what is found.
  ///
  /// - Parameters:
  ///   - name: the model's name in the catalog; nil: `name(of:)`.
  ///   - allowsUnused: whether tensors that the computation does not read are taken along.
  ///   - onUnused: is given the names of those that are.
  /// - Throws: `InferenceError` for folders that are not whole or not supported, or hold tensors of another model;
  ///   `CatalogError`.
  public static func run(
    folder: URL, name: String?, allowsUnused: Bool = false, job: Job, onUnused: ([String]) -> Void = { _ in }
  ) throws -> ModelRecord {
    let folder = AbsolutePath.url(folder.path)
    let checkpoint = try Checkpoint(directory: folder)
    let (layers, sites) = try describe(checkpoint)
    let unused = checkpoint.unusedTensorNames
    if !allowsUnused { try checkpoint.requireAllUsed() }
    if !unused.isEmpty { onUnused(unused) }
    let before = WeightFingerprint(try checkpoint.fileStates(settling: true))
    let digests = try TensorDigests.compute(
      checkpoint.tensors, of: checkpoint, threadCount: job.threadCount, cancellation: job.cancellation
    ) { job.progress("reading \(folder.lastPathComponent)", $0, of: $1) }
    let tensors = zip(checkpoint.tensors, digests).map { tensor, digest in
      TensorRecord(name: tensor.name, dtype: tensor.elementType.rawValue, shape: tensor.shape, digest: digest)
    }
    let byName = Dictionary(uniqueKeysWithValues: zip(tensors, checkpoint.tensors).map { ($1.key, ($0, $1)) })
    let layerRecords = try layers.map { layer in
      // Also checks shape and finiteness.
      _ = try checkpoint.matrix(layer.tensorName, rows: layer.outputCount, columns: layer.inputCount)
      guard let (record, tensor) = byName[ByteString(layer.tensorName)] else {
        throw InferenceError.invalidData(file: folder.path, detail: "there is no tensor \(layer.tensorName)")
      }
      return LayerRecord(
        index: layer.index, name: layer.name, blockIndex: layer.subblock.blockIndex,
        subblock: layer.subblock.half.rawValue, role: layer.role, siteName: sites[layer.siteIndex].name,
        weightDigest: ArtefactKey.weight(record), outputCount: layer.outputCount, inputCount: layer.inputCount,
        denseBits: tensor.elementType.byteCount * 8)
    }
    let model = ModelRecord(
      digest: ArtefactKey.model(configuration: configurationValues(checkpoint.configuration), tensors: tensors),
      name: name ?? Self.name(of: folder),
      architecture: checkpoint.configuration.architecture.rawValue,
      architectureRevision: try LanguageModelFactory.revision(of: checkpoint.configuration),
      configuration: configurationJSON(checkpoint.configuration), blockCount: checkpoint.configuration.blockCount,
      parameterCount: tensors.reduce(0) { $0 + $1.shape.reduce(1, *) },
      compressibleWeightCount: layerRecords.reduce(0) { $0 + $1.weightCount })
    let after = WeightFingerprint(try checkpoint.fileStates(settling: false))
    let source = ModelSource(
      folder: folder.path,
      // Of files that changed meanwhile the bytes are looked at again before they are used.
      fingerprint: before == after ? before.text : "",
      tokenizerDigest: try checkpoint.tokenizerURL.map { try fileDigest($0) })
    return try job.write(durable: true) { tx in
      try tx.store(
        model: model, source: source, tensors: tensors,
        sites: sites.map { SiteRecord(name: $0.name, blockIndex: $0.blockIndex, width: $0.width) }, layers: layerRecords
      )
    }
  }

  /// The layers and sites; reading what stays in memory checks shapes and values of everything outside the layers.
  private static func describe(_ checkpoint: Checkpoint) throws -> (
    layers: [LayerDescription], sites: [SiteDescription]
  ) {
    let model = try LanguageModelFactory.open(checkpoint, longestSequence: 2)
    return (model.layers, model.sites)
  }

  /// SHA-256 of a whole file.
  static func fileDigest(_ url: URL) throws -> Digest {
    SHA256.digest(of: try RandomAccessFile.contents(of: url, limit: 1 << 30))
  }

  /// The name of a model by default: that of its folder, or of the repository where the folder is one of the Hugging
  /// Face cache, `models--ORG--NAME/snapshots/COMMIT`, whose own name is a commit.
  public static func name(of folder: URL) -> String {
    let parts = AbsolutePath.url(folder.path).pathComponents
    let own = parts.last ?? ""
    guard parts.count >= 3, parts[parts.count - 2] == "snapshots" else { return own }
    let repository = parts[parts.count - 3].components(separatedBy: "--")
    guard repository.count >= 2, repository[0] == "models", let name = repository.last, !name.isEmpty else {
      return own
    }
    return name
  }

  /// The architecture fields in the model's key.
  static func configurationValues(_ configuration: ModelConfiguration) -> [(
    name: String, value: ArtefactKey.ConfigurationValue
  )] {
    configuration.canonicalFields.map { field in
      switch field.value {
      case .integer(let value): (field.name, .integer(Int64(value)))
      case .real(let value): (field.name, .real(value))
      case .text(let value): (field.name, .text(value))
      }
    }
  }

  /// The architecture fields as a catalog holds them.
  static func configurationJSON(_ configuration: ModelConfiguration) -> String {
    let members = configuration.canonicalFields.map { field in
      switch field.value {
      case .integer(let value): return "\"\(field.name)\":\(value)"
      case .real(let value): return "\"\(field.name)\":\(value)"
      case .text(let value): return "\"\(field.name)\":\"\(value)\""
      }
    }
    return "{\(members.joined(separator: ","))}"
  }
}
