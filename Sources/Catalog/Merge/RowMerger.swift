import Foundation

/// Merges the rows of one file into another, table by table: foreign ids become ours, what is new is inserted, what is
/// there is compared.
///
/// Of two rows with the same key and different content the one with the smaller digest of its shared columns stays: a
/// choice that no order of merging changes.
final class RowMerger {
  let into: CatalogTransaction
  let from: ForeignCatalog
  let blobs: BlobMerger
  /// Their ids → ours, by table.
  var ids: [String: [Int64: Int64]] = [:]
  var report = MergeReport()
  private let schema: SchemaShape
  private let progress: (String) -> Void

  /// - Parameter progress: gets the table that is being merged.
  init(into: CatalogTransaction, from: ForeignCatalog, progress: @escaping (String) -> Void) throws {
    self.into = into
    self.from = from
    self.progress = progress
    schema = from.shape
    blobs = try BlobMerger(into: into, from: from)
  }

  /// Merges everything.
  func run() throws {
    do {
      try mergeAll()
    } catch let error as SQLiteError {
      guard let rule = error.brokenRule else { throw error }
      // A row that breaks a rule of the table is theirs to mend, unless ours cannot be found by their keys.
      if let finding = try ownFinding() { throw CatalogError.damaged("\(into.connection.path): \(finding)") }
      throw from.refusal("\(rule); \(ShellCommand("verify", from.path)) says what is wrong with it")
    }
  }

  /// What is wrong with the indexes of the file that gains; nil: nothing.
  private func ownFinding() throws -> String? {
    try into.connection.firstRow("PRAGMA integrity_check(1)") { $0.text(0) }.flatMap { $0 == "ok" ? nil : $0 }
  }

  private func mergeAll() throws {
    let tables = MergedTable.all(of: schema)
    let runs = RunMerger(self, generationTables: tables.filter { $0.generationKey != nil })
    for shape in schema.tables {
      progress(shape.name)
      try from.checkTime()
      if shape.name == "run" {
        try runs.mergeRuns(shape)
      } else if let table = tables.first(where: { $0.shape.name == shape.name }) {
        if shape.name == "generation" { try runs.mergeGenerations() }
        if table.generationKey == nil { try merge(table) }
      }
    }
    try runs.mergeOrigins()
    report.count("blob", new: blobs.newCount, equal: blobs.equalCount)
  }

  private func merge(_ table: MergedTable) throws {
    report.count(table.shape.name)
    switch table.shape.name {
    case "model":
      let names = MergedNames(table: "model", keyColumn: "digest", into: into)
      try each(table) { row in
        guard case .text(let name) = row[2], case .blob(let digest) = row[1] else { return row }
        // A model that is here keeps the name it has here.
        if try self.id(ofIdentity: row, table) != nil { return row }
        return try self.renamed(row, 2, try names.claim(name, key: Hexadecimal.string(digest)))
      }
    case "data_set":
      let names = MergedNames(
        table: "data_set", keyColumn: "(SELECT digest FROM sequence_list WHERE id = sequence_list_id)", into: into)
      try each(table) { row in
        guard case .text(let name) = row[1], case .integer(let list) = row[2] else { return row }
        let digest = try self.into.connection.firstRow(
          "SELECT digest FROM sequence_list WHERE id = ?", [.integer(list)]
        ) { $0.bytes(0) }
        return try self.renamed(row, 1, try names.claim(name, key: Hexadecimal.string(digest ?? [])))
      }
    default: try each(table) { $0 }
    }
  }

  private func renamed(_ row: [SQLValue], _ position: Int, _ claim: MergedNames.Claim) throws -> [SQLValue] {
    report.notes += claim.notes
    var row = row
    row[position] = .text(claim.name)
    return row
  }

  private func each(_ table: MergedTable, _ change: ([SQLValue]) throws -> [SQLValue]) throws {
    try from.forEachRow(of: table.shape) { theirs in
      try self.mergeRow(try change(try self.mapped(theirs, table)), table, theirs: theirs)
    }
  }

  // MARK: Rows

  /// A row of theirs with our ids in its references and in the list of an assignment; those that only come along with a
  /// new row are left as they are.
  func mapped(_ row: [SQLValue], _ table: MergedTable) throws -> [SQLValue] {
    var row = row
    for position in table.shape.identity + table.shared { try map(&row, position, table.shape) }
    return row
  }

  /// Replaces what `mapped` left.
  func mapRest(_ row: inout [SQLValue], _ table: MergedTable, except skipped: Int? = nil) throws {
    for position in table.shape.columns.indices
    where position != skipped && !table.shape.identity.contains(position) && !table.shared.contains(position) {
      try map(&row, position, table.shape)
    }
    if table.shape.name == "assignment", let position = table.shape.position(of: "variant_ids") {
      row[position] = try variantList(row[position])
    }
  }

  func map(_ row: inout [SQLValue], _ position: Int, _ shape: TableShape) throws {
    guard let parent = shape.columns[position].parent, case .integer(let id) = row[position] else { return }
    if parent == "blob" {
      row[position] = .integer(try blobs.take(id))
    } else if let known = ids[parent]?[id] {
      row[position] = .integer(known)
    } else {
      throw from.refusal("\(shape.name): \(shape.columns[position].name) \(id) points to no \(parent)")
    }
  }

  private func variantList(_ value: SQLValue) throws -> SQLValue {
    guard case .text(let text) = value, let list = try? JSONDecoder().decode([Int64?].self, from: Data(text.utf8))
    else {
      throw from.refusal("assignment: a list of variants is not a JSON array of numbers")
    }
    let mapped = try list.map { id -> String in
      guard let id else { return "null" }
      guard let known = ids["variant"]?[id] else {
        throw from.refusal("assignment: variant \(id) is not there")
      }
      return String(known)
    }
    return .text("[\(mapped.joined(separator: ","))]")
  }

  /// Inserts a row whose identity and shared columns hold our ids, or compares it with ours.
  func mergeRow(_ row: [SQLValue], _ table: MergedTable, theirs: [SQLValue]) throws {
    let shape = table.shape
    guard shape.hasID else { return try mergeKeyedRow(row, table) }
    if let ours = try self.row(ofIdentity: row, table), case .integer(let id) = ours[0] {
      note(theirs[0], id, shape)
      try compare(row, with: ours, table) { changes in try self.into.rows.update(shape.name, id: id, changes) }
      return
    }
    var row = row
    try mapRest(&row, table)
    let id = try into.rows.insert(shape.name, row: row)
    note(theirs[0], id, shape)
    report.count(shape.name, new: 1)
  }

  /// Inserts a row of ours that cannot be there.
  func insert(_ row: [SQLValue], _ table: MergedTable) throws {
    try into.rows.insert(table.shape.name, row: row)
    report.count(table.shape.name, new: 1)
  }

  /// For tables without a local id: one statement for the nearly always new row.
  private func mergeKeyedRow(_ row: [SQLValue], _ table: MergedTable) throws {
    var row = row
    try mapRest(&row, table)
    if try into.rows.insertIfNew(table.shape.name, row: row) {
      return report.count(table.shape.name, new: 1)
    }
    guard let ours = try self.row(ofIdentity: row, table) else {
      throw CatalogError.damaged("\(table.shape.name): a row that is there cannot be found")
    }
    try compare(row, with: ours, table) { _ in
      let (filter, values) = self.identity(row, table.shape)
      try self.into.connection.run("DELETE FROM \(table.shape.name) WHERE \(filter)", values)
      try self.into.rows.insert(table.shape.name, row: row)
    }
  }

  /// Counts, and lets theirs take our row's place if it is to.
  private func compare(
    _ row: [SQLValue], with ours: [SQLValue], _ table: MergedTable, replace: ([String: SQLValue]) throws -> Void
  ) throws {
    let shape = table.shape
    if shape.name == "job" { return try compareJobs(row, with: ours, table, replace) }
    guard table.shared.contains(where: { row[$0] != ours[$0] }) else {
      report.count(shape.name, equal: 1)
      return try fill(row, ours, table, replace)
    }
    report.count(shape.name, conflict: 1)
    guard try shape.name == "observation" ? isSmallerSum(row, ours, shape) : digest(row, table) < digest(ours, table)
    else { return }
    var row = row
    if shape.hasID { try mapRest(&row, table) }
    try replace(changes(row, ours, table, positions: Array(shape.columns.indices)))
  }

  /// What we lack and they have (a Hessian's matrix) comes along.
  private func fill(
    _ row: [SQLValue], _ ours: [SQLValue], _ table: MergedTable, _ replace: ([String: SQLValue]) throws -> Void
  ) throws {
    guard table.shape.hasID else { return }
    let empty = table.shape.columns.indices.filter { ours[$0] == .null && row[$0] != .null }
    var row = row
    // A blob that is here without its bytes gets them.
    for position in table.shape.columns.indices where !empty.contains(position) && !table.shared.contains(position) {
      if table.shape.columns[position].parent == "blob" { try map(&row, position, table.shape) }
    }
    guard !empty.isEmpty else { return }
    for position in empty where !table.shared.contains(position) { try map(&row, position, table.shape) }
    try replace(changes(row, ours, table, positions: empty))
  }

  /// The later state of a job is the truer one.
  private func compareJobs(
    _ row: [SQLValue], with ours: [SQLValue], _ table: MergedTable, _ replace: ([String: SQLValue]) throws -> Void
  ) throws {
    report.count("job", equal: 1)
    guard let position = table.shape.position(of: "updated_at"), case .text(let theirs) = row[position],
      case .text(let own) = ours[position], theirs > own
    else { return }
    try replace(changes(row, ours, table, positions: Array(table.shape.columns.indices)))
  }

  private func changes(_ row: [SQLValue], _ ours: [SQLValue], _ table: MergedTable, positions: [Int])
    -> [String: SQLValue]
  {
    var result: [String: SQLValue] = [:]
    for position in positions where !table.shape.identity.contains(position) && row[position] != ours[position] {
      let name = table.shape.columns[position].name
      // A model's name is the file's own.
      if name != "id", !(table.shape.name == "model" && name == "name") { result[name] = row[position] }
    }
    return result
  }

  private func note(_ theirs: SQLValue, _ ours: Int64, _ shape: TableShape) {
    if case .integer(let id) = theirs { ids[shape.name, default: [:]][id] = ours }
  }

  // MARK: Identity

  private func id(ofIdentity row: [SQLValue], _ table: MergedTable) throws -> Int64? {
    let (filter, values) = identity(row, table.shape)
    return try into.connection.integer("SELECT id FROM \(table.shape.name) WHERE \(filter)", values)
  }

  func row(ofIdentity row: [SQLValue], _ table: MergedTable) throws -> [SQLValue]? {
    let (filter, values) = identity(row, table.shape)
    let columns = table.shape.columns.map(\.name).joined(separator: ", ")
    return try into.connection.firstRow("SELECT \(columns) FROM \(table.shape.name) WHERE \(filter)", values) {
      $0.values
    }
  }

  private func identity(_ row: [SQLValue], _ shape: TableShape) -> (filter: String, values: [SQLValue]) {
    (
      shape.identity.map { "\(shape.columns[$0].name) IS ?" }.joined(separator: " AND "),
      shape.identity.map { row[$0] }
    )
  }

  /// The digest of a row's shared columns, with the identities of the rows they point to in the place of our ids.
  func digest(_ row: [SQLValue], _ table: MergedTable, positions: [Int]? = nil) throws -> Digest {
    let values = try (positions ?? table.shared).map { try portable(row[$0], $0, table.shape) }
    return SHA256.digest(of: RowBytes(values).bytes)
  }

  private func portable(_ value: SQLValue, _ position: Int, _ shape: TableShape) throws -> SQLValue {
    guard let parent = shape.columns[position].parent, case .integer(let id) = value,
      let parentShape = schema.table(parent)
    else { return value }
    let columns = parentShape.columns.map(\.name).joined(separator: ", ")
    let row = try into.connection.firstRow("SELECT \(columns) FROM \(parent) WHERE id = ?", [.integer(id)]) {
      $0.values
    }
    guard let row else { return .null }
    let values = try parentShape.identity.map { try portable(row[$0], $0, parentShape) }
    return .digest(SHA256.digest(of: RowBytes(values).bytes))
  }

  /// Of two answers by the same arithmetic the smaller one stays, and an answer rather than none.
  private func isSmallerSum(_ row: [SQLValue], _ ours: [SQLValue], _ shape: TableShape) -> Bool {
    guard let position = shape.position(of: "sum") else { return false }
    func rank(_ value: SQLValue) -> (Int, UInt64) {
      guard case .real(let sum) = value else { return (1, 0) }
      return (0, sum.bitPattern)
    }
    return rank(row[position]) < rank(ours[position])
  }
}
