import Foundation

/// Takes out of saved rows, each of which is what was written, those that contradict others, until none is left: the checks
/// are those of `verify`. A row that is right but for one reference is mended rather than lost.
final class RowPruning {
  private let target: Connection
  private let rows: RowWriter
  private let keys: RowKeys
  private let packedWeightProblem: PackedWeightProblem?
  private let progress: (String, Int64, Int64) -> Void
  private let isCancelled: () -> Bool
  /// Rows taken out, by table.
  private(set) var lostCounts: [String: Int64] = [:]
  /// Blobs that had to be invented: a digest without bytes.
  private(set) var emptiedCount: Int64 = 0

  init(
    _ target: Connection, packedWeightProblem: PackedWeightProblem?,
    progress: @escaping (String, Int64, Int64) -> Void, isCancelled: @escaping () -> Bool
  ) {
    self.target = target
    self.packedWeightProblem = packedWeightProblem
    self.progress = progress
    self.isCancelled = isCancelled
    rows = RowWriter(target)
    keys = RowKeys(CatalogTransaction(connection: target, rows: rows))
  }

  /// - Parameter ambiguous: ids, by table, that may mean two things.
  func run(ambiguous: [String: Set<Int64>]) throws {
    let invented = try inTransaction {
      try dropUnproven(ambiguous)
      let invented = try linkBlobs()
      try dropOrphans(of: Set(TableDescription.all.map(\.name)))
      return invented
    }
    var hasChanged = true
    var hasLookedInside = false
    while hasChanged {
      hasChanged = false
      for (index, table) in RowKeys.tables.enumerated() {
        progress("comparing rows", Int64(index), Int64(RowKeys.tables.count))
        hasChanged = try remove { try keys.check(table, $0) } || hasChanged
      }
      // Bytes do not change, and no row gets other ones from here on.
      guard !hasLookedInside else { continue }
      hasLookedInside = true
      progress("comparing statistics and weights", 0, 1)
      hasChanged = try remove { try keys.checkDiagonals($0) } || hasChanged
      if let packedWeightProblem {
        hasChanged = try remove { try keys.checkPackedWeights(packedWeightProblem, $0) } || hasChanged
      }
    }
    try inTransaction {
      try dropUnusedBlobs(invented)
      try FitnessUpkeep.rebuild(target, rows)
    }
  }

  private func inTransaction<T>(_ body: () throws -> T) throws -> T {
    try target.execute("BEGIN")
    let result = try body()
    try target.execute("COMMIT")
    return result
  }

  // MARK: Defects

  /// Removes or mends the rows that a check reports, and removes the rows that need them. Returns whether there were any.
  private func remove(_ check: ((RowDefect) throws -> Void) throws -> Void) throws -> Bool {
    if isCancelled() { throw CancellationError() }
    var defects: [RowDefect] = []
    try check { defects.append($0) }
    guard !defects.isEmpty else { return false }
    try inTransaction {
      var changed: Set<String> = []
      for defect in defects {
        if let mend = defect.mend, try self.mend(defect, mend) { continue }
        let table = TableDescription.named(defect.table)
        guard table.order.count == defect.key.count else { throw CatalogError.damaged("\(defect)") }
        try delete(from: table.name, where: table.orderCondition, defect.key)
        changed.insert(table.name)
      }
      try dropOrphans(of: changed)
    }
    return true
  }

  /// Whether that changed the row; one that is gone already needs no mending.
  private func mend(_ defect: RowDefect, _ changes: [String: SQLValue]) throws -> Bool {
    guard case .integer(let id)? = defect.key.first, defect.key.count == 1 else { return false }
    guard try target.integer("SELECT 1 FROM \(defect.table) WHERE id = ?", [.integer(id)]) != nil else { return true }
    let names = changes.keys.sorted()
    let before = try target.firstRow(
      "SELECT \(names.joined(separator: ", ")) FROM \(defect.table) WHERE id = ?", [.integer(id)]
    ) { $0.values }
    guard before != names.map({ changes[$0] ?? .null }) else { return false }
    try rows.update(.named(defect.table), id: id, changes)
    return true
  }

  private func delete(from table: String, where condition: String, _ values: [SQLValue] = []) throws {
    try target.run("DELETE FROM \(table) WHERE \(condition)", values)
    lostCounts[table, default: 0] += Int64(target.changeCount)
  }

  // MARK: References

  /// Removes what points to rows that are gone from `changed`, and what points to that.
  private func dropOrphans(of changed: Set<String>) throws {
    var changed = changed
    // Parents before children.
    for table in TableDescription.all where table.hasRowCheck {
      for column in table.columns {
        guard let parent = column.parent, changed.contains(parent) else { continue }
        let isOrphan =
          "\(column.name) IS NOT NULL AND NOT EXISTS (SELECT 1 FROM \(parent) p WHERE p.id = \(table.name).\(column.name))"
        if let changes = column.mend {
          let ids = try target.integers("SELECT id FROM \(table.name) WHERE \(isOrphan)")
          for id in ids { try rows.update(table, id: id, changes) }
        } else {
          let before = lostCounts[table.name] ?? 0
          try delete(from: table.name, where: isOrphan)
          if lostCounts[table.name] ?? 0 > before { changed.insert(table.name) }
        }
      }
      if table.name == "job", changed.contains("job") { try standInForLostJobs() }
    }
  }

  /// Answers and generations stay when it is lost who computed them: a job that says so takes the lost one's place.
  private func standInForLostJobs() throws {
    var lost: [(id: Int64, numerics: Int64)] = []
    try target.forEachRow(
      """
      SELECT x.job_id, coalesce(min(n.id), (SELECT min(id) FROM numerics)) AS numerics_id
      FROM (SELECT job_id, numerics_id FROM observation UNION SELECT job_id, NULL FROM generation) x
      LEFT JOIN numerics n ON n.id = x.numerics_id
      WHERE NOT EXISTS (SELECT 1 FROM job j WHERE j.id = x.job_id) GROUP BY x.job_id
      """
    ) { row in
      if let numerics: Int64 = try row.value("numerics_id") { lost.append((row.integer("job_id"), numerics)) }
    }
    let now = Timestamp.now()
    for job in lost {
      let known: [String: SQLValue] = [
        "id": .integer(job.id), "uuid": .text(UUID().uuidString.lowercased()), "command": .text("unknown"),
        "evodb_version": .text("unknown"), "numerics_id": .integer(job.numerics), "user_name": .text("unknown"),
        "host_name": .text("unknown"), "started_at": .text(now), "updated_at": .text(now), "outcome": .text("failed"),
        "message": .text("its row was damaged and could not be saved; this one was put in its place"),
      ]
      let values = TableDescription.job.columns.map { column -> SQLValue in
        if let value = known[column.name] { return value }
        guard column.isRequired else { return .null }
        return column.type == .real ? .real(0) : .integer(Int64(0))
      }
      try rows.insertExactly(.job, row: values)
    }
  }

  private func dropUnproven(_ ambiguous: [String: Set<Int64>]) throws {
    for table in TableDescription.all where table.isUnproven {
      for column in table.columns {
        // Who computed something and what a run led to do not change what was computed.
        guard let parent = column.parent, !["job", "run"].contains(parent), let ids = ambiguous[parent] else {
          continue
        }
        for id in ids.sorted() { try delete(from: table.name, where: "\(column.name) = ?", [.integer(id)]) }
      }
    }
  }

  // MARK: Blobs

  /// Bytes that belonged to rows which could not be saved say nothing any more.
  private func dropUnusedBlobs(_ invented: Set<Int64>) throws {
    let isUnused = "NOT IN (\(TableDescription.usedBlobs))"
    for id in try target.integers("SELECT id FROM blob WHERE id \(isUnused)") where invented.contains(id) {
      emptiedCount -= 1
    }
    try target.run("DELETE FROM blob_chunk WHERE blob_id \(isUnused)")
    try target.run("DELETE FROM blob WHERE id \(isUnused)")
  }

  /// Lets every variant point to the blob that its content key names; one whose bytes are nowhere gets a blob without
  /// bytes. What else a variant says is checked by its recipe key.
  ///
  /// - Returns: ids of the blobs that were made.
  private func linkBlobs() throws -> Set<Int64> {
    let wrong = try target.allRows(
      """
      SELECT v.id, v.content_key, v.stored_bits FROM variant v LEFT JOIN blob b ON b.id = v.blob_id
      WHERE b.digest IS NOT v.content_key
      """
    ) { (id: $0.integer("id"), content: $0.bytes("content_key"), storedBits: $0.integer("stored_bits")) }
    guard !wrong.isEmpty else { return [] }
    // Not an id that anything points to already.
    let last = try target.integer("SELECT max(id) FROM (SELECT id FROM blob UNION \(TableDescription.usedBlobs))")
    var next = (last ?? 0).clamped + 1
    var made: Set<Int64> = []
    for variant in wrong {
      var blob = try target.integer("SELECT id FROM blob WHERE digest = ?", [.blob(variant.content)])
      if blob == nil, variant.storedBits > 0, variant.storedBits % 8 == 0 {
        try rows.insertExactly(
          .blob,
          row: [.integer(next), .blob(variant.content), .integer(variant.storedBits / 8), .integer(Int64(0))])
        made.insert(next)
        emptiedCount += 1
        blob = next
        next += 1
      }
      if let blob { try rows.update(.variant, id: variant.id, ["blob_id": .integer(blob)]) }
    }
    return made
  }
}

extension Int64 {
  /// Below the largest number by enough to be counted on from.
  fileprivate var clamped: Int64 { Swift.min(self, .max >> 1) }
}
