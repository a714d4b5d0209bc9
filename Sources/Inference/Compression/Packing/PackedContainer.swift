/// The header that all packed weights begin with: 16 bytes, of which 6 and 7 belong to the kind, little-endian.
///
/// | offset | bytes | content |
/// |---|---|---|
/// | 0 | 4 | `EVPW` |
/// | 4 | 1 | version of the container, 1 |
/// | 5 | 1 | kind of content: 1 quantized (`PackedWeightHeader`), 2 sparse (`SparseWeightPacking`), 3 blocks (`BlockWeightPacking`) |
/// | 6 | 2 | as the kind says |
/// | 8 | 4 | rows (outputs), at least 1 |
/// | 12 | 4 | columns (inputs), at least 1 |
///
/// Eight bytes of the kind's own follow, so that every header has 24.
struct PackedContainer: Equatable {
  static let byteCount = 24
  static let magic: [UInt8] = Array("EVPW".utf8)
  static let version: UInt8 = 1

  /// The kind of a packed weight.
  enum Kind: UInt8 {
    /// Dense b-bit codes with scales and zero points per group.
    case quantized = 1
    /// A bit mask and the weights it keeps.
    case sparse = 2
    /// The bytes of a tensor in a GGUF file.
    case blocks = 3
  }

  let kind: Kind
  let rows: Int
  let columns: Int

  init(kind: Kind, rows: Int, columns: Int) {
    self.kind = kind
    self.rows = rows
    self.columns = columns
  }

  /// Reads and checks the common part of a header.
  ///
  /// - Throws: `InferenceError.invalidData` with the field, the rule and the received value; `InferenceError.unsupported`
  ///   for a version or kind of a newer evodb.
  init(_ bytes: [UInt8]) throws {
    guard bytes.count >= Self.byteCount else {
      throw Self.invalid("\(bytes.count) bytes are fewer than the header's \(Self.byteCount)")
    }
    guard bytes.prefix(4).elementsEqual(Self.magic) else {
      throw Self.invalid("it does not begin with EVPW")
    }
    guard bytes[4] == Self.version else {
      throw InferenceError.unsupported(
        file: Self.name, detail: "container version \(bytes[4]); this evodb reads \(Self.version)")
    }
    guard let kind = Kind(rawValue: bytes[5]) else {
      throw InferenceError.unsupported(file: Self.name, detail: "content of kind \(bytes[5])")
    }
    self.kind = kind
    rows = try Self.dimension("rows", bytes, at: 8, from: 1)
    columns = try Self.dimension("columns", bytes, at: 12, from: 1)
  }

  /// The first 16 bytes, with the kind's own two in their place.
  func bytes(_ own: (UInt8, UInt8)) -> [UInt8] {
    var bytes = Self.magic
    bytes.append(contentsOf: [Self.version, kind.rawValue, own.0, own.1])
    for field in [rows, columns] { bytes.append(littleEndian: UInt32(field)) }
    return bytes
  }

  /// How errors name the thing that is read.
  static let name = "packed weight"

  static func invalid(_ detail: String) -> InferenceError { .invalidData(file: name, detail: detail) }

  static func dimension(
    _ field: String, _ bytes: [UInt8], at offset: Int, from least: Int
  ) throws -> Int {
    let value = Int(bytes.littleEndian(at: offset, as: UInt32.self))
    guard (least...QuantizationFormat.largestDimension).contains(value) else {
      throw invalid("\(field) must be from \(least) to \(QuantizationFormat.largestDimension), not \(value)")
    }
    return value
  }
}

extension [UInt8] {
  /// Appends the bytes of `value`, lowest first.
  mutating func append<Value: FixedWidthInteger>(littleEndian value: Value) {
    for shift in stride(from: 0, to: Value.bitWidth, by: 8) { append(UInt8(truncatingIfNeeded: value >> shift)) }
  }

  /// The number whose bytes begin at `offset`, lowest first.
  func littleEndian<Value: FixedWidthInteger>(at offset: Int, as type: Value.Type) -> Value {
    var value: Value = 0
    for index in 0..<Value.bitWidth / 8 {
      value |= Value(truncatingIfNeeded: self[offset + index]) << (8 * index)
    }
    return value
  }
}
