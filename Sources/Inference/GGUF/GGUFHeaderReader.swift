/// Reads the header of a GGUF file and holds every number in it against the file's size before it is used.
struct GGUFHeaderReader {
  /// Longest accepted header; those of models with the largest vocabularies have some ten megabytes.
  static let byteLimit = 1 << 28

  private let file: RandomAccessFile
  private var buffer: [UInt8] = []
  private var place = 0
  /// Where in the file the buffer begins.
  private var bufferStart = 0

  init(_ file: RandomAccessFile) { self.file = file }

  /// Reads the header from the file's beginning.
  ///
  /// - Returns: the header, and where the tensors' section begins.
  /// - Throws: `InferenceError.invalidData` naming the broken rule; `.unsupported` for another version, byte order or element
  ///   type; `.inputOutput`.
  mutating func read() throws -> (header: GGUFHeader, dataStart: Int) {
    guard file.byteCount >= GGUFHeader.magic.count, try bytes(GGUFHeader.magic.count) == GGUFHeader.magic[...] else {
      throw invalid("it does not begin with GGUF")
    }
    let version: UInt32 = try integer("version")
    guard GGUFHeader.readableVersions.contains(version) else {
      throw InferenceError.unsupported(
        file: file.path,
        detail: version & 0xFFFF == 0 ? "GGUF in big-endian byte order" : "GGUF version \(version); 2 and 3 are read")
    }
    let tensorCount = try count("tensors", leastByteCount: 8 + 4 + 8 + 4 + 8)
    let fieldCount = try count("metadata", leastByteCount: 8 + 4 + 1)
    var fields: [GGUFField] = []
    for _ in 0..<fieldCount {
      let key = try string("a key of the metadata")
      let name = StrictJSON.string(key).summary
      fields.append(GGUFField(key, try value(try kind(of: name), of: name)))
    }
    var tensors: [GGUFTensorDescription] = []
    var offsets: [UInt64] = []
    for _ in 0..<tensorCount {
      tensors.append(try tensor())
      offsets.append(try integer("the offset of tensor \(tensors[tensors.count - 1].name)"))
    }
    let header = try asInvalid { try GGUFHeader(fields: fields, tensors: tensors) }
    for (index, offset) in offsets.enumerated() where offset != UInt64(header.offsets[index]) {
      throw invalid(
        "tensor \(tensors[index].name) begins at \(offset), expected \(header.offsets[index]): tensors lie in order and "
          + "without gaps but for the alignment to \(header.alignment)")
    }
    return (header, try dataStart(header))
  }

  /// The tensors' section, which must be there as far as the last element.
  private func dataStart(_ header: GGUFHeader) throws -> Int {
    let end = bufferStart + place
    guard let last = header.tensors.last, let offset = header.offsets.last else { return end }
    guard let start = GGUFHeader.padded(end, to: header.alignment) else { throw invalid("its header is too long") }
    let needed = offset.addingReportingOverflow(last.byteCount)
    guard !needed.overflow, start <= file.byteCount, needed.partialValue <= file.byteCount - start else {
      throw invalid(
        "the tensors take \(needed.partialValue) bytes, but \(max(0, file.byteCount - start)) follow the header: the file "
          + "is cut off")
    }
    return start
  }

  private mutating func tensor() throws -> GGUFTensorDescription {
    let name = try string("a tensor's name", limit: GGUFTensorDescription.nameByteLimit)
    let dimensionCount: UInt32 = try integer("the dimensions of tensor \(name)")
    guard (1...UInt32(GGUFTensorDescription.dimensionLimit)).contains(dimensionCount) else {
      throw invalid(
        "tensor \(name) has \(dimensionCount) dimensions, and must have from 1 to "
          + "\(GGUFTensorDescription.dimensionLimit)")
    }
    var shape: [Int] = []
    for _ in 0..<dimensionCount {
      let dimension: UInt64 = try integer("the dimensions of tensor \(name)")
      guard let dimension = Int(exactly: dimension) else {
        throw invalid("tensor \(name): a dimension must be a positive 64-bit number, not \(dimension)")
      }
      shape.append(dimension)
    }
    let number: UInt32 = try integer("the type of tensor \(name)")
    guard let type = GGUFType(number: number) else {
      throw InferenceError.unsupported(file: file.path, detail: "tensor \(name): elements of ggml's type \(number)")
    }
    return try asInvalid { try GGUFTensorDescription(name: name, type: type, shape: shape.reversed()) }
  }

  private mutating func kind(of key: String) throws -> GGUFValue.Kind {
    let number: UInt32 = try integer("the type of \(key)")
    guard let kind = GGUFValue.Kind(rawValue: number) else {
      throw invalid("\(key) has a value of type \(number); types are numbers from 0 to 12")
    }
    return kind
  }

  private mutating func value(_ kind: GGUFValue.Kind, of key: String) throws -> GGUFValue {
    let what = "the value of \(key)"
    switch kind {
    case .uint8: return .uint8(try integer(what))
    case .int8: return .int8(try integer(what))
    case .uint16: return .uint16(try integer(what))
    case .int16: return .int16(try integer(what))
    case .uint32: return .uint32(try integer(what))
    case .int32: return .int32(try integer(what))
    case .float32: return .float32(Float(bitPattern: try integer(what)))
    case .uint64: return .uint64(try integer(what))
    case .int64: return .int64(try integer(what))
    case .float64: return .float64(Double(bitPattern: try integer(what)))
    case .string: return .string(try string(what))
    case .bool:
      let byte: UInt8 = try integer(what)
      guard byte <= 1 else { throw invalid("\(what) must be 0 or 1 for false or true, not \(byte)") }
      return .bool(byte == 1)
    case .array:
      let elementKind = try self.kind(of: key)
      guard elementKind != .array else { throw invalid("\(what) is an array of arrays") }
      let elementCount = try count(what, leastByteCount: elementKind.leastByteCount)
      var values: [GGUFValue] = []
      values.reserveCapacity(elementCount)
      for _ in 0..<elementCount { values.append(try value(elementKind, of: key)) }
      guard let array = GGUFArray(values, of: elementKind) else { throw invalid("\(what) is of mixed types") }
      return .array(array)
    }
  }

  /// A number of things that have so many bytes each at least.
  private mutating func count(_ what: String, leastByteCount: Int) throws -> Int {
    let count: UInt64 = try integer("the number of \(what)")
    guard count <= UInt64(remaining / leastByteCount) else {
      throw invalid("\(what): \(count) are said to be there, but only \(remaining) bytes follow")
    }
    return Int(count)
  }

  private mutating func string(_ what: String, limit: Int? = nil) throws -> ByteString {
    let count: UInt64 = try integer("the length of \(what)")
    guard count <= UInt64(limit ?? remaining), count <= UInt64(remaining) else {
      let bound = limit.map { "at most \($0) are accepted" } ?? "only \(remaining) follow"
      throw invalid("\(what) has \(count) bytes; \(bound)")
    }
    return ByteString(Array(try bytes(Int(count))))
  }

  private mutating func integer<Value: FixedWidthInteger>(_ what: String) throws -> Value {
    let count = Value.bitWidth / 8
    guard remaining >= count else { throw invalid("it ends in \(what)") }
    try fill(count)
    let value = buffer.littleEndian(at: place, as: Value.self)
    place += count
    return value
  }

  /// Bytes that are left for the header.
  private var remaining: Int { min(file.byteCount, Self.byteLimit) - bufferStart - place }

  /// The next `count` bytes, which are there.
  private mutating func bytes(_ count: Int) throws -> ArraySlice<UInt8> {
    try fill(count)
    defer { place += count }
    return buffer[place..<place + count]
  }

  /// Makes sure that the buffer has the next `count` bytes, which are there.
  private mutating func fill(_ count: Int) throws {
    guard place + count > buffer.count else { return }
    bufferStart += place
    buffer = try file.bytes(at: bufferStart, count: min(max(count, 1 << 16), file.byteCount - bufferStart))
    place = 0
  }

  private func asInvalid<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch InferenceError.impossible(let detail) {
      throw invalid(detail)
    }
  }

  private func invalid(_ detail: String) -> InferenceError { .invalidData(file: file.path, detail: detail) }
}
