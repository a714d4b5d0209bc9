/// Normalizers that look at one character at a time, as Hugging Face tokenizers 0.23 has them.
enum ScalarMapping: Sendable {
  case lowercase
  /// Removes marks: general category M of Unicode 9.
  case stripAccents
  /// Removes marks without width: general category Mn of Unicode 8. A step of `BertNormalizer`, behind NFD.
  case stripNonspacingMarks
  /// Removes control and private characters, and makes all white space spaces. A step of `BertNormalizer`.
  case cleanText
  /// Puts spaces around Chinese characters. A step of `BertNormalizer`.
  case spaceChinese
  /// SentencePiece's rules for translation: removes control characters, makes white space spaces.
  case nmt

  /// The image of UTF-8 text.
  func map(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    for scalar in String(decoding: text, as: UTF8.self).unicodeScalars { append(scalar, to: &result) }
    return result[...]
  }

  private func append(_ scalar: Unicode.Scalar, to result: inout [UInt8]) {
    switch self {
    case .lowercase: result += scalar.properties.lowercaseMapping.utf8
    case .stripAccents: if !Self.isMark(scalar) { Self.keep(scalar, in: &result) }
    case .stripNonspacingMarks: if !Self.isNonspacingMark(scalar) { Self.keep(scalar, in: &result) }
    case .cleanText:
      if Self.isOther(scalar) { break }
      Self.keep(scalar.properties.isWhitespace ? " " : scalar, in: &result)
    case .spaceChinese:
      guard Self.isChinese(scalar) else { return Self.keep(scalar, in: &result) }
      for scalar in [" ", scalar, " "] { Self.keep(scalar, in: &result) }
    case .nmt:
      switch scalar.value {
      case 0x1...0x8, 0xB, 0xE...0x1F, 0x7F, 0x8F, 0x9F: break
      case 0x9, 0xA, 0xC, 0xD, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
        Self.keep(" ", in: &result)
      default: Self.keep(scalar, in: &result)
      }
    }
  }

  private static func keep(_ scalar: Unicode.Scalar, in result: inout [UInt8]) {
    if scalar.isASCII {
      result.append(UInt8(truncatingIfNeeded: scalar.value))
    } else {
      result += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
    }
  }

  private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    // The first is a mark since Unicode 11, the others were marks until Unicode 10.
    case .nonspacingMark, .spacingMark, .enclosingMark: isAssigned(scalar, in: 9) && scalar.value != 0x111C9
    default: scalar.value == 0x1CF2 || scalar.value == 0x1CF3
    }
  }

  private static func isNonspacingMark(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    // They came to the category later, or left it.
    case 0x1885, 0x1886, 0xA9BD, 0x1_11C9: false
    case 0x1734, 0x1_171E: true
    default: scalar.properties.generalCategory == .nonspacingMark && isAssigned(scalar, in: 8)
    }
  }

  private static func isOther(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control: ![0x9, 0xA, 0xD].contains(scalar.value)
    case .privateUse: true
    case .format: isAssigned(scalar, in: 8)
    default: scalar.value == 0xFFFD
    }
  }

  private static func isAssigned(_ scalar: Unicode.Scalar, in version: Int) -> Bool {
    scalar.properties.age.map { $0.major <= version } ?? false
  }

  private static func isChinese(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x2_0000...0x2_A6DF, 0x2_A700...0x2_B73F, 0x2_B740...0x2_B81F,
      0x2_B920...0x2_CEAF, 0xF900...0xFAFF, 0x2_F800...0x2_FA1F:
      true
    default: false
    }
  }
}
