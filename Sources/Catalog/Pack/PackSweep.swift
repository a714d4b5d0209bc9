/// Deletes from a new pack what does not belong to the runs that are kept.
struct PackSweep {
  private typealias Reference = (table: TableDescription, column: ColumnDescription)

  private let connection: Connection
  private let rows: RowWriter
  private let runs: String

  /// Tables whose rows say which assignments belong to a run.
  private static let witnesses: Set = ["candidate", "run"]

  init(_ transaction: CatalogTransaction, keeping runs: [Int64]) {
    connection = transaction.connection
    rows = transaction.rows
    self.runs = runs.sorted().map { String($0) }.joined(separator: ",")
  }

  func run() throws {
    // Derived rows point to others, which would then stay in the pack although nothing else needs them.
    for table in TableDescription.all where table.kind == .derived { try connection.run("DELETE FROM \(table.name)") }
    // Children before parents.
    for (table, column) in TableDescription.run.references.reversed() where table.name != "run" {
      let isOther = "\(column.name) NOT IN (\(runs))"
      // Jobs that computed what is kept stay, without the run they worked on.
      if let mend = column.mend {
        try update(table, where: isOther, mend)
      } else {
        try connection.run("DELETE FROM \(table.name) WHERE \(isOther)")
      }
    }
    try connection.run("DELETE FROM run WHERE id NOT IN (\(runs))")
    let assignments = TableDescription.assignment.references
    let own = Self.ids(assignments.filter { Self.witnesses.contains($0.table.name) })
    // Single changes of a run's assignments were measured for it: they are the first thing that it asks for again.
    let kept = "\(own) UNION SELECT assignment_id FROM unit_change WHERE base_assignment_id IN (\(own))"
    for (table, column) in assignments.reversed() where !Self.witnesses.contains(table.name) {
      try connection.run("DELETE FROM \(table.name) WHERE \(column.name) NOT IN (\(kept))")
    }
    for table in TableDescription.all.reversed() {
      guard table.hasID, table.isMerged, table.owner == nil, !table.standsAlone else { continue }
      // Content stays only while something points to it that is no part of it.
      let used = Self.ids(table.references.filter { $0.table.name != table.name && $0.table.owner != table.name })
      for (part, column) in table.references.reversed() where part.owner == table.name {
        try connection.run("DELETE FROM \(part.name) WHERE \(column.name) NOT IN (\(used))")
      }
      try connection.run("DELETE FROM \(table.name) WHERE id NOT IN (\(used))")
    }
    rows.forgetAll()
    try FitnessUpkeep.rebuild(connection, rows)
  }

  private func update(_ table: TableDescription, where condition: String, _ changes: [String: SQLValue]) throws {
    let ids = try connection.integers("SELECT id FROM \(table.name) WHERE \(condition)")
    for id in ids { try rows.update(table, id: id, changes) }
  }

  /// SQL for the ids that these columns hold.
  private static func ids(_ references: [Reference]) -> String {
    references.isEmpty
      ? "SELECT 0 WHERE 0" : references.map { $0.table.ids(in: $0.column) }.joined(separator: " UNION ")
  }
}
