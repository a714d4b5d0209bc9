extension CatalogTransaction {
  /// One value of SQLite is capped at 1e9 bytes; 16 MiB keeps the log and the memory of a read small.
  private static var chunkByteCount: Int { 16 << 20 }

  /// Stores bytes, or finds them.
  ///
  /// - Parameter digest: their SHA-256 where it is known; nil: it is made.
  func store(blob bytes: [UInt8], digest known: Digest? = nil) throws -> Int64 {
    let digest = known ?? SHA256.digest(of: bytes)
    let starts = Array(stride(from: 0, to: bytes.count, by: Self.chunkByteCount))
    let count = SQLValue.integer(starts.count)
    let row = try id(of: digest, in: .blob)
    if let row {
      if try isHere(blob: row) { return row }
      // A pack of results brought the row alone.
      try rows.update(.blob, id: row, ["chunk_count": count])
    }
    let id = try row ?? intern(.blob, digest, ["byte_count": .integer(bytes.count), "chunk_count": count])
    for (index, start) in starts.enumerated() {
      let chunk = starts.count == 1 ? bytes : Array(bytes[start..<min(start + Self.chunkByteCount, bytes.count)])
      try rows.insert(.blobChunk, row: [.integer(id), .integer(index), .blob(chunk)])
    }
    return id
  }

  /// Whether the bytes of a blob are in this file; a pack of results leaves them out.
  func isHere(blob id: Int64) throws -> Bool {
    try connection.integer("SELECT 1 FROM blob WHERE id = ? AND (chunk_count > 0 OR byte_count = 0)", [.integer(id)])
      != nil
  }

  /// The digest that a blob's bytes have, or had; nil if there is no such blob.
  func digest(ofBlob id: Int64) throws -> Digest? {
    try connection.firstRow("SELECT digest FROM blob WHERE id = ?", [.integer(id)]) { try $0.value("digest") }
  }

  /// The bytes of a blob, checked against its digest.
  ///
  /// - Throws: `CatalogError.damaged` naming the blob; `.notFound` if its bytes were left out of the file.
  public func blob(_ id: Int64) throws -> [UInt8] { try keyedBlob(id).bytes }

  /// The bytes of a blob with the digest that they were checked against.
  func keyedBlob(_ id: Int64) throws -> (bytes: [UInt8], key: Digest) {
    let head = try connection.firstRow("SELECT digest, byte_count FROM blob WHERE id = ?", [.integer(id)]) {
      (digest: try $0.value("digest") as Digest, byteCount: try $0.value("byte_count") as Int)
    }
    guard let head else { throw CatalogError.damaged("blob \(id) is missing") }
    var bytes: [UInt8] = []
    try connection.forEachRow("SELECT bytes FROM blob_chunk WHERE blob_id = ? ORDER BY chunk_index", [.integer(id)]) {
      let chunk = $0.bytes("bytes")
      guard !bytes.isEmpty else {
        bytes = chunk
        return
      }
      // The count may be damaged: it must not decide how much memory is asked for.
      bytes.reserveCapacity(min(max(head.byteCount, 0), 1 << 28))
      bytes += chunk
    }
    if bytes.isEmpty, head.byteCount > 0, try !isHere(blob: id) {
      throw CatalogError.notFound(
        "the weights with the digest \(head.digest.short)… are not in this file, which was packed without them",
        remedy: .restoreWeights)
    }
    guard bytes.count == head.byteCount, SHA256.digest(of: bytes) == head.digest else {
      throw CatalogError.damaged("blob \(id) does not have its digest \(head.digest.short)…")
    }
    return (bytes, head.digest)
  }
}
