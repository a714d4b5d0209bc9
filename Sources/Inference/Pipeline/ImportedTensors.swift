import Catalog
import Foundation

/// The tensors of a model as it was imported, against which a checkpoint's bytes are checked.
///
/// `@unchecked Sendable`: `lock` guards what is learnt; the rest is never changed.
final class ImportedTensors: TensorGuard, @unchecked Sendable {
  private let records: [ByteString: TensorRecord]
  /// States in which all tensors of a file are known to be right.
  private let knownStates: Set<FileState>
  private let modelName: String
  private let origin: ModelOrigin
  private let lock = NSLock()
  private var checked: [ByteString: FileState] = [:]

  /// - Parameter origin: for errors about other bytes.
  init(_ records: [TensorRecord], knownStates: Set<FileState>, modelName: String, origin: ModelOrigin) {
    self.records = Dictionary(records.map { (ByteString($0.name), $0) }, uniquingKeysWith: { first, _ in first })
    self.knownStates = knownStates
    self.modelName = modelName
    self.origin = origin
  }

  func knows(_ tensor: TensorDescription, in state: FileState) -> Bool {
    knownStates.contains(state) || lock.withLock { checked[tensor.key] == state }
  }

  func remember(_ tensor: TensorDescription, of file: String, in state: FileState) {
    guard WeightFingerprint.vouches(for: file) else { return }
    lock.withLock { checked[tensor.key] = state }
  }

  func beginCheck(of tensor: TensorDescription, file: String) -> any TensorCheck {
    Check(expected: records[tensor.key]?.digest) {
      InferenceError.changedModel(
        file: file,
        detail: "tensor \(tensor.name) does not hold the bytes it had when it was imported as \(self.modelName)",
        origin: self.origin)
    }
  }

  /// Holds what the headers say against the records.
  ///
  /// - Throws: `InferenceError.changedModel` naming tensors that lack, are new, or have another type or shape.
  func verifyHeaders(of checkpoint: Checkpoint) throws {
    func refuse(_ what: String) -> InferenceError {
      .changedModel(
        file: checkpoint.directory.path, detail: "\(what) when it was imported as \(modelName)", origin: origin)
    }
    let found = Set(checkpoint.tensors.map(\.key))
    let lost = records.keys.filter { !found.contains($0) }.sorted().map(\.description)
    guard lost.isEmpty else { throw refuse("lacks \(Checkpoint.list(lost)), which it had") }
    let fresh = checkpoint.tensors.filter { records[$0.key] == nil }.map(\.name)
    guard fresh.isEmpty else { throw refuse("holds \(Checkpoint.list(fresh)), which it did not have") }
    for tensor in checkpoint.tensors {
      guard let record = records[tensor.key] else { continue }
      guard record.dtype == tensor.elementType.rawValue, record.shape == tensor.shape else {
        throw refuse(
          "tensor \(tensor.name) is \(tensor.elementType.rawValue) \(tensor.shape), was \(record.dtype) \(record.shape)"
        )
      }
    }
  }

  private final class Check: TensorCheck {
    private var hash = SHA256()
    private let expected: Digest?
    private let mismatch: () -> InferenceError

    init(expected: Digest?, mismatch: @escaping () -> InferenceError) {
      self.expected = expected
      self.mismatch = mismatch
    }

    func update(_ bytes: some Sequence<UInt8>) { hash.update(bytes) }

    func finish() throws {
      guard hash.finalize() == expected else { throw mismatch() }
    }
  }
}
