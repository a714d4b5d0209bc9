extension CatalogTransaction {
  /// One digest over all that catalogs share: equal for files that hold the same, whatever the order of insertion,
  /// local ids, times and machines.
  ///
  /// Per table every row gets a digest over its shared values (`TableDescription.digested`), written as for a row
  /// check, with the keys of rows in the place of their local ids; the sorted list of these is hashed; and then the list
  /// of tables with their digests and row counts, without empty ones that a later schema version brought.
  ///
  /// - Parameter includingProvenance: also data sets by name and runs with their generations, but no times, people,
  ///   machines, UUIDs, jobs, folders and caches.
  public func sharedDigest(includingProvenance: Bool) throws -> Digest {
    var whole = CanonicalRecord(kind: "catalog")
    let citations = Citations(connection)
    for table in TableDescription.all {
      guard table.kind == .content || includingProvenance && table.kind == .provenance else { continue }
      let (digest, rowCount) = try self.digest(of: table, citations)
      if rowCount == 0, table.since > 1 { continue }
      whole.set(table.name, "\(digest.hex)/\(rowCount)")
    }
    return whole.digest
  }

  private func digest(of table: TableDescription, _ citations: Citations) throws -> (digest: Digest, rowCount: Int) {
    let columns = try citations.columns(table.digested, of: table)
    var rows: [Digest] = []
    var row = RowBytes()
    try connection.forEachRow("SELECT \(columns.map(\.name).joined(separator: ", ")) FROM \(table.name)") { values in
      citations.append(values, columns, to: &row)
      rows.append(SHA256.digest(of: row.bytes))
      row.removeAll()
    }
    rows.sort()
    var hash = SHA256()
    for digest in rows { hash.update(digest.bytes) }
    return (hash.finalize(), rows.count)
  }
}

/// Replaces local ids in digests by the values that name their rows in every file, as bytes of `RowBytes`. A row that
/// points to a model does not name it a second time by way of a site.
///
/// They are read once for all rows: joining four tables for each of a million rows would take longer than hashing them.
private final class Citations {
  /// A column with the replacements of its ids.
  struct Column {
    var name: String
    /// nil: the column's values stand for themselves.
    var cited: [Int64: [UInt8]]?
    /// The bytes that replace NULL.
    var none: [UInt8] = []
  }

  private let connection: Connection
  private var known: [String: Column] = [:]

  init(_ connection: Connection) { self.connection = connection }

  /// Columns of a table with the replacements of their ids.
  ///
  /// - Parameter named: tables that the row names in any case.
  func columns(_ places: [Int], of table: TableDescription, named: Set<String> = []) throws -> [Column] {
    let parents = named.union(places.compactMap { table.columns[$0].parent })
    return try places.compactMap { place in
      let column = table.columns[place]
      guard let parent = column.parent else { return Column(name: column.name) }
      return named.contains(parent) ? nil : try self.column(column.name, citing: .named(parent), named: parents)
    }
  }

  private func column(_ name: String, citing table: TableDescription, named: Set<String>) throws -> Column {
    let left = Set(table.citation.compactMap { table.columns[$0].parent }).intersection(named)
    let key = ([table.name] + left.sorted()).joined(separator: "/")
    if var column = known[key] {
      column.name = name
      return column
    }
    let columns = try self.columns(table.citation, of: table, named: left)
    var cited: [Int64: [UInt8]] = [:]
    var row = RowBytes()
    try connection.forEachRow("SELECT \((columns.map(\.name) + ["id"]).joined(separator: ", ")) FROM \(table.name)") {
      append($0, columns, to: &row)
      cited[$0.integer("id")] = row.bytes
      row.removeAll()
    }
    for column in columns {
      if column.cited == nil { row.appendNull() } else { row.append(written: column.none) }
    }
    let column = Column(name: name, cited: cited, none: row.bytes)
    known[key] = column
    return column
  }

  /// Appends the values of a row of these columns.
  func append(_ row: Row, _ columns: [Column], to bytes: inout RowBytes) {
    for (index, column) in columns.enumerated() {
      if let cited = column.cited {
        let isNull = row.statement.isNull(index)
        bytes.append(written: isNull ? column.none : cited[row.statement.integer(index)] ?? column.none)
      } else {
        row.statement.append(index, to: &bytes)
      }
    }
  }
}
