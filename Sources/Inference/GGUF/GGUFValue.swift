/// A value of a GGUF file's metadata.
///
/// Source: ggml, `docs/gguf.md` and `gguf.h`.
public enum GGUFValue: Equatable, Sendable {
  /// An 8-bit unsigned integer.
  case uint8(UInt8)
  /// An 8-bit signed integer.
  case int8(Int8)
  /// A 16-bit unsigned integer.
  case uint16(UInt16)
  /// A 16-bit signed integer.
  case int16(Int16)
  /// A 32-bit unsigned integer, as which counts are stored.
  case uint32(UInt32)
  /// A 32-bit signed integer.
  case int32(Int32)
  /// An IEEE binary32.
  case float32(Float)
  /// A truth value.
  case bool(Bool)
  /// A text; tokens need not be valid UTF-8.
  case string(ByteString)
  /// Values of one type.
  case array(GGUFArray)
  /// A 64-bit unsigned integer.
  case uint64(UInt64)
  /// A 64-bit signed integer.
  case int64(Int64)
  /// An IEEE binary64.
  case float64(Double)

  /// The type of a value, by its number in files.
  public enum Kind: UInt32, CaseIterable, Sendable {
    /// An 8-bit unsigned integer.
    case uint8 = 0
    /// An 8-bit signed integer.
    case int8 = 1
    /// A 16-bit unsigned integer.
    case uint16 = 2
    /// A 16-bit signed integer.
    case int16 = 3
    /// A 32-bit unsigned integer.
    case uint32 = 4
    /// A 32-bit signed integer.
    case int32 = 5
    /// An IEEE binary32.
    case float32 = 6
    /// A truth value.
    case bool = 7
    /// A text.
    case string = 8
    /// Values of one type.
    case array = 9
    /// A 64-bit unsigned integer.
    case uint64 = 10
    /// A 64-bit signed integer.
    case int64 = 11
    /// An IEEE binary64.
    case float64 = 12

    /// Bytes that a value has at least: of texts the length, of arrays type and count.
    var leastByteCount: Int {
      switch self {
      case .uint8, .int8, .bool: 1
      case .uint16, .int16: 2
      case .uint32, .int32, .float32: 4
      case .uint64, .int64, .float64, .string: 8
      case .array: 12
      }
    }
  }

  /// Its type.
  public var kind: Kind {
    switch self {
    case .uint8: .uint8
    case .int8: .int8
    case .uint16: .uint16
    case .int16: .int16
    case .uint32: .uint32
    case .int32: .int32
    case .float32: .float32
    case .bool: .bool
    case .string: .string
    case .array: .array
    case .uint64: .uint64
    case .int64: .int64
    case .float64: .float64
    }
  }

  /// Appends the value as it is stored behind its type.
  func append(to bytes: inout [UInt8]) {
    switch self {
    case .uint8(let value): bytes.append(value)
    case .int8(let value): bytes.append(UInt8(bitPattern: value))
    case .uint16(let value): bytes.append(littleEndian: value)
    case .int16(let value): bytes.append(littleEndian: value)
    case .uint32(let value): bytes.append(littleEndian: value)
    case .int32(let value): bytes.append(littleEndian: value)
    case .float32(let value): bytes.append(littleEndian: value.bitPattern)
    case .bool(let value): bytes.append(value ? 1 : 0)
    case .string(let value): value.append(to: &bytes)
    case .uint64(let value): bytes.append(littleEndian: value)
    case .int64(let value): bytes.append(littleEndian: value)
    case .float64(let value): bytes.append(littleEndian: value.bitPattern)
    case .array(let array):
      bytes.append(littleEndian: array.elementKind.rawValue)
      bytes.append(littleEndian: UInt64(array.values.count))
      for value in array.values { value.append(to: &bytes) }
    }
  }
}

/// Values of one type, which is none of arrays.
public struct GGUFArray: Equatable, Sendable {
  /// The type of all values.
  public let elementKind: GGUFValue.Kind
  /// The values.
  public let values: [GGUFValue]

  /// An array of values; nil if one of them is of another type, or the type is that of arrays.
  public init?(_ values: [GGUFValue], of elementKind: GGUFValue.Kind) {
    guard elementKind != .array, values.allSatisfy({ $0.kind == elementKind }) else { return nil }
    self.elementKind = elementKind
    self.values = values
  }

  /// An array of texts.
  public init(strings: [ByteString]) {
    elementKind = .string
    values = strings.map { .string($0) }
  }

  /// An array of 32-bit signed integers.
  public init(int32 numbers: [Int32]) {
    elementKind = .int32
    values = numbers.map { .int32($0) }
  }

  /// An array of 32-bit unsigned integers.
  public init(uint32 numbers: [UInt32]) {
    elementKind = .uint32
    values = numbers.map { .uint32($0) }
  }

  /// An array of IEEE binary32.
  public init(float32 numbers: [Float]) {
    elementKind = .float32
    values = numbers.map { .float32($0) }
  }
}

/// One entry of a GGUF file's metadata.
public struct GGUFField: Equatable, Sendable {
  /// The name, such as `general.architecture`.
  public let key: ByteString
  /// The value.
  public let value: GGUFValue

  /// An entry.
  public init(_ key: ByteString, _ value: GGUFValue) {
    self.key = key
    self.value = value
  }
}

extension ByteString {
  /// Appends the text as GGUF stores it: the number of its bytes in 64 bits, then the bytes.
  func append(to bytes: inout [UInt8]) {
    bytes.append(littleEndian: UInt64(self.bytes.count))
    bytes += self.bytes
  }
}
