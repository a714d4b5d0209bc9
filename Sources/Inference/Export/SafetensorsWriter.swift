import Foundation

/// Writes a safetensors file tensor by tensor: names, types and shapes are known beforehand, so the header comes first and
/// no more than one tensor is ever held.
///
/// Source: huggingface/safetensors, README "Format". The header is padded with spaces so that the elements begin at a
/// multiple of 8, and says `format: pt`, without which transformers refuses the file.
final class SafetensorsWriter {
  private let file: OutputFile
  private var remaining: ArraySlice<Int>
  private var missing = 0

  /// Creates the file and writes its header; tensors follow in the given order.
  ///
  /// - Throws: `InferenceError.inputOutput`, `.invalidData` for a header beyond the format's limit.
  init(_ url: URL, tensors: [(name: ByteString, elementType: TensorElementType, shape: [Int], byteCount: Int)]) throws {
    var offset = 0
    var members: [(ByteString, StrictJSON)] = [("__metadata__", .members([("format", .string("pt"))]))]
    for tensor in tensors {
      let end = offset + tensor.byteCount
      members.append(
        (
          tensor.name,
          .members([
            ("dtype", .string(ByteString(tensor.elementType.rawValue))),
            ("shape", .array(tensor.shape.map { .integer(Int64($0)) })),
            ("data_offsets", .array([.integer(Int64(offset)), .integer(Int64(end))])),
          ])
        ))
      offset = end
    }
    var header = StrictJSON.members(members).compactText
    header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    guard header.count <= SafetensorsHeader.byteLimit else {
      throw InferenceError.invalidData(
        file: url.path,
        detail: "the header would have \(header.count) bytes; the format allows \(SafetensorsHeader.byteLimit)")
    }
    file = try OutputFile(url)
    remaining = tensors.map(\.byteCount)[...]
    try file.write(withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header)
    next()
  }

  /// Writes more bytes of the current tensor; full, it gives way to the next one.
  func append(_ bytes: ArraySlice<UInt8>) throws {
    precondition(bytes.count <= missing, "more bytes than the header says")
    try file.write(Array(bytes))
    missing -= bytes.count
    if missing == 0 { next() }
  }

  /// Makes sure that everything is on the disk.
  func finish() throws {
    precondition(missing == 0 && remaining.isEmpty, "fewer bytes than the header says")
    try file.finish()
  }

  /// Tensors without elements need no bytes.
  private func next() {
    while missing == 0, let count = remaining.popFirst() { missing = count }
  }
}
