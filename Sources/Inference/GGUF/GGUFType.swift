/// An element type of GGUF files: the name, number and block layout that ggml gives it.
///
/// A row of a quantized tensor is a whole number of blocks, and a block stands for `blockLength` neighbouring elements of
/// it. Source: ggml, `enum ggml_type` and its table of type traits.
public enum GGUFType: String, CaseIterable, Sendable {
  /// IEEE binary32.
  case float32 = "F32"
  /// IEEE binary16.
  case float16 = "F16"
  /// The upper half of a binary32.
  case bfloat16 = "BF16"
  /// IEEE binary64.
  case float64 = "F64"
  /// 8-bit signed integers.
  case int8 = "I8"
  /// 16-bit signed integers.
  case int16 = "I16"
  /// 32-bit signed integers.
  case int32 = "I32"
  /// 64-bit signed integers.
  case int64 = "I64"
  /// 4-bit codes with a scale.
  case q40 = "Q4_0"
  /// 4-bit codes with a scale and a minimum.
  case q41 = "Q4_1"
  /// 5-bit codes with a scale.
  case q50 = "Q5_0"
  /// 5-bit codes with a scale and a minimum.
  case q51 = "Q5_1"
  /// 8-bit codes with a scale.
  case q80 = "Q8_0"
  /// 8-bit codes with a scale and their sum; for activations.
  case q81 = "Q8_1"
  /// 2-bit codes; 4-bit scales and minima of 16 elements.
  case q2K = "Q2_K"
  /// 3-bit codes; 6-bit scales of 16 elements.
  case q3K = "Q3_K"
  /// 4-bit codes; 6-bit scales and minima of 32 elements.
  case q4K = "Q4_K"
  /// 5-bit codes; 6-bit scales and minima of 32 elements.
  case q5K = "Q5_K"
  /// 6-bit codes; 8-bit scales of 16 elements.
  case q6K = "Q6_K"
  /// 8-bit codes with a scale and sums; for activations.
  case q8K = "Q8_K"
  /// 4-bit codes of unevenly spaced values.
  case iq4NL = "IQ4_NL"
  /// 4-bit codes of unevenly spaced values; 6-bit scales of 32 elements.
  case iq4XS = "IQ4_XS"
  /// Lattice codes, 1.5625 bits a weight.
  case iq1S = "IQ1_S"
  /// Lattice codes, 1.75 bits a weight.
  case iq1M = "IQ1_M"
  /// Lattice codes, 2.0625 bits a weight.
  case iq2XXS = "IQ2_XXS"
  /// Lattice codes, 2.3125 bits a weight.
  case iq2XS = "IQ2_XS"
  /// Lattice codes, 2.5625 bits a weight.
  case iq2S = "IQ2_S"
  /// Lattice codes, 3.0625 bits a weight.
  case iq3XXS = "IQ3_XXS"
  /// Lattice codes, 3.4375 bits a weight.
  case iq3S = "IQ3_S"
  /// Ternary codes, five to a byte.
  case tq10 = "TQ1_0"
  /// Ternary codes, four to a byte.
  case tq20 = "TQ2_0"
  /// 4-bit floats with a power of two as scale.
  case mxfp4 = "MXFP4"
  /// 4-bit floats with 8-bit floats as scales.
  case nvfp4 = "NVFP4"
  /// Signs with a scale.
  case q10 = "Q1_0"

  /// The types that weights can be quantized to and read back from.
  public static let quantized: [GGUFType] = [
    .q40, .q41, .q50, .q51, .q80, .iq4NL, .iq4XS, .q2K, .q3K, .q4K, .q5K, .q6K,
  ]

  /// The type with this name, such as `Q4_K`.
  public init?(name: String) { self.init(rawValue: name) }

  /// The type with this number in files; nil for one that is not listed here.
  public init?(number: UInt32) {
    guard let type = Self.byNumber[number] else { return nil }
    self = type
  }

  private static let byNumber = Dictionary(uniqueKeysWithValues: allCases.map { ($0.number, $0) })

  /// The name.
  public var name: String { rawValue }

  /// The number in files.
  public var number: UInt32 { layout.number }

  /// Elements of a block.
  public var blockLength: Int { layout.length }

  /// Bytes of a block.
  public var blockByteCount: Int { layout.byteCount }

  /// Bits that an element costs on average, with its share of the scales.
  public var bitsPerWeight: Double { Double(8 * blockByteCount) / Double(blockLength) }

  /// Whether weights can be quantized to this type and read back.
  public var isQuantized: Bool { Self.quantized.contains(self) }

  /// Bytes of a row of `width` elements; nil if that is no positive multiple of the block length, or too many.
  public func rowByteCount(width: Int) -> Int? {
    guard width > 0, width.isMultiple(of: blockLength) else { return nil }
    let (count, overflow) = (width / blockLength).multipliedReportingOverflow(by: blockByteCount)
    return overflow ? nil : count
  }

  /// The type that takes this one's place in rows whose width is no multiple of the block length: one with blocks of 32 and
  /// about as many bits, or F16 if 32 does not divide the width either.
  ///
  /// Source: llama.cpp, `src/llama-quant.cpp`, which chooses so for whole models.
  public func fallback(width: Int) -> GGUFType {
    guard !width.isMultiple(of: blockLength) else { return self }
    guard width.isMultiple(of: 32) else { return .float16 }
    switch self {
    case .q2K, .q3K: return .q40
    case .q4K: return .q50
    case .q5K: return .q51
    case .q6K: return .q80
    case .iq4XS: return .iq4NL
    default: return .float16
    }
  }

  private var layout: (number: UInt32, length: Int, byteCount: Int) {
    switch self {
    case .float32: (0, 1, 4)
    case .float16: (1, 1, 2)
    case .q40: (2, 32, 18)
    case .q41: (3, 32, 20)
    case .q50: (6, 32, 22)
    case .q51: (7, 32, 24)
    case .q80: (8, 32, 34)
    case .q81: (9, 32, 40)
    case .q2K: (10, 256, 84)
    case .q3K: (11, 256, 110)
    case .q4K: (12, 256, 144)
    case .q5K: (13, 256, 176)
    case .q6K: (14, 256, 210)
    case .q8K: (15, 256, 292)
    case .iq2XXS: (16, 256, 66)
    case .iq2XS: (17, 256, 74)
    case .iq3XXS: (18, 256, 98)
    case .iq1S: (19, 256, 50)
    case .iq4NL: (20, 32, 18)
    case .iq3S: (21, 256, 110)
    case .iq2S: (22, 256, 82)
    case .iq4XS: (23, 256, 136)
    case .int8: (24, 1, 1)
    case .int16: (25, 1, 2)
    case .int32: (26, 1, 4)
    case .int64: (27, 1, 8)
    case .float64: (28, 1, 8)
    case .iq1M: (29, 256, 56)
    case .bfloat16: (30, 1, 2)
    case .tq10: (34, 256, 54)
    case .tq20: (35, 256, 66)
    case .mxfp4: (39, 32, 17)
    case .nvfp4: (40, 64, 36)
    case .q10: (41, 128, 18)
    }
  }
}
