import Catalog
import Foundation

/// Takes a checkpoint folder into a catalog: its keys and shapes, not its weights.
public enum ModelImport {
  /// Reads the folder, digests every tensor and stores what is found.
  ///
  /// - Parameter name: what to call the model; nil: the folder's name.
  /// - Throws: `InferenceError` for folders that are not whole or not supported, `CatalogError`.
  public static func run(folder: URL, name: String?, job: Job) throws -> ModelRecord {
    let folder = folder.standardizedFileURL
    let checkpoint = try Checkpoint(directory: folder)
    let (layers, sites) = try describe(checkpoint)
    let total = checkpoint.tensors.reduce(0) { $0 + $1.byteCount }
    var done = 0
    var tensors: [TensorRecord] = []
    for tensor in checkpoint.tensors {
      try job.cancellation.check()
      var hash = SHA256()
      try checkpoint.forEachChunk(ofTensor: tensor.name) { chunk in
        hash.update(chunk)
        done += chunk.count
        job.progress("reading \(folder.lastPathComponent)", done, of: total)
      }
      tensors.append(
        TensorRecord(
          name: tensor.name, dtype: tensor.elementType.rawValue, shape: tensor.shape, digest: hash.finalize()))
    }
    let byName = Dictionary(uniqueKeysWithValues: zip(tensors, checkpoint.tensors).map { ($1.key, ($0, $1)) })
    let layerRecords = try layers.map { layer in
      // Also checks shape and finiteness.
      _ = try checkpoint.matrix(layer.tensorName, rows: layer.outputCount, columns: layer.inputCount)
      guard let (record, tensor) = byName[ByteString(layer.tensorName)] else {
        throw InferenceError.invalidData(file: folder.path, detail: "there is no tensor \(layer.tensorName)")
      }
      var weight = CanonicalRecord(kind: "weight")
      weight.set("dtype", record.dtype)
      weight.set("shape", record.shape.map { String($0) }.joined(separator: ","))
      weight.set("bytes", record.digest)
      return LayerRecord(
        index: layer.index, name: layer.name, blockIndex: layer.subblock.blockIndex,
        subblock: layer.subblock.half.rawValue, role: layer.role, siteName: sites[layer.siteIndex].name,
        weightDigest: weight.digest, outputCount: layer.outputCount, inputCount: layer.inputCount,
        denseBits: tensor.elementType.byteCount * 8)
    }
    let model = ModelRecord(
      digest: digest(of: checkpoint.configuration, tensors), name: name ?? folder.lastPathComponent,
      architecture: checkpoint.configuration.architecture.rawValue,
      architectureRevision: try LanguageModelFactory.revision(of: checkpoint.configuration),
      configuration: configurationJSON(checkpoint.configuration), blockCount: checkpoint.configuration.blockCount,
      parameterCount: tensors.reduce(0) { $0 + $1.shape.reduce(1, *) },
      compressibleWeightCount: layerRecords.reduce(0) { $0 + $1.weightCount })
    let source = ModelSource(
      folder: folder.path, fingerprint: try fingerprint(of: folder),
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
    do {
      return SHA256.digest(of: try Data(contentsOf: url))
    } catch {
      throw InferenceError.reading(url.path, error)
    }
  }

  /// How a model's folder stands today; nil: as it was imported.
  public static func trouble(with source: ModelSource) -> String? {
    guard FileManager.default.fileExists(atPath: source.folder) else { return "is not there" }
    guard let now = try? fingerprint(of: URL(fileURLWithPath: source.folder)) else { return "cannot be read" }
    return now == source.fingerprint ? nil : "changed since it was imported"
  }

  /// Names, sizes and modification times of the files a model consists of.
  static func fingerprint(of folder: URL) throws -> String {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    } catch {
      throw InferenceError.reading(folder.path, error)
    }
    return try names.filter { $0 == "config.json" || $0.hasSuffix(".safetensors") || $0.hasSuffix(".index.json") }
      .sorted()
      .map { name in
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.appendingPathComponent(name).path)
        let modified = (attributes[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
        return "\(name) \(attributes[.size] ?? 0) \(Int(modified * 1000))"
      }.joined(separator: "\n")
  }

  private static func digest(of configuration: ModelConfiguration, _ tensors: [TensorRecord]) -> Digest {
    var record = CanonicalRecord(kind: "model")
    for field in configuration.canonicalFields {
      switch field.value {
      case .integer(let value): record.set("config.\(field.name)", value)
      case .real(let value): record.set("config.\(field.name)", value)
      case .text(let value): record.set("config.\(field.name)", value)
      }
    }
    for tensor in tensors {
      let shape = tensor.shape.map { String($0) }.joined(separator: ",")
      record.set("tensor.\(tensor.name)", "\(tensor.dtype)[\(shape)]\(tensor.digest.hex)")
    }
    return record.digest
  }

  private static func configurationJSON(_ configuration: ModelConfiguration) -> String {
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
