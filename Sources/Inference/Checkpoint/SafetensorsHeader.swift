/// The header of a safetensors file, checked against every rule of the format before any tensor is read.
///
/// Layout (huggingface/safetensors, README "Format"): 8 bytes little-endian header length, a JSON object, then the
/// tensors' bytes. All numbers come from the file, so all arithmetic on them is checked for overflow.
struct SafetensorsHeader {
  /// Longest accepted header, as in the reference implementation (`MAX_HEADER_SIZE`).
  static let byteLimit = 100_000_000
  /// Longest accepted tensor name, in bytes; real names have less than 200.
  static let nameByteLimit = 4096

  /// Sorted by name bytes.
  let tensors: [TensorDescription]
  /// The `__metadata__` strings.
  let metadata: [ByteString: String]

  /// Reads and checks the header of `file`.
  ///
  /// - Throws: `invalidData` naming the broken rule, `unsupported` for an unknown element type, `inputOutput`.
  init(_ file: RandomAccessFile) throws {
    let path = file.path
    func invalid(_ detail: String) -> InferenceError { .invalidData(file: path, detail: detail) }

    guard file.byteCount >= 8 else {
      throw invalid("\(file.byteCount) bytes; a safetensors file has at least 8")
    }
    let declared = try file.bytes(at: 0, count: 8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard declared <= UInt64(Self.byteLimit) else {
      throw invalid("the header length is \(declared); at most \(Self.byteLimit) bytes are accepted")
    }
    let length = Int(declared)
    guard length <= file.byteCount - 8 else {
      throw invalid("the header length is \(length), but only \(file.byteCount - 8) bytes follow it")
    }
    let text = try file.bytes(at: 8, count: length)
    guard text.first == UInt8(ascii: "{") else { throw invalid("the header does not begin with '{'") }
    guard case .object(let object) = try StrictJSON.parse(text, file: path) else {
      throw invalid("the header is not a JSON object")
    }

    let dataStart = 8 + length
    var entries: [Entry] = []
    entries.reserveCapacity(object.members.count)
    var metadata: [ByteString: String] = [:]
    for member in object.members {
      if member.key == "__metadata__" {
        metadata = try Self.metadata(member.value, file: path)
      } else {
        entries.append(try Entry(member, dataStart: dataStart, file: path))
      }
    }
    try Self.checkLayout(&entries, dataByteCount: file.byteCount - dataStart, file: path)
    tensors = entries.map(\.tensor).sorted { $0.key < $1.key }
    self.metadata = metadata
  }

  private static func metadata(_ value: StrictJSON, file: String) throws -> [ByteString: String] {
    guard let members = value.object?.members else {
      throw InferenceError.invalidData(file: file, detail: "__metadata__ must be an object, found \(value.summary)")
    }
    var result: [ByteString: String] = [:]
    for member in members {
      guard let text = member.value.string else {
        throw InferenceError.invalidData(
          file: file, detail: "__metadata__ must hold strings, but \"\(member.key)\" is \(member.value.summary)")
      }
      result[member.key] = text.description
    }
    return result
  }

  /// In order of their offsets the tensors begin at 0, touch each other and end exactly at the end of the file.
  private static func checkLayout(_ entries: inout [Entry], dataByteCount: Int, file: String) throws {
    entries.sort { ($0.begin, $0.end, $0.tensor.key) < ($1.begin, $1.end, $1.tensor.key) }
    var position = 0
    for entry in entries {
      guard entry.begin == position else {
        let problem = entry.begin < position ? "overlaps the tensor before it" : "leaves a hole before it"
        throw InferenceError.invalidData(
          file: file, detail: "tensor \(entry.tensor.name) \(problem): begins at \(entry.begin), expected \(position)")
      }
      position = entry.end
    }
    guard position == dataByteCount else {
      throw InferenceError.invalidData(
        file: file,
        detail: "the tensors take \(position) bytes, but \(dataByteCount) follow the header"
          + (position > dataByteCount ? ": the file is cut off" : ""))
    }
  }

  /// One tensor with its offsets relative to the end of the header.
  private struct Entry {
    let tensor: TensorDescription
    let begin: Int
    let end: Int

    init(_ member: StrictJSON.Object.Member, dataStart: Int, file: String) throws {
      let key = member.key
      func invalid(_ detail: String) -> InferenceError {
        .invalidData(file: file, detail: "tensor \(StrictJSON.string(key).summary): \(detail)")
      }
      guard key.bytes.count <= SafetensorsHeader.nameByteLimit else {
        throw invalid("the name is longer than \(SafetensorsHeader.nameByteLimit) bytes")
      }
      guard let object = member.value.object else {
        throw invalid("expected an object, found \(member.value.summary)")
      }
      let known: [ByteString] = ["dtype", "shape", "data_offsets"]
      if let stranger = object.members.first(where: { !known.contains($0.key) }) {
        throw invalid("unknown field \(StrictJSON.string(stranger.key).summary)")
      }

      guard let typeName = object["dtype"]?.string else { throw invalid("dtype must be a string") }
      guard let elementType = TensorElementType.allCases.first(where: { ByteString($0.rawValue) == typeName }) else {
        throw InferenceError.unsupported(
          file: file, detail: "tensor \(key): element type \(StrictJSON.string(typeName).summary)")
      }

      guard let dimensions = object["shape"]?.array else { throw invalid("shape must be an array") }
      var shape: [Int] = []
      var byteCount = elementType.byteCount
      for dimension in dimensions {
        guard let value = dimension.integer, value >= 0 else {
          throw invalid("a dimension must be an integer of at least 0, found \(dimension.summary)")
        }
        let (product, overflow) = byteCount.multipliedReportingOverflow(by: Int(value))
        guard !overflow else { throw invalid("the product of its dimensions does not fit in 64 bits") }
        byteCount = product
        shape.append(Int(value))
      }

      guard let offsets = object["data_offsets"]?.array, offsets.count == 2, let begin = offsets[0].integer,
        let end = offsets[1].integer, begin >= 0, end >= begin
      else {
        throw invalid("data_offsets must be two integers, 0 <= begin <= end")
      }
      guard end - begin == byteCount else {
        throw invalid(
          "shape \(shape) of \(elementType.rawValue) needs \(byteCount) bytes, data_offsets give \(end - begin)")
      }
      let (fileOffset, overflow) = dataStart.addingReportingOverflow(Int(begin))
      guard !overflow else { throw invalid("data_offsets are beyond 64 bits") }
      self.begin = Int(begin)
      self.end = Int(end)
      tensor = TensorDescription(
        key: key, elementType: elementType, shape: shape, byteCount: byteCount, fileOffset: fileOffset)
    }
  }
}
