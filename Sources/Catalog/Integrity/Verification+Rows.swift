extension Verification {
  /// A table whose rows carry a check.
  struct Table {
    var name: String
    /// All columns but `row_check`, in order.
    var columns: [String]
    /// The columns of the primary key.
    var keyColumns: [String]
  }

  /// All tables with a `row_check`, as this version's schema has them.
  func tables() throws -> [Table] {
    let own = try Connection(inMemory: ())
    try own.execute(CatalogSchema.text)
    var names: [String] = []
    try own.forEachRow("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid") { names.append($0.text(0)) }
    return try names.compactMap { name in
      var columns: [String] = []
      var keys: [(Int64, String)] = []
      try own.forEachRow("SELECT name, pk FROM pragma_table_info(?) ORDER BY cid", [.text(name)]) { row in
        columns.append(row.text(0))
        if row.integer(1) > 0 { keys.append((row.integer(1), row.text(0))) }
      }
      guard let check = columns.firstIndex(of: "row_check") else { return nil }
      columns.remove(at: check)
      return Table(name: name, columns: columns, keyColumns: keys.sorted { $0.0 < $1.0 }.map(\.1))
    }
  }

  /// Recomputes the check of every row.
  func checkRows(of table: Table) throws {
    let total = try connection.integer("SELECT count(*) FROM \(table.name)") ?? 0
    var done: Int64 = 0
    var bytes = RowBytes()
    let count = table.columns.count
    let list = table.columns.joined(separator: ", ")
    try connection.forEachRow("SELECT \(list), row_check FROM \(table.name)") { row in
      bytes.removeAll()
      row.append(to: &bytes, columns: 0..<count)
      counts.rowCount += 1
      done += 1
      if done % 1024 == 0 { progress("rows of \(table.name)", done, total) }
      guard row.isNull(count) || bytes.check != row.integer(count) else { return }
      let key = table.keyColumns.compactMap { column in
        table.columns.firstIndex(of: column).map { (column, row.statement.value($0)) }
      }
      let flip = FlippedBit.find(in: bytes, check: row.integer(count))
      let column = flip.map { $0.column.map { table.columns[$0] } ?? "row_check" }
      let problem =
        flip.map { flip in
          flip.column == nil
            ? "one bit of the row's check is flipped"
            : "one bit is flipped" + (flip.original.map { "; it was \($0)" } ?? "")
        } ?? "does not have its check"
      try report(
        IntegrityFinding(
          table: table.name, row: words.words(table.name, key: key), column: column, problem: problem))
    }
    progress("rows of \(table.name)", done, total)
  }

  /// Recomputes the SHA-256 of every blob.
  func checkBlobs() throws {
    let total = try connection.integer("SELECT coalesce(sum(byte_count), 0) FROM blob") ?? 0
    var blobs: [(id: Int64, digest: [UInt8], byteCount: Int64, chunkCount: Int64)] = []
    try connection.forEachRow("SELECT id, digest, byte_count, chunk_count FROM blob ORDER BY id") { row in
      blobs.append((row.integer(0), row.bytes(1), row.integer(2), row.integer(3)))
    }
    for blob in blobs {
      var problem: String?
      var hash = SHA256()
      var byteCount: Int64 = 0
      var chunk: Int64 = 0
      do {
        try connection.forEachRow(
          "SELECT chunk_index, bytes FROM blob_chunk WHERE blob_id = ? ORDER BY chunk_index", [.integer(blob.id)]
        ) { row in
          if row.integer(0) != chunk, problem == nil { problem = "chunk \(chunk) is missing" }
          chunk += 1
          let bytes = row.bytes(1)
          byteCount += Int64(bytes.count)
          hash.update(bytes)
        }
        if chunk != blob.chunkCount { problem = problem ?? "has \(chunk) chunks, not \(blob.chunkCount)" }
        if byteCount != blob.byteCount { problem = problem ?? "has \(byteCount) bytes, not \(blob.byteCount)" }
        if hash.finalize().bytes != blob.digest {
          let place = chunk == 1 ? "chunk 0" : "one of its \(chunk) chunks"
          problem = problem ?? "\(place) does not have the blob's SHA-256"
        }
        // A pack may leave bytes out; their digest stays.
        if blob.chunkCount == 0, chunk == 0, blob.byteCount > 0 { problem = nil }
      } catch let error as SQLiteError where error.isDamage {
        problem = "chunk \(chunk) cannot be read: \(error.message)"
      }
      counts.blobCount += 1
      counts.blobByteCount += byteCount
      progress("blobs", min(counts.blobByteCount, total), total)
      if let problem {
        try report(IntegrityFinding(table: "blob", row: words.words(blob: blob.id), column: "bytes", problem: problem))
      }
    }
  }

  /// Recomputes what follows from other rows: keys, counts and sums.
  func checkKeys() throws {
    let keys = RowKeys(transaction)
    // The bytes of blobs have been read already.
    let tables = RowKeys.tables.filter { $0 != "blob" }
    for (index, table) in tables.enumerated() {
      progress("keys", Int64(index), Int64(tables.count))
      try keys.check(table) { defect in
        try report(IntegrityFinding(table: defect.table, row: defect.row, problem: defect.detail))
      }
    }
    progress("keys", Int64(tables.count), Int64(tables.count))
  }
}

extension Row {
  /// Appends stored values as they are: text that is no UTF-8 any more is not mended.
  func append(to bytes: inout RowBytes, columns: Range<Int>) {
    for index in columns { statement.append(index, to: &bytes) }
  }
}
