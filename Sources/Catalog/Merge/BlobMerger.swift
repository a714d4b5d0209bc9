/// Brings blobs along with the rows that point to them.
final class BlobMerger {
  /// Which blobs come with their bytes; others are noted as not here.
  var takesBytes: (Int64) -> Bool = { _ in true }

  private let into: CatalogTransaction
  private let from: ForeignCatalog
  private var ids: [Int64: Int64] = [:]
  private(set) var newCount = 0
  private(set) var equalCount = 0

  init(into: CatalogTransaction, from: ForeignCatalog) {
    self.into = into
    self.from = from
  }

  /// Our id of their blob, whose bytes are copied and hashed if they are there and not here.
  func take(_ id: Int64) throws -> Int64 {
    if let known = ids[id] { return known }
    var found: [SQLValue]?
    try from.forEachRow(of: .blob, where: "id = ?", [.integer(id)]) { found = $0 }
    guard let row = found, case .blob(let bytes) = row[1], let digest = Digest(bytes: bytes),
      case .integer(let byteCount) = row[2], case .integer(let chunkCount) = row[3], byteCount >= 0, chunkCount >= 0
    else { throw from.refusal("blob \(id): it is missing, or its counts are no counts") }
    let isThere = chunkCount > 0 || byteCount == 0
    let ours = try into.connection.firstRow(
      "SELECT id, chunk_count > 0 OR byte_count = 0 AS is_here FROM blob WHERE digest = ?", [.digest(digest)]
    ) { (id: $0.integer("id"), isHere: try $0.value("is_here") as Bool) }
    let result: Int64
    if let ours, ours.isHere || !isThere || !takesBytes(id) {
      equalCount += 1
      result = ours.id
    } else {
      newCount += 1
      let copies = isThere && takesBytes(id)
      if let ours {
        try into.rows.update(.blob, id: ours.id, ["chunk_count": .integer(chunkCount)])
        result = ours.id
      } else {
        result = try into.rows.insert(
          .blob,
          [
            "digest": .digest(digest), "byte_count": .integer(byteCount),
            "chunk_count": .integer(copies ? chunkCount : 0),
          ]
        )
      }
      if copies { try copy(id, to: result, digest, byteCount, chunkCount) }
    }
    ids[id] = result
    return result
  }

  private func copy(_ id: Int64, to target: Int64, _ digest: Digest, _ byteCount: Int64, _ chunkCount: Int64) throws {
    var hash = SHA256()
    var bytesSeen: Int64 = 0
    var next: Int64 = 0
    try from.forEachRow(of: .blobChunk, where: "blob_id = ? ORDER BY chunk_index", [.integer(id)]) { row in
      guard case .integer(let index) = row[1], case .blob(let bytes) = row[2], index == next else {
        throw self.from.refusal("blob \(digest.short)…: its chunks have gaps")
      }
      next += 1
      bytesSeen += Int64(bytes.count)
      guard bytesSeen <= byteCount, next <= chunkCount else {
        throw self.from.refusal("blob \(digest.short)…: it is longer than it says")
      }
      hash.update(bytes)
      try self.into.rows.insert(.blobChunk, row: [.integer(target), .integer(index), .blob(bytes)])
    }
    guard bytesSeen == byteCount, next == chunkCount, hash.finalize() == digest else {
      throw from.refusal("blob \(digest.short)…: its bytes are not those of its digest")
    }
  }
}
