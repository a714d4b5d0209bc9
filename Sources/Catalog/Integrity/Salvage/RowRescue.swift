/// Copies the intact rows of a damaged catalog into a new one, each checked by itself: `RowPruning` checks them against
/// each other.
final class RowRescue {
  private let source: Connection
  private let target: Connection
  private let progress: (String, Int64, Int64) -> Void
  private let isCancelled: () -> Bool
  private var chunkPlaces: [Int64: [(index: Int64, rowID: Int64)]]?
  /// By table.
  private(set) var tables: [CatalogSalvage.Table] = []
  /// Ids under which two different rows were found, both as they were written: two writers gave them out. Nobody can tell
  /// which of the two is meant by what points to them.
  private(set) var ambiguous: [String: Set<Int64>] = [:]

  init(
    source: Connection, target: Connection, progress: @escaping (String, Int64, Int64) -> Void,
    isCancelled: @escaping () -> Bool
  ) {
    self.source = source
    self.target = target
    self.progress = progress
    self.isCancelled = isCancelled
  }

  func run() throws {
    // Not what the new file has already, and no caches, which are computed again rather than trusted. Blobs last: only
    // those come along that what was saved speaks of.
    let wanted = TableDescription.all.filter {
      $0.hasRowCheck && ![.cache, .derived].contains($0.kind) && $0.name != "catalog_property"
    }
    let order = wanted.filter { $0.name != "blob" } + [.blob]
    var found: [String: CatalogSalvage.Table] = [:]
    for (index, table) in order.enumerated() {
      if isCancelled() { throw CancellationError() }
      progress("saving \(table.name)", Int64(index), Int64(order.count))
      try target.execute("BEGIN")
      found[table.name] = try rescue(table)
      try target.execute("COMMIT")
    }
    tables = wanted.compactMap { found[$0.name] }
  }

  private func rescue(_ table: TableDescription) throws -> CatalogSalvage.Table {
    var result = CatalogSalvage.Table(name: table.name)
    var reader = TableReader(source, table)
    let count = table.columns.count
    let isWanted = table.name == "blob" ? try wantedBlobs() : { _ in true }
    var bytes = RowBytes()
    try reader.forEachRow { row, _ in
      bytes.removeAll()
      for column in 1...count { row.statement.append(column, to: &bytes) }
      guard bytes.check == row.integer("row_check"), table.violation(of: bytes) == nil else {
        result.lostCount += 1
        return
      }
      var values = Array(row.values.dropFirst())
      guard isWanted(values) else { return }
      if let known = try check(ofRow: values, table) {
        // A blob's row may have been changed on its way; its content has its digest in any case.
        if table.hasID, table.name != "blob", known != values.last { note(values[0], table.name) }
        return
      }
      var chunks: [[UInt8]] = []
      if table.name == "blob" {
        guard let taken = try takeChunks(of: &values, &result) else {
          result.lostCount += 1
          return
        }
        chunks = taken
      }
      do {
        try target.run(table.insertion, values)
      } catch let error as SQLiteError where error.isConstraint {
        result.lostCount += 1
        return
      }
      for (index, chunk) in chunks.enumerated() {
        try target.run(TableDescription.blobChunk.insertion, [values[0], .integer(index), .blob(chunk)])
      }
    }
    result.gapCount = reader.gapCount
    return result
  }

  /// The check of the row with the same key that is in the new file; nil: there is none.
  private func check(ofRow values: [SQLValue], _ table: TableDescription) throws -> SQLValue? {
    try target.firstRow(
      "SELECT row_check FROM \(table.name) WHERE \(table.orderCondition)", table.values(values, at: table.order)
    ) { .integer($0.integer("row_check")) }
  }

  private func note(_ id: SQLValue, _ table: String) {
    if case .integer(let id) = id { ambiguous[table, default: []].insert(id) }
  }

  // MARK: Blobs

  /// Which rows of `blob` something that was saved points to, or names by its digest.
  private func wantedBlobs() throws -> ([SQLValue]) -> Bool {
    let ids = Set(try target.integers(TableDescription.usedBlobs))
    var digests: Set<Digest> = []
    try target.forEachRow("SELECT content_key FROM variant") { row in
      if let digest = Digest(bytes: row.bytes("content_key")) { digests.insert(digest) }
    }
    return { values in
      if case .integer(let id) = values[0], ids.contains(id) { return true }
      guard case .blob(let bytes) = values[1], let digest = Digest(bytes: bytes) else { return false }
      return digests.contains(digest)
    }
  }

  /// The chunks of a blob if they have its digest; else none, and the row is made to say that its bytes are not here.
  ///
  /// - Returns: nil if the row contradicts itself in a way that says nothing of any bytes.
  private func takeChunks(of values: inout [SQLValue], _ result: inout CatalogSalvage.Table) throws -> [[UInt8]]? {
    guard case .integer(let id) = values[0], case .blob(let digest) = values[1],
      case .integer(let byteCount) = values[2],
      case .integer(let chunkCount) = values[3]
    else { return nil }
    if chunkCount > 0, let chunks = try chunks(of: id, count: chunkCount, digest: digest) {
      let sum = chunks.reduce(Int64(0)) { $0 + Int64($1.count) }
      if sum != byteCount {
        values[2] = .integer(sum)
        renewCheck(of: &values)
      }
      return chunks
    }
    guard byteCount > 0 || digest == SHA256.digest(of: [UInt8]()).bytes else { return nil }
    if chunkCount > 0 {
      if byteCount > 0 { result.emptiedCount += 1 }
      values[3] = .integer(0)
      renewCheck(of: &values)
    }
    return []
  }

  private func renewCheck(of values: inout [SQLValue]) {
    values[values.count - 1] = .integer(RowWriter.check(Array(values.dropLast())))
  }

  /// As many chunks as there should be, with this digest together.
  private func chunks(of id: Int64, count: Int64, digest: [UInt8]) throws -> [[UInt8]]? {
    func read(_ sql: String, _ values: [SQLValue]) throws -> [[UInt8]]? {
      do {
        return try source.allRows(sql, values) { $0.bytes("bytes") }
      } catch let error as SQLiteError where error.isUnreadable {
        return nil
      }
    }
    func isRight(_ chunks: [[UInt8]]) -> Bool {
      guard Int64(chunks.count) == count else { return false }
      var hash = SHA256()
      for chunk in chunks { hash.update(chunk) }
      return hash.finalize().bytes == digest
    }
    let found = try read("SELECT bytes FROM blob_chunk WHERE blob_id = ? ORDER BY chunk_index", [.integer(id)])
    if let found, isRight(found) { return found }
    // The index over the chunks is damaged, or two writers gave out the same id: find them by walking once.
    if chunkPlaces == nil { chunkPlaces = try places() }
    let places = (chunkPlaces?[id] ?? []).sorted { ($0.index, $0.rowID) < ($1.index, $1.rowID) }
    let all = try places.compactMap {
      try read("SELECT bytes FROM blob_chunk WHERE rowid = ?", [.integer($0.rowID)])?.first
    }
    if isRight(all) { return all }
    return count == 1 ? all.map { [$0] }.first(where: isRight) : nil
  }

  private func places() throws -> [Int64: [(index: Int64, rowID: Int64)]] {
    var result: [Int64: [(index: Int64, rowID: Int64)]] = [:]
    var reader = TableReader(source, "blob_chunk", columns: "blob_id, chunk_index", key: "rowid")
    try reader.forEachRow { row, rowID in
      let blob = row.integer("blob_id")
      if result[blob, default: []].allSatisfy({ $0.rowID != rowID }) {
        result[blob, default: []].append((index: row.integer("chunk_index"), rowID: rowID))
      }
    }
    return result
  }
}
