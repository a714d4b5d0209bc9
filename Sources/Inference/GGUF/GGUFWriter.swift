import Foundation

/// Writes a GGUF file of version 3 tensor by tensor: what the tensors are is known beforehand, so the header comes first and
/// no more than a piece of one is ever held.
public final class GGUFWriter {
  private let file: OutputFile
  private let alignment: Int
  private var remaining: ArraySlice<Int>
  /// Bytes that the current tensor still lacks, and its length.
  private var missing = 0
  private var current = 0

  /// Creates the file and writes its header; the tensors' bytes follow in the given order.
  ///
  /// - Parameter fields: the metadata, whose `general.alignment` (32 without it) also holds for this file.
  /// - Throws: `InferenceError.impossible` for what the format does not allow; `.inputOutput` if there is a file or it cannot
  ///   be written.
  public init(_ url: URL, fields: [GGUFField], tensors: [GGUFTensorDescription]) throws {
    let header = try GGUFHeader(fields: fields, tensors: tensors)
    file = try OutputFile(url)
    alignment = header.alignment
    remaining = tensors.map(\.byteCount)[...]
    try file.write(header.bytes)
    next()
  }

  /// Writes more bytes of the current tensor; complete, it is padded and gives way to the next one.
  ///
  /// - Throws: `InferenceError.inputOutput`.
  public func append(_ bytes: ArraySlice<UInt8>) throws {
    precondition(bytes.count <= missing, "more bytes than the header says")
    try file.write(Array(bytes))
    missing -= bytes.count
    guard missing == 0, current > 0 else { return }
    try file.write([UInt8](repeating: 0, count: -current & (alignment - 1)))
    next()
  }

  /// Writes all bytes of the current tensor.
  ///
  /// - Throws: `InferenceError.inputOutput`.
  public func append(_ tensor: GGUFTensor) throws { try append(tensor.bytes[...]) }

  /// Makes sure that everything is on the disk.
  ///
  /// - Throws: `InferenceError.inputOutput`.
  public func finish() throws {
    precondition(missing == 0 && remaining.isEmpty, "fewer bytes than the header says")
    try file.finish()
  }

  private func next() {
    current = remaining.popFirst() ?? 0
    missing = current
  }
}
