/// Deletes from a new pack what does not belong to the runs that are kept.
struct PackSweep {
  private let connection: Connection
  private let rows: RowWriter
  private let runs: String
  private let schema: SchemaShape

  /// Tables whose rows say which assignments belong to a run.
  private static let witnesses: Set = ["candidate", "run"]

  /// Content that stays only while something points to it, those that point first; with the tables that are part of it.
  private static let contents: [(table: String, parts: [String])] = [
    ("assignment", []), ("space", ["space_member", "space_level", "space_unit"]), ("variant", []), ("statistic", []),
    ("data_set", []), ("sequence_list", ["sequence_list_item"]), ("sequence", []),
    ("model", ["layer", "site", "tensor"]),
    ("weight", []), ("method", []), ("measure", []), ("job", []), ("numerics", []), ("blob", ["blob_chunk"]),
  ]

  init(_ transaction: CatalogTransaction, keeping runs: [Int64]) throws {
    connection = transaction.connection
    rows = transaction.rows
    self.runs = runs.sorted().map { String($0) }.joined(separator: ",")
    schema = try SchemaShape.own()
  }

  func run() throws {
    try forgetRunsOfJobs()
    // Children before parents.
    for shape in schema.tables.reversed() where !["job", "run"].contains(shape.name) {
      for column in shape.columns where column.parent == "run" {
        try connection.run("DELETE FROM \(shape.name) WHERE \(column.name) NOT IN (\(runs))")
      }
    }
    try connection.run("DELETE FROM run WHERE id NOT IN (\(runs))")
    let kept = references(to: "assignment", from: schema.tables.filter { Self.witnesses.contains($0.name) })
    for shape in schema.tables.reversed() where !Self.witnesses.contains(shape.name) {
      for column in shape.columns where column.parent == "assignment" {
        try connection.run("DELETE FROM \(shape.name) WHERE \(column.name) NOT IN (\(kept))")
      }
    }
    for (table, parts) in Self.contents {
      var used = references(to: table, from: schema.tables.filter { $0.name != table && !parts.contains($0.name) })
      if table == "variant" {
        used += " UNION SELECT j.value FROM assignment a JOIN json_each(a.variant_ids) j WHERE j.value IS NOT NULL"
      }
      for part in parts {
        guard let column = schema.table(part)?.columns.first(where: { $0.parent == table }) else { continue }
        try connection.run("DELETE FROM \(part) WHERE \(column.name) NOT IN (\(used))")
      }
      try connection.run("DELETE FROM \(table) WHERE id NOT IN (\(used))")
    }
  }

  /// Jobs that computed what is kept stay, without the run they worked on.
  private func forgetRunsOfJobs() throws {
    var ids: [Int64] = []
    try connection.forEachRow("SELECT id FROM job WHERE run_id IS NOT NULL AND run_id NOT IN (\(runs))") {
      ids.append($0.integer(0))
    }
    for id in ids { try rows.update("job", id: id, ["run_id": .null]) }
  }

  /// SQL for the ids of a table that rows of others point to.
  private func references(to table: String, from shapes: [TableShape]) -> String {
    let selects = shapes.flatMap { shape in
      shape.columns.filter { $0.parent == table }.map {
        "SELECT \($0.name) FROM \(shape.name) WHERE \($0.name) IS NOT NULL"
      }
    }
    return selects.isEmpty ? "SELECT 0 WHERE 0" : selects.joined(separator: " UNION ")
  }
}
