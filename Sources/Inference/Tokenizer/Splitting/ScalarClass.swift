/// Classes of characters that pre-tokenizers cut at, as Hugging Face tokenizers 0.23 has them.
enum ScalarClass: Sendable {
  /// General category N (Rust's `char::is_numeric`).
  case number
  /// The property White_Space (Rust's `char::is_whitespace`).
  case whiteSpace
  /// ASCII punctuation, and general category P as of Unicode 8 (the crate `unicode_categories`).
  case punctuation

  /// Whether the scalar is of the class.
  func contains(_ scalar: Unicode.Scalar) -> Bool {
    switch self {
    case .number:
      switch scalar.properties.generalCategory {
      case .decimalNumber, .letterNumber, .otherNumber: true
      default: false
      }
    case .whiteSpace: scalar.properties.isWhitespace
    case .punctuation: Self.isPunctuation(scalar)
    }
  }

  private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII {
      switch scalar.value {
      case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: return true
      default: return false
      }
    }
    switch scalar.properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      return scalar.properties.age.map { $0.major <= 8 } ?? false
    default:
      // In another category since Unicode 11 and 12.
      return scalar.value == 0x111C9 || scalar.value == 0x166D
    }
  }
}

/// Reading scalars out of valid UTF-8.
enum UTF8Text {
  /// The scalar that begins at `start`, and where it ends.
  static func scalar(at start: Int, in text: ArraySlice<UInt8>) -> (scalar: Unicode.Scalar, end: Int) {
    let first = text[start]
    if first < 0x80 { return (Unicode.Scalar(first), start + 1) }
    let end = min(start + SymbolTable.length(first), text.endIndex)
    var value = UInt32(first) & (0xFF >> UInt32(end - start + 1))
    for byte in text[(start + 1)..<end] { value = value << 6 | UInt32(byte & 0x3F) }
    return (Unicode.Scalar(value) ?? "\u{FFFD}", end)
  }
}
