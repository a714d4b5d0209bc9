import struct Catalog.Digest
import struct Catalog.SHA256

/// Writes canonical bytes: a first line `evodb/KIND/1`, then binary fields, little-endian.
struct ByteWriter {
  private(set) var bytes: [UInt8]

  init(kind: String) { bytes = Array("evodb/\(kind)/1\n".utf8) }

  /// The bytes with their SHA-256 behind them.
  var sealed: [UInt8] { bytes + SHA256.digest(of: bytes).bytes }

  mutating func append(_ more: [UInt8]) { bytes += more }
  mutating func append(_ digest: Digest) { bytes += digest.bytes }
  mutating func append(flag: Bool) { bytes.append(flag ? 1 : 0) }
  mutating func append(bits: UInt64) { bytes.append(littleEndian: bits) }

  /// A number of 32 bits; larger ones of our own do not occur.
  mutating func append(_ number: Int) { bytes.append(littleEndian: UInt32(number)) }

  mutating func append(byte: UInt8, long: Int) {
    bytes.append(byte)
    bytes.append(littleEndian: UInt64(long))
  }

  mutating func append(tokenIDs: [Int32]) {
    append(list: tokenIDs) { $1.bytes.append(littleEndian: UInt32(bitPattern: $0)) }
  }

  mutating func append(_ work: EvaluationWork) {
    bytes.append(littleEndian: UInt64(work.forwardTokenCount))
    bytes.append(littleEndian: UInt64(work.forwardBlockTokenCount))
  }

  mutating func append<Element>(list: [Element], _ body: (Element, inout ByteWriter) -> Void) {
    append(list.count)
    for element in list { body(element, &self) }
  }
}

/// Reads what `ByteWriter` wrote, out of bytes that may be anything.
///
/// All functions throw `InferenceError.invalidData` where the bytes do not fit.
struct ByteReader {
  private let bytes: ArraySlice<UInt8>
  private let kind: String
  private var position: Int

  init(_ bytes: [UInt8], kind: String) throws { try self.init(bytes[...], kind) }

  /// Reads bytes that have their SHA-256 behind them.
  init(sealed bytes: [UInt8], kind: String) throws {
    let content = bytes.dropLast(32)
    try self.init(content, kind)
    guard SHA256.digest(of: content).bytes == Array(bytes.suffix(32)) else {
      throw invalid("its bytes are damaged: their SHA-256 is another")
    }
  }

  private init(_ bytes: ArraySlice<UInt8>, _ kind: String) throws {
    let head = Array("evodb/\(kind)/1\n".utf8)
    self.bytes = bytes
    self.kind = kind
    position = bytes.startIndex + head.count
    guard bytes.starts(with: head) else { throw invalid("it does not begin with evodb/\(kind)/1") }
  }

  func invalid(_ detail: String) -> InferenceError { .invalidData(file: kind, detail: detail) }

  mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
    guard count >= 0, count <= bytes.endIndex - position else { throw invalid("it ends too early") }
    defer { position += count }
    return bytes[position..<position + count]
  }

  func end() throws {
    guard position == bytes.endIndex else { throw invalid("\(bytes.endIndex - position) bytes follow its end") }
  }

  mutating func byte() throws -> UInt8 {
    guard let byte = try take(1).first else { throw invalid("it ends too early") }
    return byte
  }

  mutating func flag() throws -> Bool {
    switch try byte() {
    case 0: return false
    case 1: return true
    case let other: throw invalid("a flag is \(other), not 0 or 1")
    }
  }

  mutating func integer() throws -> Int {
    Int(try take(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
  }

  mutating func bits() throws -> UInt64 { try take(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }

  mutating func long() throws -> Int {
    let value = try bits()
    guard let number = Int(exactly: value) else { throw invalid("\(value) is too large") }
    return number
  }

  mutating func digest() throws -> Digest {
    guard let digest = Digest(bytes: Array(try take(32))) else { throw invalid("it ends too early") }
    return digest
  }

  mutating func work() throws -> EvaluationWork {
    EvaluationWork(forwardTokenCount: try long(), forwardBlockTokenCount: try long())
  }

  mutating func tokenIDs() throws -> [Int32] {
    try list(elementSize: 4) { Int32(truncatingIfNeeded: try $0.integer()) }
  }

  /// A list with its count before it.
  ///
  /// - Parameter elementSize: bytes that an element takes at least.
  mutating func list<Element>(elementSize: Int, _ body: (inout ByteReader) throws -> Element) throws -> [Element] {
    try list(ofCount: try integer(), elementSize: elementSize, body)
  }

  mutating func list<Element>(
    ofCount count: Int, elementSize: Int, _ body: (inout ByteReader) throws -> Element
  ) throws -> [Element] {
    guard count <= (bytes.endIndex - position) / elementSize else { throw invalid("it ends too early") }
    var result: [Element] = []
    result.reserveCapacity(count)
    for _ in 0..<count { result.append(try body(&self)) }
    return result
  }
}
