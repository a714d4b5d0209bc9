import Foundation

/// The header of a write-ahead log (sqlite.org/fileformat2.html, 4.1). SQLite does not lock logs, so this can be read
/// while SQLite uses one.
struct WriteAheadLog {
  private static let headerSize = 32
  private static let frameHeaderSize = 24

  private let path: String
  private let header: [UInt8]
  private let byteCount: Int64

  /// - Returns: nil unless there is a file that begins like a log.
  init?(path: String) {
    guard let size = FileSystem.byteCount(of: path), let file = FileHandle(forReadingAtPath: path) else { return nil }
    defer { try? file.close() }
    guard let bytes = try? file.read(upToCount: Self.headerSize), bytes.count == Self.headerSize else { return nil }
    header = [UInt8](bytes)
    guard [0x377f_0682, 0x377f_0683].contains(Self.number(header, 0)) else { return nil }
    self.path = path
    byteCount = size
  }

  /// Whether there is at least one frame.
  var holdsFrames: Bool { byteCount > Self.headerSize }

  /// A value that stays the same from the first commit until the log is removed.
  ///
  /// SQLite draws the first salt at random and adds 1 to it and to the checkpoint's number whenever it begins the log anew.
  var identity: String {
    let value = Self.number(header, 16) &- Self.number(header, 12)
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }

  /// Whether the header has its own checksum. SQLite takes nothing of a log that has not.
  var hasWholeHeader: Bool {
    var (first, second): (UInt32, UInt32) = (0, 0)
    for place in stride(from: 0, to: 24, by: 8) {
      var (one, other) = (Self.number(header, place), Self.number(header, place + 4))
      if header[3] & 1 == 0 { (one, other) = (one.byteSwapped, other.byteSwapped) }
      first = first &+ one &+ second
      second = second &+ other &+ first
    }
    return first == Self.number(header, 24) && second == Self.number(header, 28)
  }

  /// The pages of the log's frames in their order, as far as their salts are the header's: number, and bytes.
  func pages(ofSize pageSize: Int, limit: Int) throws -> [(number: Int, bytes: [UInt8])] {
    guard let file = FileHandle(forReadingAtPath: path) else { return [] }
    defer { try? file.close() }
    try file.seek(toOffset: UInt64(Self.headerSize))
    var result: [(number: Int, bytes: [UInt8])] = []
    while result.count < limit, let data = try file.read(upToCount: Self.frameHeaderSize + pageSize),
      data.count == Self.frameHeaderSize + pageSize
    {
      let frame = [UInt8](data)
      guard frame[8..<16] == header[16..<24] else { break }
      result.append((Int(Self.number(frame, 0)), Array(frame[Self.frameHeaderSize...])))
    }
    return result
  }

  private static func number(_ bytes: [UInt8], _ place: Int) -> UInt32 {
    bytes[place..<place + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }
}
