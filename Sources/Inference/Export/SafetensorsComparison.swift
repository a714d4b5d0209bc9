import Foundation

/// Where the bytes of tensors go, in the order of a header.
protocol TensorSink {
  /// Takes more bytes of the current tensor; full, it gives way to the next one.
  func append(_ bytes: ArraySlice<UInt8>) throws
}

extension SafetensorsWriter: TensorSink {}

/// Holds a safetensors file that was written against the same bytes, made anew.
final class SafetensorsComparison: TensorSink {
  private let file: SafetensorsFile
  private var remaining: ArraySlice<ByteString>
  private var tensor: TensorDescription?
  private var position = 0

  /// Opens the file.
  ///
  /// - Parameter names: of its tensors, in the order in which their bytes come.
  /// - Throws: `InferenceError.inputOutput` if it cannot be read as the file that was written.
  init(_ url: URL, names: [ByteString]) throws {
    do {
      file = try SafetensorsFile(url)
    } catch let error as InferenceError {
      throw InferenceError.inputOutput(path: url.path, detail: "reads back as another file: \(error)")
    }
    remaining = names[...]
    try next()
  }

  func append(_ bytes: ArraySlice<UInt8>) throws {
    guard let tensor, position + bytes.count <= tensor.byteCount,
      try file.bytes(of: tensor, at: position, count: bytes.count)[...] == bytes
    else { throw differs(tensor?.name ?? "a tensor") }
    position += bytes.count
    if position == tensor.byteCount { try next() }
  }

  /// - Throws: `InferenceError.inputOutput` if bytes are missing.
  func finish() throws {
    guard tensor == nil, remaining.isEmpty else { throw differs(tensor?.name ?? "a tensor") }
  }

  /// Tensors without elements have no bytes.
  private func next() throws {
    tensor = nil
    position = 0
    while tensor == nil, let name = remaining.popFirst() {
      guard let found = file.tensor(named: name.description) else { throw differs(name.description) }
      if found.byteCount > 0 { tensor = found }
    }
  }

  private func differs(_ name: String) -> InferenceError {
    .inputOutput(path: file.path, detail: "\(name) does not read back as it was written; the disk or the memory fails")
  }
}
