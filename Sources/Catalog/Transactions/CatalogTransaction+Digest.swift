extension CatalogTransaction {
  /// One digest over all that catalogs share: equal for files that hold the same, whatever the order of insertion,
  /// local ids, times and machines.
  ///
  /// Per table every row gets a digest over its shared values in the order of `SharedTable`, written as for a row
  /// check, with digests in the place of local ids; the sorted list of these is hashed; and then the list of tables
  /// with their digests and row counts.
  ///
  /// - Parameter includingProvenance: also data sets by name and runs with their generations, but no times, people,
  ///   machines, UUIDs, jobs, folders and caches.
  public func sharedDigest(includingProvenance: Bool) throws -> Digest {
    var whole = CanonicalRecord(kind: "catalog")
    for table in SharedTable.contents + (includingProvenance ? SharedTable.provenance : []) {
      let (digest, rowCount) = try self.digest(of: table)
      whole.set(table.name, "\(digest.hex)/\(rowCount)")
    }
    return whole.digest
  }

  private func digest(of table: SharedTable) throws -> (digest: Digest, rowCount: Int) {
    // Joining four tables for each of a million rows would take longer than hashing them.
    let parents = try table.parents.map { parent in
      var digests: [Int64: SQLValue] = [:]
      try connection.forEachRow("SELECT id, digest FROM \(parent)") { digests[$0.integer(0)] = .blob($0.bytes(1)) }
      return digests
    }
    var rows: [Digest] = []
    try connection.forEachRow(table.sql) { row in
      var values = row.values
      for (position, digests) in parents.enumerated() {
        if case .integer(let id) = values[position] { values[position] = digests[id] ?? .null }
      }
      rows.append(SHA256.digest(of: RowBytes(values).bytes))
    }
    rows.sort()
    var hash = SHA256()
    for digest in rows { hash.update(digest.bytes) }
    return (hash.finalize(), rows.count)
  }
}
