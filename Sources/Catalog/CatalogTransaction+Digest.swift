extension CatalogTransaction {
  /// One digest over all that catalogs share: equal for files that hold the same, whatever the order of insertion, local
  /// ids, times and machines.
  ///
  /// Per table every row gets a digest over its canonical bytes, with digests in the place of local ids; the sorted list
  /// of these is hashed; and then the list of tables with their digests and row counts.
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
    var template: CanonicalTemplate?
    var rows: [Digest] = []
    try connection.forEachRow(table.sql) { row in
      if template == nil {
        template = CanonicalTemplate(kind: "row-\(table.name)", names: row.statement.columnNames)
      }
      if let digest = template?.digest(row.values) { rows.append(digest) }
    }
    rows.sort()
    var hash = SHA256()
    for digest in rows { hash.update(digest.bytes) }
    return (hash.finalize(), rows.count)
  }
}
