/// A JSON value as it stands in a file: exact integers, byte-wise keys, members in file order.
///
/// One reader for safetensors headers, `config.json` and `tokenizer.json`. It exists because Foundation's merges
/// canonically equivalent keys, takes the last of duplicate keys and rounds integers through `Double`.
public enum StrictJSON: Equatable, Sendable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A number written as an integer that fits in 64 bits.
  case integer(Int64)
  /// Any other number (fraction, exponent, `-0`, more than 64 bits): its text.
  case decimal(ByteString)
  /// A string, its escapes resolved.
  case string(ByteString)
  /// An array.
  case array([StrictJSON])
  /// An object.
  case object(Object)

  /// The members of an object, in file order and without duplicates.
  public struct Object: Equatable, Sendable {
    /// One `key: value` pair.
    public struct Member: Equatable, Sendable {
      /// The key.
      public let key: ByteString
      /// The value.
      public let value: StrictJSON
    }

    /// Up to this many members a linear search is as fast as hashing and needs no memory.
    private static let linearSearchLimit = 8

    /// All members, in file order.
    public let members: [Member]
    private let index: [ByteString: Int]

    /// An object of the given members, or the position of the first one whose key is a duplicate.
    init(_ members: [Member]) throws(DuplicateKey) {
      var index: [ByteString: Int] = [:]
      if members.count > Self.linearSearchLimit {
        index.reserveCapacity(members.count)
        for (position, member) in members.enumerated()
        where index.updateValue(position, forKey: member.key) != nil {
          throw DuplicateKey(position: position)
        }
      } else {
        for position in members.indices
        where members[..<position].contains(where: { $0.key == members[position].key }) {
          throw DuplicateKey(position: position)
        }
      }
      self.members = members
      self.index = index
    }

    /// The value of `key`, or nil if there is no such member.
    public subscript(key: ByteString) -> StrictJSON? {
      if members.count > Self.linearSearchLimit { return index[key].map { members[$0].value } }
      return members.first { $0.key == key }?.value
    }
  }

  /// Two members of an object have the same key.
  struct DuplicateKey: Error {
    /// Position of the later member.
    let position: Int
  }

  /// Parses a complete JSON document.
  ///
  /// - Parameters:
  ///   - bytes: the document in UTF-8; white space may surround it, nothing else.
  ///   - file: the document's name in errors.
  /// - Throws: `InferenceError.invalidData` naming the byte offset and the broken rule.
  public static func parse(_ bytes: [UInt8], file: String) throws -> StrictJSON {
    if let mark = Self.mark(of: bytes) { throw InferenceError.invalidData(file: file, detail: mark) }
    do {
      var parser = StrictJSONParser(bytes)
      return try parser.document()
    } catch let error as StrictJSONParser.SyntaxError {
      throw InferenceError.invalidData(file: file, detail: "not valid JSON: byte \(error.offset): \(error.reason)")
    }
  }

  /// The error text for a document that begins with a byte-order mark; nil: it has none. RFC 8259 does not allow the
  /// mark, and neither Python's json nor Hugging Face tokenizers read on behind it, so that a folder with one is of no
  /// use elsewhere either.
  private static func mark(of bytes: [UInt8]) -> String? {
    let remedy = "which JSON does not allow (RFC 8259): save it as UTF-8 without a byte-order mark"
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { return "not valid JSON: byte 0: a byte-order mark, \(remedy)" }
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
      return "not valid JSON: byte 0: UTF-16 text, \(remedy)"
    }
    return nil
  }

  /// The integer, if this is one.
  public var integer: Int64? {
    if case .integer(let value) = self { value } else { nil }
  }

  /// The number as the nearest `Double`, if this is a number; may be infinite for `1e999`.
  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .decimal(let text): Double(text.description)
    default: nil
    }
  }

  /// The truth value, if this is one.
  public var bool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  /// The string, if this is one.
  public var string: ByteString? {
    if case .string(let value) = self { value } else { nil }
  }

  /// The elements, if this is an array.
  public var array: [StrictJSON]? {
    if case .array(let value) = self { value } else { nil }
  }

  /// The members, if this is an object.
  public var object: Object? {
    if case .object(let value) = self { value } else { nil }
  }

  /// The value in a few words, for error messages: scalars as written, containers by their size.
  public var summary: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .decimal(let text): text.description
    case .string(let text):
      text.bytes.count <= 80 ? "\"\(text)\"" : "a string of \(text.bytes.count) bytes"
    case .array(let elements): "an array of \(elements.count)"
    case .object(let object): "an object of \(object.members.count)"
    }
  }
}
