import Foundation

extension CatalogTransaction {
  /// Every variant that something needs: assignments and spaces name theirs; a calibration was made behind those of its
  /// upstream level, and its continuation would build them again.
  private static let neededVariants = """
    SELECT variant_id FROM space_member WHERE variant_id IS NOT NULL
    UNION SELECT j.value FROM assignment a, json_each(a.variant_ids) j WHERE j.value IS NOT NULL
    UNION SELECT v.id FROM statistic s JOIN variant v ON v.method_id = s.upstream_method_id AND v.level = s.upstream_level
    """

  private static let unusedBlobs = "NOT IN (\(TableDescription.usedBlobs))"

  /// The caches and the columns that point to their blobs.
  private static let caches = TableDescription.blob.references.filter { $0.table.kind == .cache }

  /// The rows and bytes that `drop` would remove. Changes nothing.
  ///
  /// - Parameter isOld: whether `(what, revision)` of `CatalogStore.revisions()` is older than this build's.
  public func garbage(of kinds: [GarbageKind], isOld: (String, Int64) -> Bool) throws -> [Garbage] {
    var result: [Garbage] = []
    func add(_ kind: GarbageKind, _ what: String, _ sql: String, _ values: [SQLValue] = []) throws {
      let found = try connection.firstRow(sql, values) {
        Garbage(
          kind: kind, what: what, rowCount: $0.integer("row_count"), byteCount: $0.integer("byte_count"))
      }
      if let found, found.rowCount > 0 { result.append(found) }
    }
    let sizes = "SELECT count(*) AS row_count, coalesce(sum(b.byte_count), 0) AS byte_count FROM"
    if kinds.contains(.unused) {
      try add(
        .unused, "variants",
        "\(sizes) variant v JOIN blob b ON b.id = v.blob_id WHERE v.id NOT IN (\(Self.neededVariants))")
      try add(.unused, "blobs", "\(sizes) blob b WHERE b.id \(Self.unusedBlobs)")
    } else if kinds.contains(.revisions) {
      for method in try oldMethods(isOld) {
        try add(
          .revisions, "variants by \(method.name), revision \(method.revision)",
          """
          \(sizes) variant v JOIN blob b ON b.id = v.blob_id
          WHERE v.method_id = \(method.id) AND v.id NOT IN (\(Self.neededVariants))
          """)
      }
    }
    if kinds.contains(.revisions) {
      for statistic in try oldStatistics(isOld) {
        try add(
          .revisions, "statistics \(statistic.kind), revision \(statistic.revision)",
          """
          SELECT count(DISTINCT s.id) AS row_count, coalesce(sum(b.byte_count), 0) AS byte_count FROM statistic s
          LEFT JOIN blob b ON b.id IN (s.matrix_blob_id, s.diagonal_blob_id)
          WHERE s.kind = ? AND s.revision = ?
            AND s.id NOT IN (SELECT statistic_id FROM variant WHERE statistic_id IS NOT NULL)
          """, [.text(statistic.kind), .integer(statistic.revision)])
      }
    }
    if kinds.contains(.statistics) {
      try add(.statistics, "matrices", "\(sizes) statistic s JOIN blob b ON b.id = s.matrix_blob_id")
    }
    if kinds.contains(.caches) {
      for (table, column) in Self.caches {
        try add(
          .caches, column.contents ?? table.name,
          "\(sizes) \(table.name) c JOIN blob b ON b.id = c.\(column.name)")
      }
    }
    if kinds.contains(.fitness) {
      let count = try FitnessUpkeep.compare(connection) { _ in }
      if count > 0 { result.append(Garbage(kind: .fitness, what: "sums", rowCount: count, byteCount: 0)) }
    }
    return result
  }

  /// Drops the kinds, and every blob that nothing points to then.
  public func drop(_ kinds: [GarbageKind], isOld: (String, Int64) -> Bool) throws {
    if kinds.contains(.caches) {
      for table in TableDescription.all where table.kind == .cache { try connection.run("DELETE FROM \(table.name)") }
    }
    if kinds.contains(.unused) {
      try connection.run("DELETE FROM variant WHERE id NOT IN (\(Self.neededVariants))")
    } else if kinds.contains(.revisions) {
      for method in try oldMethods(isOld) {
        try connection.run(
          "DELETE FROM variant WHERE method_id = ? AND id NOT IN (\(Self.neededVariants))", [.integer(method.id)])
      }
    }
    if kinds.contains(.revisions) {
      for statistic in try oldStatistics(isOld) {
        try connection.run(
          """
          DELETE FROM statistic WHERE kind = ? AND revision = ?
            AND id NOT IN (SELECT statistic_id FROM variant WHERE statistic_id IS NOT NULL)
          """, [.text(statistic.kind), .integer(statistic.revision)])
      }
    }
    if kinds.contains(.statistics) {
      for id in try connection.integers("SELECT id FROM statistic WHERE matrix_blob_id IS NOT NULL") {
        try rows.update(.statistic, id: id, ["matrix_blob_id": .null])
      }
    }
    try connection.run("DELETE FROM blob WHERE id \(Self.unusedBlobs)")
    // Ids of dropped rows may be given out again.
    rows.forgetIDs()
    if kinds.contains(.fitness) { try FitnessUpkeep.rebuild(connection, rows) }
  }

  /// Removes variants and statistics that are wrong, with the blobs that nothing else points to. Those stay on which an
  /// assignment, a space or another variant rests.
  public func remove(variants: [Int64], statistics: [Int64]) throws {
    for id in variants {
      try connection.run(
        """
        DELETE FROM variant WHERE id = ? AND id NOT IN (SELECT variant_id FROM space_member WHERE variant_id IS NOT NULL)
          AND id NOT IN (SELECT j.value FROM assignment a, json_each(a.variant_ids) j WHERE j.value IS NOT NULL)
        """, [.integer(id)])
    }
    for id in statistics {
      try connection.run(
        "DELETE FROM statistic WHERE id = ? AND id NOT IN (SELECT statistic_id FROM variant WHERE statistic_id IS NOT NULL)",
        [.integer(id)])
    }
    try connection.run("DELETE FROM blob WHERE id \(Self.unusedBlobs)")
    // Ids of dropped rows may be given out again.
    rows.forgetIDs()
  }

  private func oldMethods(_ isOld: (String, Int64) -> Bool) throws -> [(id: Int64, name: String, revision: Int64)] {
    try connection.allRows("SELECT id, name, revision FROM method ORDER BY id") {
      (id: $0.integer("id"), name: $0.text("name"), revision: $0.integer("revision"))
    }.filter { isOld("method \($0.name)", $0.revision) }
  }

  private func oldStatistics(_ isOld: (String, Int64) -> Bool) throws -> [(kind: String, revision: Int64)] {
    try connection.allRows("SELECT DISTINCT kind, revision FROM statistic") {
      (kind: $0.text("kind"), revision: $0.integer("revision"))
    }.filter { isOld("statistic \($0.kind)", $0.revision) }
  }
}

/// A kind of rows that a catalog can do without: all of them can be computed again.
public enum GarbageKind: String, CaseIterable, Sendable {
  /// Variants that no assignment, space or calibration uses, and blobs and token lists that nothing points to.
  case unused
  /// The dense model's states and the streams of a stopped calibration.
  case caches
  /// Unused variants, and statistics without variants, that an older revision of evodb made.
  case revisions
  /// The matrices of statistics: without them new levels need a new calibration.
  case statistics
  /// Sums of fitness on data sets that do not follow from the observations, if another program changed those. All are made
  /// anew.
  case fitness

  /// Dropped where nothing is said: only what costs little, or nothing, to make again.
  public static let standard: [GarbageKind] = [.unused, .caches, .revisions, .fitness]
}

/// The size of one part of a kind of garbage.
public struct Garbage: Equatable, Sendable {
  /// Which kind.
  public var kind: GarbageKind
  /// The part of the kind: `variants`, `blobs`, …
  public var what: String
  /// Rows to drop.
  public var rowCount: Int64
  /// Bytes of their blobs.
  public var byteCount: Int64
}

extension CatalogStore {
  /// Bytes that `vacuum` needs beside the file at most: the new pages in the log, and again in SQLite's temporary file.
  public func vacuumByteCount(dropping dropped: Int64) throws -> Int64 {
    let used = try read { transaction in
      let size = try transaction.connection.integer("PRAGMA page_size") ?? 0
      let pages = try transaction.connection.integer("PRAGMA page_count") ?? 0
      return size * (pages - (try transaction.connection.integer("PRAGMA freelist_count") ?? 0))
    }
    return 2 * max(0, used - dropped) + (1 << 20)
  }

  /// - Throws: `CatalogError.inputOutput` if `byteCount` bytes do not fit beside the file.
  public func requireDisk(_ byteCount: Int64) throws { try FileSystem.requireSpace(byteCount, beside: file.path) }

  /// Writes the file anew without free pages. It goes through the log, so that a kill at any instant leaves the file as it
  /// was or as it will be.
  ///
  /// - Throws: `CancellationError`, `SQLiteError`.
  public func vacuum(isCancelled: @escaping () -> Bool = { false }) throws {
    try exclusively { connection in
      connection.forgetStatements()
      try connection.execute("PRAGMA synchronous = FULL")
      try connection.watched(by: isCancelled) { try connection.execute("VACUUM") }
    }
  }
}
