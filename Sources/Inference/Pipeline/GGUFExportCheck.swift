import Catalog
import Foundation

/// Holds a GGUF file against what it was made of, before it gets its name.
struct GGUFExportCheck {
  private let plan: GGUFExportPlan
  private let source: ExportSource
  private let file: URL
  private let place: URL

  /// - Parameters:
  ///   - file: where it lies now.
  ///   - place: where it will be, for errors.
  init(_ plan: GGUFExportPlan, _ source: ExportSource, file: URL, place: URL) {
    self.plan = plan
    self.source = source
    self.file = file
    self.place = place
  }

  /// Reads the file.
  ///
  /// - Parameters:
  ///   - byteCount: bytes that it must have.
  ///   - digests: of the bytes of each tensor, as they were written.
  /// - Throws: `InferenceError.inputOutput` if it is not what was written, or its layers are not those of the assignment;
  ///   `.interrupted`.
  func run(byteCount: Int, digests: [Digest], job: Job) throws {
    let found: GGUFFile
    do {
      found = try GGUFFile(file)
    } catch let error as InferenceError {
      throw mismatch("\(error)")
    }
    guard found.byteCount == byteCount else { throw mismatch("it has \(found.byteCount) bytes, not \(byteCount)") }
    guard found.fields == plan.fields else { throw mismatch("its metadata differ") }
    guard found.tensors == plan.tensors.map(\.description) else { throw mismatch("its list of tensors differs") }
    let total = plan.tensors.reduce(0) { $0 + $1.description.byteCount }
    let elements = GGUFElements(source)
    var done = 0
    for (tensor, digest) in zip(plan.tensors, digests) {
      try job.cancellation.check()
      let name = tensor.description.name
      let bytes = try found.bytes(ofTensor: name)
      guard SHA256.digest(of: bytes) == digest else { throw mismatch("tensor \(name) differs") }
      if case .layer(let layer) = tensor.content {
        try check(tensor, bytes: bytes, in: found, layerIndex: elements.index(ofLayer: layer))
      }
      done += tensor.description.byteCount
      job.progress("reading \(place.lastPathComponent) back", done, of: total)
    }
  }

  /// The weights that the tensor stands for are those that evodb evaluates, or these rounded where the tensor has no room.
  private func check(
    _ tensor: GGUFExportPlan.Tensor, bytes: [UInt8], in file: GGUFFile, layerIndex: Int
  ) throws {
    let layer = source.layers[layerIndex].name
    var expected = try source.matrix(ofLayer: layerIndex)
    if let order = tensor.rowOrder { expected = order.applied(to: expected) }
    let isEqual =
      tensor.description.type.isQuantized
      ? Self.areEqual(try file.matrix(named: tensor.description.name), expected)
      : try GGUFElements.rounded(expected, to: tensor.description.type, name: layer) == bytes
    guard isEqual else { throw mismatch("the weights of tensor \(tensor.description.name) are not those of \(layer)") }
  }

  /// Bit for bit.
  private static func areEqual(_ found: Matrix, _ expected: Matrix) -> Bool {
    guard (found.rows, found.columns) == (expected.rows, expected.columns) else { return false }
    return withExtendedLifetime((found, expected)) {
      zip(found.storage, expected.storage).allSatisfy { $0.bitPattern == $1.bitPattern }
    }
  }

  private func mismatch(_ detail: String) -> InferenceError {
    .inputOutput(path: place.path, detail: "what was read back is not what was written: \(detail)")
  }
}
