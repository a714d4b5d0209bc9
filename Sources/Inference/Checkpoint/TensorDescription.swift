/// The number format of a stored tensor, by its safetensors name.
public enum TensorElementType: String, Sendable, CaseIterable {
  /// IEEE binary64.
  case float64 = "F64"
  /// IEEE binary32.
  case float32 = "F32"
  /// IEEE binary16.
  case float16 = "F16"
  /// The upper half of a binary32.
  case bfloat16 = "BF16"
  /// 64-bit signed integer.
  case int64 = "I64"
  /// 32-bit signed integer.
  case int32 = "I32"
  /// 16-bit signed integer.
  case int16 = "I16"
  /// 8-bit signed integer.
  case int8 = "I8"
  /// 64-bit unsigned integer.
  case uint64 = "U64"
  /// 32-bit unsigned integer.
  case uint32 = "U32"
  /// 16-bit unsigned integer.
  case uint16 = "U16"
  /// 8-bit unsigned integer.
  case uint8 = "U8"
  /// One byte a truth value.
  case bool = "BOOL"
  /// 8-bit float with 4 exponent bits.
  case float8e4m3 = "F8_E4M3"
  /// 8-bit float with 5 exponent bits.
  case float8e5m2 = "F8_E5M2"

  /// Whether weights of this type can be read.
  var isReadableFloat: Bool { [.float64, .float32, .float16, .bfloat16].contains(self) }

  /// Whether its values are whole numbers or truth values.
  var isInteger: Bool {
    switch self {
    case .int64, .int32, .int16, .int8, .uint64, .uint32, .uint16, .uint8, .bool: true
    default: false
    }
  }

  /// Bytes of one element.
  public var byteCount: Int {
    switch self {
    case .float64, .int64, .uint64: 8
    case .float32, .int32, .uint32: 4
    case .float16, .bfloat16, .int16, .uint16: 2
    case .int8, .uint8, .bool, .float8e4m3, .float8e5m2: 1
    }
  }
}

/// The entry of one tensor in a safetensors header.
public struct TensorDescription: Equatable, Sendable {
  /// The name, compared byte by byte.
  public let key: ByteString
  /// The number format.
  public let elementType: TensorElementType
  /// The dimensions, outermost first; empty for a single number.
  public let shape: [Int]
  /// Bytes of all elements.
  public let byteCount: Int
  /// Where the elements begin, in bytes from the start of the file.
  let fileOffset: Int

  /// The name.
  public var name: String { key.description }

  /// The same tensor under another name.
  func renamed(_ key: ByteString) -> TensorDescription {
    TensorDescription(key: key, elementType: elementType, shape: shape, byteCount: byteCount, fileOffset: fileOffset)
  }
}
