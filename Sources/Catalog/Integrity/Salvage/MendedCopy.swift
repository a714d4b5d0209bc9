import Foundation

/// A copy of a damaged catalog whose header and schema are mended: of every catalog they are known.
final class MendedCopy {
  private let path: String
  private static let pageSize = 4096
  /// Pages that tell whose log or journal it is; more would only cost time.
  private static let mostComparedPages = 1024

  /// Logs and journals beside the damaged file that were not applied: the suffix of the file name, and why.
  private(set) var leftOut: [(suffix: String, reason: String)] = []

  /// Copies the file and its own log or journal, which a killed writer may have left.
  init(of original: String, at path: String, isCancelled: () -> Bool) throws {
    self.path = path
    remove()
    do {
      try Self.copy(original, to: path, isCancelled: isCancelled)
      if try takesLog(of: original) {
        try Self.copy(original + "-wal", to: path + "-wal", isCancelled: isCancelled)
        try mendHeader(journal: 2, resizes: false)
        // SQLite takes of the log what is whole; it opens it with the first page.
        let connection = try Connection(path: path, access: .readWrite, busyTimeoutMilliseconds: 0)
        _ = try? connection.integer("PRAGMA schema_version")
        _ = try? connection.checkpoint()
      }
      if try takesJournal(of: original) {
        try Self.copy(original + "-journal", to: path + "-journal", isCancelled: isCancelled)
        // SQLite takes back what the journal says, as far as that is whole.
        let connection = try Connection(path: path, access: .readWrite, busyTimeoutMilliseconds: 0)
        _ = try? connection.integer("SELECT count(*) FROM sqlite_schema")
      }
      for suffix in ["-wal", "-shm", "-journal"] { unlink(path + suffix) }
      try mendHeader(journal: 1, resizes: true)
      try mendSchema()
    } catch {
      remove()
      throw error
    }
  }

  /// Removes the copy.
  func remove() { for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) } }

  /// A connection that takes the schema as far as it can be read.
  func open() throws -> Connection {
    let connection = try Connection(path: path, access: .readWrite, busyTimeoutMilliseconds: 0)
    try connection.allowSchemaRepair()
    return connection
  }

  // MARK: What belongs to the file

  /// Whether the log beside the file is its own and can be read.
  private func takesLog(of original: String) throws -> Bool {
    guard FileSystem.byteCount(of: original + "-wal") ?? 0 > 0 else { return false }
    guard let log = WriteAheadLog(path: original + "-wal"), log.hasWholeHeader else {
      leftOut.append(("-wal", "its beginning is damaged, and without that nothing of it can be read"))
      return false
    }
    guard log.holdsFrames else { return false }
    if let reason = try reasonToLeave(log, of: original) {
      leftOut.append(("-wal", reason))
      return false
    }
    return true
  }

  private func reasonToLeave(_ log: WriteAheadLog, of original: String) throws -> String? {
    if try page(1).map({ $0[18..<20] == [1, 1] }) == true {
      return "the file is at rest, so that it is of another one"
    }
    if let known = WriterLock.lastOwner(ofCatalog: original)?.logIdentity {
      return known == log.identity ? nil : "the lock file says that another one was written with this file"
    }
    let frames = try log.pages(ofSize: Self.pageSize, limit: Self.mostComparedPages)
    var first: [Int: [UInt8]] = [:]
    for frame in frames where first[frame.number] == nil { first[frame.number] = frame.bytes }
    var older: [[UInt8]] = []
    for number in first.keys.sorted() { if let page = try page(number) { older.append(page) } }
    // Rows that move to another page are found there; what is missing was deleted. In catalogs of the same model that were
    // filled apart, up to 0.4 of the rows on such pages were the same, and in a log and its own file over 0.99.
    return PageHistory(older: older, newer: frames.map(\.bytes)).keeps(0.5) ? nil : Self.otherRows
  }

  /// Whether the journal beside the file is its own.
  private func takesJournal(of original: String) throws -> Bool {
    guard let journal = RollbackJournal(path: original + "-journal") else { return false }
    let pages = try journal.pages(ofSize: Self.pageSize, limit: Self.mostComparedPages)
    var newer: [[UInt8]] = []
    for entry in pages { if let page = try page(entry.number) { newer.append(page) } }
    // A full page gives half of its rows to a new one, which is in no journal; and some may be deleted.
    guard PageHistory(older: pages.map(\.bytes), newer: newer).keeps(0.25) else {
      leftOut.append(("-journal", Self.otherRows))
      return false
    }
    return true
  }

  private static let otherRows = "its pages hold other rows than those of the file, so that it is of another one"

  /// A page of the copy; nil where the file ends before.
  private func page(_ number: Int) throws -> [UInt8]? {
    guard number > 0, let file = FileHandle(forReadingAtPath: path) else { return nil }
    defer { try? file.close() }
    try file.seek(toOffset: UInt64(number - 1) * UInt64(Self.pageSize))
    guard let data = try file.read(upToCount: Self.pageSize), data.count == Self.pageSize else { return nil }
    return [UInt8](data)
  }

  // MARK: Header and schema

  /// Writes the fields of the header that are the same in every catalog (sqlite.org/fileformat2.html, 1.3).
  private func mendHeader(journal: UInt8, resizes: Bool) throws {
    guard let file = FileHandle(forUpdatingAtPath: path) else { throw failure() }
    defer { try? file.close() }
    let size = Int(FileSystem.byteCount(of: path) ?? 0)
    guard size >= 512, var header = try file.read(upToCount: 100).map({ [UInt8]($0) }), header.count == 100 else {
      throw CatalogError.notACatalog(path: path, reason: "too short to hold anything")
    }
    func set(_ value: Int, at offset: Int) {
      for index in 0..<4 { header[offset + index] = UInt8(truncatingIfNeeded: value >> (24 - 8 * index)) }
    }
    header.replaceSubrange(0..<16, with: Array("SQLite format 3\0".utf8))
    header.replaceSubrange(16..<24, with: [0x10, 0x00, journal, journal, 0, 64, 32, 32])
    if resizes {
      // A cut last page is padded: its first rows may be whole.
      let pages = (size + Self.pageSize - 1) / Self.pageSize
      try file.truncate(atOffset: UInt64(pages * Self.pageSize))
      set(pages, at: 28)
      header.replaceSubrange(92..<96, with: header[24..<28])
    }
    // No page is taken for free, no format but ours, no automatic vacuum, UTF-8.
    for (offset, value) in [(32, 0), (36, 0), (44, 4), (52, 0), (56, 1), (64, 0)] { set(value, at: offset) }
    set(Int(CatalogSchema.version), at: 60)
    set(Int(CatalogSchema.applicationID), at: 68)
    try file.seek(toOffset: 0)
    try file.write(contentsOf: header)
  }

  /// Gives every table and index its statement back, and forgets what is not ours.
  private func mendSchema() throws {
    let connection = try open()
    var own: [String: SchemaShape.Object] = [:]
    for object in try SchemaShape.own().objects { own[object.name] = object }
    var found: [(id: Int64, name: String, sql: String?)] = []
    for order in ["", " DESC"] {
      do {
        try connection.forEachRow("SELECT rowid AS id, name, sql FROM sqlite_schema ORDER BY rowid\(order)") { row in
          let id = row.integer("id")
          if !found.contains(where: { $0.id == id }) { found.append((id, row.text("name"), try row.value("sql"))) }
        }
        break
      } catch let error as SQLiteError where error.isUnreadable {
        continue
      }
    }
    var isKnown = false
    for entry in found {
      // A damaged name is told by the statement, a damaged statement by the name.
      let object = own[entry.name] ?? own.values.first { $0.sql != nil && $0.sql == entry.sql }
      do {
        guard let object, object.type == "table" || object.type == "index" else {
          try connection.run("DELETE FROM sqlite_schema WHERE rowid = ?", [.integer(entry.id)])
          continue
        }
        isKnown = true
        try connection.run(
          "UPDATE sqlite_schema SET type = ?, name = ?, tbl_name = ?, sql = ? WHERE rowid = ?",
          [.text(object.type), .text(object.name), .text(object.table), .text(object.sql), .integer(entry.id)])
      } catch let error as SQLiteError where error.isUnreadable {
        // What cannot be mended is read as it is.
        continue
      }
    }
    guard isKnown else { throw CatalogError.notACatalog(path: path, reason: "nothing of a catalog can be found in it") }
  }

  private static func copy(_ source: String, to target: String, isCancelled: () -> Bool) throws {
    guard FileManager.default.createFile(atPath: target, contents: nil),
      let input = FileHandle(forReadingAtPath: source), let output = FileHandle(forWritingAtPath: target)
    else { throw CatalogError.inputOutput(path: target, detail: "cannot copy \(source) there") }
    defer {
      try? input.close()
      try? output.close()
    }
    while let piece = try input.read(upToCount: 16 << 20), !piece.isEmpty {
      if isCancelled() { throw CancellationError() }
      try output.write(contentsOf: piece)
    }
  }

  private func failure() -> CatalogError {
    .inputOutput(path: path, detail: "cannot be written: \(String(cString: strerror(errno)))")
  }
}
