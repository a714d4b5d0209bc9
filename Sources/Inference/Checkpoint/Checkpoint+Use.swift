import Foundation

/// The tensors that a model reads of its checkpoint, and the states of their files.
extension Checkpoint {
  /// Names that are listed in an error.
  private static let listedNameCount = 5

  /// Tensors that the computation does not read, known leftovers left out, once the model was opened.
  public var unusedTensorNames: [String] {
    tensors.filter { !isUsed($0.key) && !TensorNames.isLeftover($0) }.map(\.name)
  }

  /// Checks that the model that was opened reads all tensors, known leftovers left out.
  ///
  /// - Throws: `InferenceError.invalidData` naming tensors that it would ignore: they are of another model than the one that
  ///   config.json describes.
  public func requireAllUsed() throws {
    let unused = unusedTensorNames
    guard !unused.isEmpty else { return }
    throw InferenceError.invalidData(
      file: directory.path,
      detail:
        "the model that config.json describes does not use \(Self.list(unused)); correct config.json or the weights, "
        + "or allow unused tensors")
  }

  /// `tensor a` or `3 tensors: a, b, c`, long lists cut.
  public static func list(_ names: [String]) -> String {
    guard names.count != 1 else { return "tensor \(names[0])" }
    let more = names.count - listedNameCount
    return "\(names.count) tensors: \(names.prefix(listedNameCount).joined(separator: ", "))"
      + (more > 0 ? " and \(more) more" : "")
  }
}

/// The names of the tensors that were asked for.
///
/// `@unchecked Sendable`: `lock` guards the set.
final class UsedNames: @unchecked Sendable {
  private let lock = NSLock()
  private var names: Set<ByteString> = []

  func insert(_ name: ByteString) { lock.withLock { _ = names.insert(name) } }

  func contains(_ name: ByteString) -> Bool { lock.withLock { names.contains(name) } }
}
