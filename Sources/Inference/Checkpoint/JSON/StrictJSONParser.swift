/// A recursive-descent JSON parser (RFC 8259) over bytes, with no leniency.
struct StrictJSONParser {
  /// A syntax error and its place.
  struct SyntaxError: Error, Equatable {
    /// Byte offset in the document.
    let offset: Int
    let reason: String
  }

  /// Deeper documents are refused, so that recursion stays far from the end of a thread's stack (512 KiB on a
  /// secondary thread). Real headers, configurations and tokenizers nest less than 12 deep.
  static let nestingLimit = 64

  private let bytes: [UInt8]
  private var position = 0
  private var depth = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The one value of the document.
  mutating func document() throws -> StrictJSON {
    let value = try self.value()
    skipWhitespace()
    guard position == bytes.count else { throw error("unexpected \(found) after the end of the value") }
    return value
  }

  // MARK: Values

  private mutating func value() throws -> StrictJSON {
    skipWhitespace()
    guard position < bytes.count else { throw error("a value is missing at the end") }
    switch bytes[position] {
    case UInt8(ascii: "{"): return try nested { try $0.object() }
    case UInt8(ascii: "["): return try nested { try $0.array() }
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: throw error("expected a value, found \(found)")
    }
  }

  private mutating func nested(_ parse: (inout StrictJSONParser) throws -> StrictJSON) throws -> StrictJSON {
    depth += 1
    guard depth <= Self.nestingLimit else { throw error("nested more than \(Self.nestingLimit) deep") }
    position += 1
    let value = try parse(&self)
    depth -= 1
    return value
  }

  private mutating func object() throws -> StrictJSON {
    var members: [StrictJSON.Object.Member] = []
    var offsets: [Int] = []
    skipWhitespace()
    if take(UInt8(ascii: "}")) { return .object(try object(of: members, at: offsets)) }
    while true {
      skipWhitespace()
      guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
        throw error("expected a key in quotes, found \(found)")
      }
      offsets.append(position)
      let key = try string()
      skipWhitespace()
      guard take(UInt8(ascii: ":")) else { throw error("expected ':', found \(found)") }
      members.append(.init(key: key, value: try value()))
      skipWhitespace()
      if take(UInt8(ascii: ",")) { continue }
      guard take(UInt8(ascii: "}")) else { throw error("expected ',' or '}', found \(found)") }
      return .object(try object(of: members, at: offsets))
    }
  }

  private func object(of members: [StrictJSON.Object.Member], at offsets: [Int]) throws -> StrictJSON.Object {
    do {
      return try StrictJSON.Object(members)
    } catch {
      let key = StrictJSON.string(members[error.position].key).summary
      throw SyntaxError(offset: offsets[error.position], reason: "the key \(key) occurs twice")
    }
  }

  private mutating func array() throws -> StrictJSON {
    var elements: [StrictJSON] = []
    skipWhitespace()
    if take(UInt8(ascii: "]")) { return .array(elements) }
    while true {
      elements.append(try value())
      skipWhitespace()
      if take(UInt8(ascii: ",")) { continue }
      guard take(UInt8(ascii: "]")) else { throw error("expected ',' or ']', found \(found)") }
      return .array(elements)
    }
  }

  private mutating func word(_ word: StaticString, _ value: StrictJSON) throws -> StrictJSON {
    let expected = ByteString(word.description).bytes
    guard bytes[position...].starts(with: expected) else { throw error("expected a value, found \(found)") }
    position += expected.count
    return value
  }

  // MARK: Numbers

  private mutating func number() throws -> StrictJSON {
    let start = position
    let negative = take(UInt8(ascii: "-"))
    let firstDigit = position
    // The magnitude is gathered as a negative number, whose range is one larger.
    var magnitude: Int64? = 0
    while let digit = digit() {
      if let value = magnitude {
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, underflow) = product.subtractingReportingOverflow(digit)
        magnitude = overflow || underflow ? nil : sum
      }
    }
    guard position > firstDigit else { throw error("expected a digit, found \(found)") }
    if bytes[firstDigit] == UInt8(ascii: "0"), position > firstDigit + 1 {
      throw SyntaxError(offset: firstDigit, reason: "a number must not begin with a needless 0")
    }
    var isInteger = true
    if take(UInt8(ascii: ".")) {
      isInteger = false
      try digits()
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      isInteger = false
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      try digits()
    }
    if isInteger, let magnitude {
      if negative, magnitude != 0 { return .integer(magnitude) }
      let (value, overflow) = Int64(0).subtractingReportingOverflow(magnitude)
      if !negative, !overflow { return .integer(value) }
    }
    return .decimal(ByteString(Array(bytes[start..<position])))
  }

  private mutating func digit() -> Int64? {
    guard position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) else { return nil }
    defer { position += 1 }
    return Int64(bytes[position] - UInt8(ascii: "0"))
  }

  private mutating func digits() throws {
    guard digit() != nil else { throw error("expected a digit, found \(found)") }
    while digit() != nil {}
  }

  // MARK: Strings

  private mutating func string() throws -> ByteString {
    let opening = position
    position += 1
    // Most strings have no escape: they are copied in one piece.
    var start = position
    var gathered: [UInt8] = []
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\""):
        let rest = bytes[start..<position]
        position += 1
        if gathered.isEmpty { return ByteString(Array(rest)) }
        gathered.append(contentsOf: rest)
        return ByteString(gathered)
      case UInt8(ascii: "\\"):
        gathered.append(contentsOf: bytes[start..<position])
        try escape(into: &gathered)
        start = position
      case 0x20...0x7F: position += 1
      case 0x80...: try multibyteScalar()
      default: throw error("control character 0x\(hex(byte)) inside a string")
      }
    }
    throw SyntaxError(offset: opening, reason: "the string that begins here has no end")
  }

  private mutating func escape(into gathered: inout [UInt8]) throws {
    let start = position
    guard position + 1 < bytes.count else { throw error("the escape is cut off") }
    let letter = bytes[position + 1]
    position += 2
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): gathered.append(letter)
    case UInt8(ascii: "b"): gathered.append(0x08)
    case UInt8(ascii: "f"): gathered.append(0x0C)
    case UInt8(ascii: "n"): gathered.append(0x0A)
    case UInt8(ascii: "r"): gathered.append(0x0D)
    case UInt8(ascii: "t"): gathered.append(0x09)
    case UInt8(ascii: "u"):
      var code = try fourHexDigits()
      if (0xD800...0xDBFF).contains(code), position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
        bytes[position + 1] == UInt8(ascii: "u")
      {
        position += 2
        let low = try fourHexDigits()
        guard (0xDC00...0xDFFF).contains(low) else { throw SyntaxError(offset: start, reason: "a lone surrogate") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw SyntaxError(offset: start, reason: "a lone surrogate") }
      gathered.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
    default: throw SyntaxError(offset: start, reason: "unknown escape \\ followed by 0x\(hex(letter))")
    }
  }

  private mutating func fourHexDigits() throws -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard position < bytes.count, let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else {
        throw error("expected a hexadecimal digit, found \(found)")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  /// Steps over one scalar of two to four bytes: exactly the well-formed sequences of Unicode 15, table 3-7.
  private mutating func multibyteScalar() throws {
    let length: Int
    let second: ClosedRange<UInt8>
    switch bytes[position] {
    case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
    case 0xE0: (length, second) = (3, 0xA0...0xBF)
    case 0xED: (length, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: (length, second) = (3, 0x80...0xBF)
    case 0xF0: (length, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
    case 0xF4: (length, second) = (4, 0x80...0x8F)
    default: throw error("invalid UTF-8")
    }
    guard bytes.count - position >= length, second.contains(bytes[position + 1]) else { throw error("invalid UTF-8") }
    for offset in 2..<max(2, length) where bytes[position + offset] & 0xC0 != 0x80 { throw error("invalid UTF-8") }
    position += length
  }

  // MARK: Bytes

  private mutating func skipWhitespace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard position < bytes.count, bytes[position] == byte else { return false }
    position += 1
    return true
  }

  private var found: String {
    guard position < bytes.count else { return "the end" }
    let byte = bytes[position]
    return (0x21...0x7E).contains(byte) ? "'\(Character(Unicode.Scalar(byte)))'" : "byte 0x\(hex(byte))"
  }

  private func hex(_ byte: UInt8) -> String {
    (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
  }

  private func error(_ reason: String) -> SyntaxError { SyntaxError(offset: position, reason: reason) }
}
