import Catalog
import Foundation

/// The folder of a model that a catalog knows, held against what was imported: its configuration, the headers of its weight
/// files and, wherever their state does not vouch for them, the bytes of its tensors (docs/decisions/0009).
public struct ModelFolder {
  /// How a folder stands.
  public enum Condition: Equatable, Sendable {
    /// The bytes were looked at, and no file has changed since.
    case asImported
    /// Nothing speaks against it, but files have changed since their bytes were looked at, or were copied.
    case unchecked
    /// It cannot be used: why, and what to do.
    case unusable(String, remedy: Remedy?)
  }

  private let model: ModelRecord
  private let source: ModelSource
  private let tensors: [TensorRecord]
  private let catalogPath: String
  /// Where states of files are noted; nil: nowhere.
  private let store: CatalogStore?

  /// - Throws: `CatalogError.notFound` if the catalog does not know where the folder is.
  public init(_ model: ModelRecord, store: CatalogStore) throws {
    (source, tensors) = try store.read { tx in
      (try tx.source(ofModel: model.id), try tx.tensors(ofModel: model.id))
    }
    self.model = model
    self.store = store
    catalogPath = store.path
  }

  /// The folder as a transaction sees it, which may be opened and not looked through.
  init(_ model: ModelRecord, tx: CatalogTransaction) throws {
    source = try tx.source(ofModel: model.id)
    tensors = try tx.tensors(ofModel: model.id)
    self.model = model
    store = nil
    catalogPath = tx.path
  }

  /// Where it is.
  public var url: URL { URL(fileURLWithPath: source.folder) }

  /// How it stands, without reading the bytes of its tensors.
  public var condition: Condition {
    do {
      let checkpoint = try open()
      let now = WeightFingerprint(try checkpoint.fileStates(settling: false))
      let isKnown = now.isComplete && now.states.isSubset(of: WeightFingerprint(source.fingerprint).states)
      return isKnown ? .asImported : .unchecked
    } catch {
      return .unusable("\(error)", remedy: (error as? any Remediable)?.remedy)
    }
  }

  /// Opens it. Configuration and headers must be those that were imported; bytes are looked at when they are read.
  ///
  /// - Throws: `InferenceError.changedModel` naming what is another; else as `Checkpoint`.
  func open() throws -> Checkpoint {
    let imported = ImportedTensors(
      tensors, knownStates: WeightFingerprint(source.fingerprint).states, modelName: model.name, origin: origin())
    let checkpoint = try Checkpoint(directory: url, watch: imported)
    try verify(checkpoint.configuration)
    try imported.verifyHeaders(of: checkpoint)
    return checkpoint
  }

  /// Opens it and looks at the bytes of all files whose state does not vouch for them. Then their state is noted in the
  /// catalog, if that is open for writing.
  ///
  /// - Throws: as `open`; `InferenceError.changedModel` naming a tensor that holds other bytes, `.interrupted`.
  func openChecked(threadCount: Int, cancellation: Cancellation, progress: @escaping (Int, Int) -> Void) throws
    -> Checkpoint
  {
    let checkpoint = try open()
    let known = WeightFingerprint(source.fingerprint)
    // First without having anything written out, which a known file needs no more.
    let found = WeightFingerprint(try checkpoint.fileStates(settling: false))
    if found.isComplete, found.states.isSubset(of: known.states) { return checkpoint }
    let before = WeightFingerprint(try checkpoint.fileStates(settling: true))
    let unknown = try checkpoint.tensors.filter {
      try !known.states.contains(checkpoint.fileState(ofTensor: $0.name))
    }
    try TensorDigests.look(
      at: unknown, of: checkpoint, threadCount: threadCount, cancellation: cancellation, progress: progress)
    let after = WeightFingerprint(try checkpoint.fileStates(settling: false))
    if let store, before.isComplete, before == after, store.mode != .read {
      try store.write { try $0.note(fingerprint: before.text, ofModel: model.id) }
    }
    return checkpoint
  }

  /// The folder's tokenizer, which must be the one that was imported, and its digest.
  ///
  /// - Parameter need: why there has to be one, and what to do without.
  /// - Throws: `InferenceError.missingInput` if there is none, `.changedModel` if it is another.
  func tokenizer(of checkpoint: Checkpoint, need: String) throws -> (tokenizer: Tokenizer, digest: Digest) {
    guard let url = checkpoint.tokenizerURL else {
      throw InferenceError.missingInput(path: source.folder, reason: "the model has no tokenizer.json\(need)")
    }
    let digest = try verifyTokenizer(url)
    let tokenizer = try Tokenizer(contentsOf: url)
    guard try ModelImport.fileDigest(url) == digest else {
      throw InferenceError.invalidData(file: url.path, detail: "changed while it was read; run the command again")
    }
    return (tokenizer, digest)
  }

  /// Checks that a tokenizer.json is the one that was imported, if there was one.
  ///
  /// - Returns: its digest.
  @discardableResult
  func verifyTokenizer(_ url: URL) throws -> Digest {
    let digest = try ModelImport.fileDigest(url)
    guard source.tokenizerDigest == nil || source.tokenizerDigest == digest else {
      throw InferenceError.changedModel(
        file: url.path,
        detail: "changed since it was imported with \(model.name): the same text would give other tokens",
        origin: origin(as: model.name))
    }
    return digest
  }

  private func origin(as name: String? = nil) -> ModelOrigin {
    ModelOrigin(catalog: catalogPath, folder: source.folder, name: name)
  }

  private func verify(_ configuration: ModelConfiguration) throws {
    let file = url.appendingPathComponent("config.json").path
    let text = ModelImport.configurationJSON(configuration)
    guard text != model.configuration else { return }
    let now = try StrictJSON.parse(Array(text.utf8), file: file).object?.members ?? []
    let then = try StrictJSON.parse(Array(model.configuration.utf8), file: "model \(model.name)").object?.members ?? []
    func differences(_ members: [StrictJSON.Object.Member], _ others: [StrictJSON.Object.Member]) -> [String] {
      members.filter { !others.contains($0) }.map { "\($0.key) = \($0.value.summary)" }
    }
    func list(_ items: [String]) -> String { items.isEmpty ? "nothing of the kind" : items.joined(separator: ", ") }
    throw InferenceError.changedModel(
      file: file,
      detail: "says \(list(differences(now, then))), but \(list(differences(then, now))) when it was imported as "
        + model.name,
      origin: origin())
  }
}
