extension Verification {
  /// Recomputes the check of every row.
  func checkRows(of table: TableDescription) throws {
    let total = try connection.integer("SELECT count(*) FROM \(table.name)") ?? 0
    var done: Int64 = 0
    var bytes = RowBytes()
    let count = table.columns.count
    try connection.forEachRow("SELECT \(table.columnList), row_check FROM \(table.name)") { row in
      bytes.removeAll()
      for column in 0..<count { row.statement.append(column, to: &bytes) }
      counts.rowCount += 1
      done += 1
      if done % 1024 == 0 { progress("rows of \(table.name)", done, total) }
      let key = { table.order.map { (table.columns[$0].name, row.statement.value($0)) } }
      let check = row.integer("row_check")
      guard row.isNull("row_check") || bytes.check != check else {
        guard let (column, problem) = table.violation(of: bytes) else { return }
        return try report(
          IntegrityFinding(
            table: table.name, row: words.words(table.name, key: key()), column: column, problem: problem))
      }
      let flip = FlippedBit.find(in: bytes, check: check)
      let column = flip.map { $0.column.map { table.columns[$0].name } ?? "row_check" }
      let problem =
        flip.map { flip in
          flip.column == nil
            ? "one bit of the row's check is flipped"
            : "one bit is flipped" + (flip.original.map { "; it was \($0)" } ?? "")
        } ?? "does not have its check"
      try report(
        IntegrityFinding(
          table: table.name, row: words.words(table.name, key: key()), column: column, problem: problem))
    }
    progress("rows of \(table.name)", done, total)
  }

  /// Recomputes the SHA-256 of every blob.
  func checkBlobs() throws {
    let total = try connection.integer("SELECT coalesce(sum(byte_count), 0) FROM blob") ?? 0
    let blobs = try connection.allRows("SELECT id, digest, byte_count, chunk_count FROM blob ORDER BY id") { row in
      (
        id: row.integer("id"), digest: row.bytes("digest"), byteCount: row.integer("byte_count"),
        chunkCount: row.integer("chunk_count")
      )
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
          if row.integer("chunk_index") != chunk, problem == nil { problem = "chunk \(chunk) is missing" }
          chunk += 1
          let bytes = row.bytes("bytes")
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
    func report(_ defect: RowDefect) throws {
      try self.report(IntegrityFinding(table: defect.table, row: defect.row, problem: defect.detail))
    }
    let tables = RowKeys.tables
    for (index, table) in tables.enumerated() {
      progress("keys", Int64(index), Int64(tables.count))
      try part(table.name, "the keys") { try keys.check(table, report) }
    }
    progress("keys", Int64(tables.count), Int64(tables.count))
    progress("statistics and weights", 0, 1)
    try part("statistic", "the diagonals") { try keys.checkDiagonals(report) }
    if let packedWeightProblem {
      try part("variant", "the packed weights") { try keys.checkPackedWeights(packedWeightProblem, report) }
    }
    progress("statistics and weights", 1, 1)
    progress("fitness on data sets", 0, 1)
    try part("set_fitness", "the sums") { try FitnessUpkeep.compare(connection, report) }
    progress("fitness on data sets", 1, 1)
  }
}
