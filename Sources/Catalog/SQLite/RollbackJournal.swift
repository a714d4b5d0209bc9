import Foundation

/// The header of a rollback journal (sqlite.org/fileformat2.html, 3).
struct RollbackJournal {
  private let path: String
  private let sectorSize: Int
  private let recordCount: Int?

  /// - Returns: nil unless there is a file that begins like a journal which SQLite would play back.
  init?(path: String) {
    guard let file = FileHandle(forReadingAtPath: path) else { return nil }
    defer { try? file.close() }
    guard let bytes = try? file.read(upToCount: 28), bytes.count == 28 else { return nil }
    let header = [UInt8](bytes)
    guard header[0..<8] == [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7] else { return nil }
    self.path = path
    let count = Self.number(header, 8)
    // In a journal that was not synced there are as many as fit.
    recordCount = count == UInt32.max ? nil : Int(count)
    sectorSize = Int(Self.number(header, 20))
  }

  /// The pages of the first records in their order: number, and bytes as they were before the change.
  func pages(ofSize pageSize: Int, limit: Int) throws -> [(number: Int, bytes: [UInt8])] {
    guard let file = FileHandle(forReadingAtPath: path) else { return [] }
    defer { try? file.close() }
    try file.seek(toOffset: UInt64(sectorSize))
    var result: [(number: Int, bytes: [UInt8])] = []
    while result.count < min(limit, recordCount ?? limit), let data = try file.read(upToCount: pageSize + 8),
      data.count == pageSize + 8
    {
      let record = [UInt8](data)
      result.append((Int(Self.number(record, 0)), Array(record[4..<4 + pageSize])))
    }
    return result
  }

  private static func number(_ bytes: [UInt8], _ place: Int) -> UInt32 {
    bytes[place..<place + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }
}
