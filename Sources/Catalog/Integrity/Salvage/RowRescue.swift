/// Takes the rows of a damaged catalog that are what was written into a new one, parents first.
final class RowRescue {
  private let source: Connection
  private let target: Connection
  private let progress: (String, Int64, Int64) -> Void
  private let isCancelled: () -> Bool
  private let keys: RowKeys
  private var tables: [CatalogSalvage.Table] = []
  private var chunkPlaces: [Int64: [(index: Int64, rowID: Int64)]]?

  /// Caches, which are computed again, and what the new file has already.
  private static let leftOut: Set<String> = ["catalog_property", "calibration_stream", "blob_chunk"]

  init(
    source: Connection, target: Connection, progress: @escaping (String, Int64, Int64) -> Void,
    isCancelled: @escaping () -> Bool
  ) {
    self.source = source
    self.target = target
    self.progress = progress
    self.isCancelled = isCancelled
    keys = RowKeys(CatalogTransaction(connection: target, rows: RowWriter(target)))
  }

  func run() throws -> [CatalogSalvage.Table] {
    let shapes = try SchemaShape.own().tables.filter { !Self.leftOut.contains($0.name) }
    for (index, table) in shapes.enumerated() {
      if isCancelled() { throw CancellationError() }
      progress("saving \(table.name)", Int64(index), Int64(shapes.count))
      try target.execute("BEGIN")
      tables.append(try rescue(table))
      try target.execute("COMMIT")
      try dropIncomplete(after: table.name)
    }
    try dropIncomplete(after: "")
    try reopenRuns()
    for index in tables.indices {
      tables[index].savedCount = try target.integer("SELECT count(*) FROM \(tables[index].name)") ?? 0
    }
    return tables
  }

  private func rescue(_ table: TableShape) throws -> CatalogSalvage.Table {
    var result = CatalogSalvage.Table(name: table.name)
    var reader = TableReader(source, table)
    let count = table.columns.count
    let marks = Array(repeating: "?", count: count + 1).joined(separator: ", ")
    let insert = "INSERT INTO \(table.name) VALUES (\(marks))"
    var bytes = RowBytes()
    var waiting: [[SQLValue]] = []

    func store(_ values: [SQLValue]) throws -> Bool {
      do {
        try target.run(insert, values)
        return true
      } catch let error as SQLiteError where error.isConstraint {
        return false
      }
    }

    try reader.forEachRow { row, _ in
      bytes.removeAll()
      row.append(to: &bytes, columns: 1..<count + 1)
      guard bytes.check == row.integer(count + 1) else {
        result.lostCount += 1
        return
      }
      var values = Array(row.values.dropFirst())
      if try isThere(table, values) { return }
      if table.name == "job" { try forgetLostRun(&values, table) }
      var chunks: [[UInt8]] = []
      if table.name == "blob" { chunks = try takeChunks(of: &values, &result) }
      if table.name == "teacher_state", try !hasBytes(values[3]) { return result.lostCount += 1 }
      if table.name == "assignment", try !hasVariants(values, table) { return result.lostCount += 1 }
      guard try store(values) else { return waiting.append(values) }
      for (index, chunk) in chunks.enumerated() {
        try target.run(
          "INSERT INTO blob_chunk (blob_id, chunk_index, bytes) VALUES (?, ?, ?)",
          [values[0], .integer(index), .blob(chunk)])
      }
    }
    // Rows may point to later rows of their own table.
    var isMoving = true
    while isMoving, !waiting.isEmpty {
      let before = waiting.count
      waiting = try waiting.filter { try !store($0) }
      isMoving = waiting.count < before
    }
    result.lostCount += Int64(waiting.count)
    result.gapCount = reader.gapCount
    return result
  }

  private func isThere(_ table: TableShape, _ values: [SQLValue]) throws -> Bool {
    let places = table.order
    guard !places.isEmpty else { return false }
    let condition = places.map { "\(table.columns[$0].name) = ?" }.joined(separator: " AND ")
    return try target.integer("SELECT 1 FROM \(table.name) WHERE \(condition)", places.map { values[$0] }) != nil
  }

  // MARK: Blobs

  /// The chunks of a blob if they have its digest; else none, and the row is made to say that its bytes are not here.
  private func takeChunks(of values: inout [SQLValue], _ result: inout CatalogSalvage.Table) throws -> [[UInt8]] {
    guard case .integer(let id) = values[0], case .blob(let digest) = values[1],
      case .integer(let chunkCount) = values[3],
      chunkCount > 0
    else { return [] }
    let chunks = try chunks(of: id)
    var hash = SHA256()
    for chunk in chunks { hash.update(chunk) }
    if Int64(chunks.count) == chunkCount, hash.finalize().bytes == digest { return chunks }
    result.emptiedCount += 1
    values[3] = .integer(0)
    renewCheck(of: &values)
    return []
  }

  /// A job whose run is lost still says who computed what.
  private func forgetLostRun(_ values: inout [SQLValue], _ table: TableShape) throws {
    guard let place = table.position(of: "run_id"), values[place] != .null,
      try target.integer("SELECT 1 FROM run WHERE id = ?", [values[place]]) == nil
    else { return }
    values[place] = .null
    renewCheck(of: &values)
  }

  private func renewCheck(of values: inout [SQLValue]) {
    values[values.count - 1] = .integer(RowWriter.check(Array(values.dropLast())))
  }

  private func chunks(of id: Int64) throws -> [[UInt8]] {
    func read(_ sql: String, _ values: [SQLValue]) throws -> [[UInt8]]? {
      do {
        var result: [[UInt8]] = []
        try source.forEachRow(sql, values) { result.append($0.bytes(0)) }
        return result
      } catch let error as SQLiteError where error.isDamage || error.isRefusedStatement {
        return nil
      }
    }
    let found = try read("SELECT bytes FROM blob_chunk WHERE blob_id = ? ORDER BY chunk_index", [.integer(id)])
    if let found, !found.isEmpty { return found }
    // The index over the chunks is damaged: find them by walking once.
    if chunkPlaces == nil { chunkPlaces = try places() }
    return try (chunkPlaces?[id] ?? []).sorted { $0.index < $1.index }.compactMap {
      try read("SELECT bytes FROM blob_chunk WHERE rowid = ?", [.integer($0.rowID)])?.first
    }
  }

  private func places() throws -> [Int64: [(index: Int64, rowID: Int64)]] {
    var result: [Int64: [(index: Int64, rowID: Int64)]] = [:]
    let table = TableShape(
      name: "blob_chunk",
      columns: ["blob_id", "chunk_index"].map {
        TableShape.Column(name: $0, type: "INTEGER", isRequired: true, parent: nil)
      }, hasRowCheck: false, identity: [], order: [])
    var reader = TableReader(source, table)
    try reader.forEachRow { row, rowID in
      let place = (index: row.integer(2), rowID: rowID)
      if result[row.integer(1), default: []].allSatisfy({ $0.rowID != rowID }) {
        result[row.integer(1), default: []].append(place)
      }
    }
    return result
  }

  private func hasBytes(_ id: SQLValue) throws -> Bool {
    try target.integer("SELECT chunk_count FROM blob WHERE id = ?", [id]) ?? 0 > 0
  }

  // MARK: What is only whole together

  /// Whether all variants that an assignment lists are there.
  private func hasVariants(_ values: [SQLValue], _ table: TableShape) throws -> Bool {
    guard let place = table.position(of: "variant_ids"), case .text(let list) = values[place] else { return false }
    return try target.integer(
      """
      SELECT 1 FROM json_each(?) j WHERE j.value IS NOT NULL AND j.value NOT IN (SELECT id FROM variant) LIMIT 1
      """, [.text(list)]) == nil
  }

  /// Drops lists, models, tasks, spaces and generations that lost a part, and what stands on them, before more is put on them.
  private func dropIncomplete(after table: String) throws {
    let parent: String?
    switch table {
    case "layer": parent = "model"
    case "sequence_list_item": parent = "sequence_list"
    case "space_member": parent = "space"
    case "task_choice": parent = "task"
    case "": parent = "generation"
    default: parent = nil
    }
    guard let parent else { return }
    var names: [String] = []
    try keys.check(parent) { names.append($0.row) }
    try target.execute("BEGIN")
    for name in names {
      let parts: [String]
      let condition: String
      var value = SQLValue.text(name)
      switch parent {
      case "model":
        (parts, condition) = (
          ["layer", "site", "tensor", "model_source"], "model_id IN (SELECT id FROM model WHERE name = ?)"
        )
      case "sequence_list":
        value = .text(String(name.prefix(12)))
        parts = ["sequence_list_item"]
        condition = "sequence_list_id IN (SELECT id FROM sequence_list WHERE lower(substr(hex(digest), 1, 12)) = ?)"
      case "task":
        value = .text(String(name.prefix(12)))
        parts = ["task_choice"]
        condition = "task_id IN (SELECT id FROM task WHERE lower(substr(hex(digest), 1, 12)) = ?)"
      case "space":
        value = .text(String(name.prefix(12)))
        parts = ["space_member", "space_level", "space_unit"]
        condition = "space_id IN (SELECT id FROM space WHERE lower(substr(hex(digest), 1, 12)) = ?)"
      default:
        parts = ["stage_result", "stage", "candidate"]
        condition =
          "(run_id, generation_index) IN (SELECT g.run_id, g.generation_index FROM generation g JOIN run r "
          + "ON r.id = g.run_id WHERE g.generation_index || ' of run ' || r.name = ?)"
      }
      for part in parts { try target.run("DELETE FROM \(part) WHERE \(condition)", [value]) }
      switch parent {
      case "model": try target.run("DELETE FROM model WHERE name = ?", [value])
      case "generation": try target.run("DELETE FROM generation WHERE \(condition)", [value])
      default: try target.run("DELETE FROM \(parent) WHERE lower(substr(hex(digest), 1, 12)) = ?", [value])
      }
      if let index = tables.firstIndex(where: { $0.name == parent }) { tables[index].lostCount += 1 }
    }
    // The weights of a lost model have no layer any more.
    if parent == "model" { try target.run("DELETE FROM weight WHERE id NOT IN (SELECT weight_id FROM layer)") }
    try target.execute("COMMIT")
  }

  /// Runs that lost generations go on behind those that are left: the last one before a gap.
  private func reopenRuns() throws {
    try target.execute("BEGIN")
    for table in ["stage_result", "stage", "candidate", "generation"] {
      try target.run(
        """
        DELETE FROM \(table) WHERE generation_index > (SELECT min(g.generation_index) FROM generation g
          WHERE g.run_id = \(table).run_id AND NOT EXISTS (SELECT 1 FROM generation n WHERE n.run_id = g.run_id
            AND n.generation_index = g.generation_index + 1))
        """)
    }
    var open: [(id: Int64, hasBegun: Bool)] = []
    try target.forEachRow(
      """
      SELECT r.id, EXISTS (SELECT 1 FROM generation g WHERE g.run_id = r.id) FROM run r
      WHERE r.found_assignment_id IS NOT NULL AND r.found_assignment_id IS NOT (SELECT g.parent_assignment_id
        FROM generation g WHERE g.run_id = r.id ORDER BY g.generation_index DESC LIMIT 1)
      """
    ) { open.append(($0.integer(0), $0.integer(1) != 0)) }
    for run in open {
      var values: [String: SQLValue] = ["found_assignment_id": .null, "recommendation": .null, "state": .text("open")]
      if !run.hasBegun { values["start_assignment_id"] = .null }
      try RowWriter(target).update("run", id: run.id, values)
    }
    try target.execute("COMMIT")
  }
}
