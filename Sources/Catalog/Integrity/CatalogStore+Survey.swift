import Foundation

/// How a catalog's bytes are spent, and what of it is only kept to save time.
public struct CatalogSurvey: Equatable, Sendable {
  /// A table with its indexes.
  public struct Table: Equatable, Sendable {
    /// Its name.
    public var name: String
    /// Rows.
    public var rowCount: Int64
    /// Bytes of its pages and those of its indexes; nil if this SQLite cannot tell.
    public var byteCount: Int64?
  }

  /// Every table in the order of the schema.
  public var tables: [Table]
  /// Bytes of blobs by what they hold.
  public var blobs: [(kind: String, count: Int64, byteCount: Int64)]
  /// Bytes of pages that hold nothing.
  public var freeByteCount: Int64
  /// Pages are found in the file as they were last synced.
  public var pageByteCount: Int64

  /// Whether all figures agree.
  public static func == (a: CatalogSurvey, b: CatalogSurvey) -> Bool {
    a.tables == b.tables && a.freeByteCount == b.freeByteCount && a.pageByteCount == b.pageByteCount
      && a.blobs.elementsEqual(b.blobs) { $0 == $1 }
  }
}

/// Rows that one revision of evodb's computations made.
public struct StoredRevision: Equatable, Sendable {
  /// `method gptq`, `measure`, `statistic hessian`, `architecture llama`.
  public var what: String
  /// Revision of the rows.
  public var revision: Int64
  /// Rows.
  public var rowCount: Int64

  /// Creates the row count of a revision.
  public init(what: String, revision: Int64, rowCount: Int64) {
    self.what = what
    self.revision = revision
    self.rowCount = rowCount
  }
}

extension CatalogStore {
  /// The version of the SQLite library in use.
  public static var sqliteVersion: String { Connection.libraryVersionText }

  /// Whether the SQLite in use has the bug by which two connections that checkpoint or write at the same instant can
  /// corrupt a file with a write-ahead log; fixed in 3.51.3 (sqlite.org/wal.html, "WAL-reset bug").
  public static var hasWALResetBug: Bool { Connection.libraryVersion < 3_051_003 }

  /// The name of the network file system that holds the file; nil if it is a local one.
  public var networkFileSystemName: String? { FileSystem.networkName(of: file.path) }

  /// The folder in which the real file lies.
  public var folderPath: String { URL(fileURLWithPath: file.path).deletingLastPathComponent().path }

  /// Bytes that can still be written beside the file; nil if unknown.
  public var freeDiskByteCount: Int64? { FileSystem.freeByteCount(beside: file.path) }

  /// Whether a log lies beside the file though nobody writes: its writer was killed.
  public var hasAbandonedLog: Bool { currentWriter == nil && logByteCount > 0 }

  /// Measures what fills the file.
  public func survey() throws -> CatalogSurvey {
    try read { transaction in
      let connection = transaction.connection
      let pageSize = try connection.integer("PRAGMA page_size") ?? 0
      var sizes: [String: Int64]?
      // dbstat is an option of SQLite's build.
      if (try? connection.integer("SELECT 1 FROM dbstat LIMIT 1")) != nil {
        var found: [String: Int64] = [:]
        try connection.forEachRow(
          """
          SELECT s.tbl_name, sum(d.pgsize) AS byte_count FROM dbstat d JOIN sqlite_schema s ON s.name = d.name
          WHERE d.aggregate = TRUE GROUP BY s.tbl_name
          """
        ) { found[$0.text("tbl_name")] = $0.integer("byte_count") }
        sizes = found
      }
      let known = sizes
      let tables = try transaction.tableNames().filter { !$0.hasPrefix("sqlite_") }.map { name in
        CatalogSurvey.Table(
          name: name, rowCount: try connection.integer("SELECT count(*) FROM \(name)") ?? 0,
          byteCount: known.map { $0[name] ?? 0 })
      }
      let blobs = try connection.allRows(
        """
        SELECT t.kind, count(*) AS count, coalesce(sum(b.byte_count), 0) AS byte_count
        FROM (\(Self.blobKinds)) t JOIN blob b ON b.id = t.id GROUP BY t.kind ORDER BY t.kind
        """
      ) { (kind: $0.text("kind"), count: $0.integer("count"), byteCount: $0.integer("byte_count")) }
      return CatalogSurvey(
        tables: tables, blobs: blobs,
        freeByteCount: try (connection.integer("PRAGMA freelist_count") ?? 0) * pageSize,
        pageByteCount: try (connection.integer("PRAGMA page_count") ?? 0) * pageSize)
    }
  }

  /// SQL for the ids of blobs and what they hold.
  private static let blobKinds = TableDescription.blob.references.compactMap { table, column in
    column.contents.map { contents in
      "SELECT '\(contents)\(table.kind == .cache ? " (cache)" : "")' AS kind, \(column.name) AS id FROM \(table.name)"
    }
  }.joined(separator: " UNION ")

  /// Rows of every revision that the catalog holds, with what they belong to.
  public func revisions() throws -> [StoredRevision] {
    try read { transaction in
      try transaction.connection.allRows(
        """
        SELECT 'method ' || m.name AS what, m.revision, count(v.id) AS row_count
          FROM method m LEFT JOIN variant v ON v.method_id = m.id GROUP BY m.name, m.revision
        UNION ALL SELECT 'statistic ' || kind, revision, count(*) FROM statistic GROUP BY kind, revision
        UNION ALL SELECT 'measure ' || name, revision, count(*) FROM measure GROUP BY name, revision
        UNION ALL SELECT 'architecture ' || architecture, architecture_revision, count(*) FROM model
          GROUP BY architecture, architecture_revision
        """
      ) {
        StoredRevision(what: $0.text("what"), revision: $0.integer("revision"), rowCount: $0.integer("row_count"))
      }
    }
  }
}
