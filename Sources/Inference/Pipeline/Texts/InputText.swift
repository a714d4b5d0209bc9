import Catalog
import Foundation

/// The text of an input: UTF-8 without the byte-order mark that some editors put in front.
public enum InputText {
  /// The bytes behind the mark, after a look at what they are.
  ///
  /// - Throws: `InferenceError.invalidData` for other encodings, compressed files and the pointer of git-lfs, each by name
  ///   and with the command that converts it.
  public static func bytes(of input: InputFile, limit: Int? = nil, cancellation: Cancellation? = nil) throws -> [UInt8]
  {
    let bytes = try input.bytes(limit: limit, cancellation: cancellation)
    return Array(try content(bytes, of: input))
  }

  /// The bytes behind the mark.
  static func content(_ bytes: [UInt8], of input: InputFile) throws -> ArraySlice<UInt8> {
    if let kind = otherKind(bytes, of: input) { throw InferenceError.invalidData(file: input.path, detail: kind) }
    return bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
  }

  /// The text itself.
  ///
  /// - Throws: as `content`; `InferenceError.invalidData` naming the first byte that is not UTF-8.
  static func text(_ bytes: [UInt8], of input: InputFile) throws -> String {
    let content = try content(bytes, of: input)
    guard let text = String(validating: content, as: UTF8.self) else {
      throw InferenceError.invalidData(file: input.path, detail: "is not UTF-8 text (byte \(firstBadByte(bytes)))")
    }
    return text
  }

  /// The kind of a content that is not UTF-8 text, and what to do, in words; nil: the kind is not known.
  private static func otherKind(_ bytes: [UInt8], of input: InputFile) -> String? {
    func starts(_ magic: [UInt8]) -> Bool { bytes.starts(with: magic) }
    let file = input.isStandardInput ? "FILE" : ShellWord.quoted(input.argument)
    func through(_ command: String) -> String { "give its content instead: <(\(command) \(file))" }
    func compressed(_ name: String, _ command: String) -> String {
      let isJSON = JSONLines.isNamed(input.name.split(separator: ".").dropLast().joined(separator: "."))
      return "is compressed with \(name); \(through(command))" + (isJSON ? ", and name its text field" : "")
    }
    // UTF-32 first: its little-endian mark begins with that of UTF-16.
    if starts([0xFF, 0xFE, 0, 0]) || starts([0, 0, 0xFE, 0xFF]) {
      return "is UTF-32, not UTF-8; \(through("iconv -f UTF-32 -t UTF-8"))"
    }
    if starts([0xFF, 0xFE]) || starts([0xFE, 0xFF]) {
      return "is UTF-16, not UTF-8; \(through("iconv -f UTF-16 -t UTF-8"))"
    }
    if let order = markless(bytes) {
      return "is UTF-16 without a byte-order mark, not UTF-8; \(through("iconv -f UTF-16\(order) -t UTF-8"))"
    }
    if starts([0x1F, 0x8B]) { return compressed("gzip", "zcat") }
    if starts([0x28, 0xB5, 0x2F, 0xFD]) { return compressed("zstd", "zstdcat") }
    if starts([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0]) { return compressed("xz", "xzcat") }
    if starts(Array("BZh".utf8)), bytes.dropFirst(4).starts(with: [0x31, 0x41, 0x59, 0x26, 0x53, 0x59]) {
      return compressed("bzip2", "bzcat")
    }
    if starts([0x04, 0x22, 0x4D, 0x18]) { return compressed("lz4", "lz4cat") }
    if starts([0x50, 0x4B, 3, 4]) { return compressed("zip", "unzip -p") }
    let table = "write its text column as JSON lines (in pandas: to_json(path, orient=\"records\", lines=True)), "
    if starts(Array("PAR1".utf8)) { return "is a Parquet file; \(table)then give that and its text field" }
    if starts(Array("ARROW1".utf8)) { return "is an Arrow file; \(table)then give that and its text field" }
    if starts(Array("%PDF-".utf8)) { return "is a PDF file; give its text, such as pdftotext makes" }
    return GitLFSPointer.isOne(bytes) ? GitLFSPointer.refusal : nil
  }

  /// The byte order of UTF-16 that begins with no mark: most characters of Latin scripts have one byte 0 there. nil: it is
  /// something else.
  private static func markless(_ bytes: [UInt8]) -> String? {
    let head = bytes.prefix(4096)
    guard head.count >= 8 else { return nil }
    let zeros = head.indices.filter { head[$0] == 0 }
    let odd = zeros.count { $0 % 2 == 1 }
    let even = zeros.count - odd
    if odd * 4 > head.count, even * 8 < odd { return "LE" }
    if even * 4 > head.count, odd * 8 < even { return "BE" }
    return nil
  }

  /// Where UTF-8 ends to be valid, found by halving.
  private static func firstBadByte(_ bytes: [UInt8]) -> Int {
    var low = 0
    var high = bytes.count
    while high - low > 4 {
      let middle = (low + high) / 2
      // A cut may fall inside a character: allow the three bytes that may lack.
      let isGood = (0...3).contains { String(validating: bytes[..<max(middle - $0, 0)], as: UTF8.self) != nil }
      if isGood { low = middle } else { high = middle }
    }
    // The longest valid beginning ends within these few bytes or, inside a character, up to three before.
    return (max(low - 3, 0)...high).last { String(validating: bytes[..<$0], as: UTF8.self) != nil } ?? low
  }
}
