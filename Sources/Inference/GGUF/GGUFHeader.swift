/// The entry of one tensor in a GGUF file.
public struct GGUFTensorDescription: Equatable, Sendable {
  /// Longest name, in bytes, that ggml has room for (`GGML_MAX_NAME` less the terminating zero).
  public static let nameByteLimit = 63
  /// Most dimensions (`GGML_MAX_DIMS`).
  public static let dimensionLimit = 4

  /// The name, such as `blk.0.attn_q.weight`.
  public let name: ByteString
  /// The type of the elements.
  public let type: GGUFType
  /// The dimensions, the slowest first: `[out, in]` for a linear weight. Files have them the other way round.
  public let shape: [Int]
  /// Bytes of all elements.
  public let byteCount: Int

  /// An entry.
  ///
  /// - Throws: `InferenceError.impossible` naming the rule of the format that it breaks.
  public init(name: ByteString, type: GGUFType, shape: [Int]) throws {
    func impossible(_ rule: String) -> InferenceError { .impossible(detail: "tensor \(name): \(rule)") }
    guard name.bytes.count <= Self.nameByteLimit else {
      throw InferenceError.impossible(
        detail: "a tensor's name has at most \(Self.nameByteLimit) bytes in GGUF, not \(name.bytes.count)")
    }
    guard (1...Self.dimensionLimit).contains(shape.count) else {
      throw impossible("GGUF has from 1 to \(Self.dimensionLimit) dimensions, not \(shape.count)")
    }
    guard let width = shape.last, shape.allSatisfy({ $0 > 0 }) else {
      throw impossible("all dimensions must be at least 1, not \(shape)")
    }
    guard width.isMultiple(of: type.blockLength) else {
      throw impossible("rows of \(type.name) are a multiple of \(type.blockLength) long, not \(width)")
    }
    var byteCount = type.rowByteCount(width: width)
    for dimension in shape.dropLast() {
      byteCount = byteCount.flatMap {
        let (product, overflow) = $0.multipliedReportingOverflow(by: dimension)
        return overflow ? nil : product
      }
    }
    guard let byteCount else { throw impossible("the size of \(shape) does not fit in 64 bits") }
    self.name = name
    self.type = type
    self.shape = shape
    self.byteCount = byteCount
  }
}

/// All of a GGUF file that stands before its tensors' elements.
struct GGUFHeader: Equatable {
  static let magic: [UInt8] = Array("GGUF".utf8)
  /// The version that is written; version 2 differs in nothing but its number.
  static let version: UInt32 = 3
  static let readableVersions: ClosedRange<UInt32> = 2...3
  /// Where elements begin at multiples of, unless the metadata say otherwise.
  static let standardAlignment = 32
  static let alignmentKey: ByteString = "general.alignment"

  let fields: [GGUFField]
  let tensors: [GGUFTensorDescription]
  /// Where the tensors begin, from the start of their section on, in order and without gaps but for the alignment.
  let offsets: [Int]
  let alignment: Int

  /// Checks what holds for the whole.
  ///
  /// - Throws: `InferenceError.impossible` naming the rule of the format that is broken.
  init(fields: [GGUFField], tensors: [GGUFTensorDescription]) throws {
    var keys: Set<ByteString> = []
    for field in fields {
      guard !field.key.bytes.isEmpty else { throw InferenceError.impossible(detail: "a key of the metadata is empty") }
      guard keys.insert(field.key).inserted else {
        throw InferenceError.impossible(
          detail: "the key \(StrictJSON.string(field.key).summary) occurs twice in the metadata")
      }
    }
    var names: Set<ByteString> = []
    if let twice = tensors.first(where: { !names.insert($0.name).inserted }) {
      throw InferenceError.impossible(detail: "tensor \(twice.name) occurs twice")
    }
    alignment = try Self.alignment(fields)
    var offsets: [Int] = []
    offsets.reserveCapacity(tensors.count)
    var position = 0
    for tensor in tensors {
      offsets.append(position)
      let (end, overflow) = position.addingReportingOverflow(tensor.byteCount)
      guard !overflow, let padded = Self.padded(end, to: alignment) else {
        throw InferenceError.impossible(detail: "the tensors do not fit in 64 bits")
      }
      position = padded
    }
    self.fields = fields
    self.tensors = tensors
    self.offsets = offsets
  }

  /// The next multiple of an alignment, which is a power of two; nil if it does not fit.
  static func padded(_ position: Int, to alignment: Int) -> Int? {
    let (sum, overflow) = position.addingReportingOverflow(alignment - 1)
    return overflow ? nil : sum & ~(alignment - 1)
  }

  private static func alignment(_ fields: [GGUFField]) throws -> Int {
    guard let field = fields.first(where: { $0.key == alignmentKey }) else { return standardAlignment }
    guard case .uint32(let value) = field.value, value.nonzeroBitCount == 1 else {
      throw InferenceError.impossible(detail: "\(alignmentKey) must be a 32-bit unsigned power of two")
    }
    return Int(value)
  }

  /// The header as it is stored, with the padding behind it.
  var bytes: [UInt8] {
    let bytes = contents
    // Nothing follows that would have to be aligned, and an alignment may be gigabytes.
    guard !tensors.isEmpty else { return bytes }
    return bytes + [UInt8](repeating: 0, count: -bytes.count & (alignment - 1))
  }

  /// The header without padding.
  var contents: [UInt8] {
    var bytes = Self.magic
    bytes.append(littleEndian: Self.version)
    bytes.append(littleEndian: UInt64(tensors.count))
    bytes.append(littleEndian: UInt64(fields.count))
    for field in fields {
      field.key.append(to: &bytes)
      bytes.append(littleEndian: field.value.kind.rawValue)
      field.value.append(to: &bytes)
    }
    for (tensor, offset) in zip(tensors, offsets) {
      tensor.name.append(to: &bytes)
      bytes.append(littleEndian: UInt32(tensor.shape.count))
      for dimension in tensor.shape.reversed() { bytes.append(littleEndian: UInt64(dimension)) }
      bytes.append(littleEndian: tensor.type.number)
      bytes.append(littleEndian: UInt64(offset))
    }
    return bytes
  }
}
