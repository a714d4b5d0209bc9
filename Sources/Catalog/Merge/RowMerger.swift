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
  private let progress: (String) -> Void

  /// - Parameter progress: gets the table that is being merged.
  init(into: CatalogTransaction, from: ForeignCatalog, progress: @escaping (String) -> Void) throws {
    self.into = into
    self.from = from
    self.progress = progress
    blobs = BlobMerger(into: into, from: from)
  }

  /// Merges everything.
  func run() throws {
    do {
      try mergeAll()
    } catch let error as SQLiteError {
      guard let rule = error.brokenRule else { throw error }
      // A row that breaks a rule of the table is theirs to mend, unless ours cannot be found by their keys.
      if let finding = try ownFinding() { throw CatalogError.damaged("\(into.connection.path): \(finding)") }
      throw from.refusal(rule, remedy: .verifyCatalog(path: from.path))
    }
  }

  /// The first finding of SQLite's integrity check on the target file; nil: none.
  private func ownFinding() throws -> String? {
    try into.connection.text("PRAGMA integrity_check(1)").flatMap { $0 == "ok" ? nil : $0 }
  }

  private func mergeAll() throws {
    let runs = RunMerger(self)
    for table in TableDescription.all {
      progress(table.name)
      try from.checkTime()
      switch table.name {
      // They come along with the rows that point to them.
      case "blob", "blob_chunk": continue
      case "run": try runs.mergeRuns()
      case "generation": try runs.mergeGenerations()
      default: if table.isMerged, !table.isOfGeneration { try merge(table) }
      }
    }
    try runs.mergeOrigins()
    report.count("blob", new: blobs.newCount, equal: blobs.equalCount)
  }

  private func merge(_ table: TableDescription) throws {
    report.count(table.name)
    let names = MergedNames(table, into: into)
    try from.forEachRow(of: table) { theirs in
      var row = try self.mapped(theirs, table)
      if let names, let naming = table.naming {
        // A row that this catalog has already keeps its name.
        let isNamedByKey = table.identity.contains(table[naming.column])
        if try isNamedByKey || self.row(ofIdentity: row, table) == nil {
          let claim = try names.claim(row)
          row = claim.row
          self.report.notes += claim.notes
        }
      }
      try self.mergeRow(row, table, theirs: theirs)
    }
  }

  // MARK: Rows

  /// A row of theirs with our ids in its references; those that only come along with a new row are left as they are.
  func mapped(_ row: [SQLValue], _ table: TableDescription) throws -> [SQLValue] {
    var row = row
    for position in table.identity { try map(&row, position, table) }
    for position in table.shared { try map(&row, position, table) }
    return row
  }

  /// Replaces what `mapped` left.
  private func mapRest(_ row: inout [SQLValue], _ table: TableDescription) throws {
    for position in table.accompanying { try map(&row, position, table) }
  }

  func map(_ row: inout [SQLValue], _ position: Int, _ table: TableDescription) throws {
    switch table.columns[position].reference {
    case nil: return
    case .list(let listed): row[position] = try list(row[position], of: listed, table)
    case .row(let parent):
      guard case .integer(let id) = row[position] else { return }
      if parent == "blob" {
        row[position] = .integer(try blobs.take(id))
      } else if let known = ids[parent]?[id] {
        row[position] = .integer(known)
      } else {
        throw from.refusal("\(table.name): \(table.columns[position].name) \(id) points to no \(parent)")
      }
    }
  }

  private func list(_ value: SQLValue, of listed: String, _ table: TableDescription) throws -> SQLValue {
    guard case .text(let text) = value, let list = try? JSONDecoder().decode([Int64?].self, from: Data(text.utf8))
    else { throw from.refusal("\(table.name): a list of \(listed)s is not a JSON array of numbers") }
    let mapped = try list.map { id -> String in
      guard let id else { return "null" }
      guard let known = ids[listed]?[id] else { throw from.refusal("\(table.name): \(listed) \(id) is not there") }
      return String(known)
    }
    return .text("[\(mapped.joined(separator: ","))]")
  }

  /// Inserts a row whose identity and shared columns hold our ids, or compares it with ours.
  private func mergeRow(_ row: [SQLValue], _ table: TableDescription, theirs: [SQLValue]) throws {
    guard table.hasID else { return try mergeKeyedRow(row, table) }
    if let ours = try self.row(ofIdentity: row, table), case .integer(let id) = ours[0] {
      note(theirs[0], id, table)
      return try compare(row, with: ours, table) { changes in try self.into.rows.update(table, id: id, changes) }
    }
    var row = row
    try mapRest(&row, table)
    let id = try into.rows.insert(table, row: row)
    note(theirs[0], id, table)
    report.count(table.name, new: 1)
  }

  /// Inserts a row of ours that cannot be there.
  func insert(_ row: [SQLValue], _ table: TableDescription) throws {
    try into.rows.insert(table, row: row)
    report.count(table.name, new: 1)
  }

  /// For tables without a local id: one statement for the nearly always new row.
  private func mergeKeyedRow(_ row: [SQLValue], _ table: TableDescription) throws {
    var row = row
    try mapRest(&row, table)
    if try into.rows.insertIfNew(table, row: row) { return report.count(table.name, new: 1) }
    guard let ours = try self.row(ofIdentity: row, table) else {
      throw CatalogError.damaged("\(table.name): a row that is there cannot be found")
    }
    try compare(row, with: ours, table) { _ in
      try self.into.connection.run(
        "DELETE FROM \(table.name) WHERE \(table.identityCondition)", table.values(row, at: table.identity))
      try self.into.rows.insert(table, row: row)
    }
  }

  /// Counts, and lets theirs take our row's place if it is to.
  private func compare(
    _ row: [SQLValue], with ours: [SQLValue], _ table: TableDescription, replace: ([String: SQLValue]) throws -> Void
  ) throws {
    let replaces: Bool
    if case .later(let column) = table.winner {
      report.count(table.name, equal: 1)
      replaces = isLater(row[table[column]], than: ours[table[column]])
    } else if table.shared.contains(where: { row[$0] != ours[$0] }) {
      if let place = table.agreed.first(where: { row[$0] != ours[$0] }) {
        // Every row that was computed of it would get a key that is not its own.
        throw from.refusal(
          "\(table.name): \(table.columns[place].name) is \(Self.shown(row[place])) there and \(Self.shown(ours[place])) "
            + "here, so that results of the two are not comparable")
      }
      report.count(table.name, conflict: 1)
      if case .smaller(let column) = table.winner {
        replaces = isSmaller(row[table[column]], than: ours[table[column]])
      } else {
        replaces = try digest(row, table) < digest(ours, table)
      }
    } else {
      report.count(table.name, equal: 1)
      return try fill(row, ours, table, replace)
    }
    guard replaces else { return }
    var row = row
    if table.hasID { try mapRest(&row, table) }
    try replace(changes(row, ours, table, positions: Array(table.columns.indices)))
  }

  private static func shown(_ value: SQLValue) -> String {
    switch value {
    case .text(let text): "‘\(text)’"
    case .integer(let number): "\(number)"
    default: "something else"
    }
  }

  /// Takes over values that our row lacks and theirs has, such as a Hessian's matrix.
  private func fill(
    _ row: [SQLValue], _ ours: [SQLValue], _ table: TableDescription, _ replace: ([String: SQLValue]) throws -> Void
  ) throws {
    guard table.hasID else { return }
    let empty = table.accompanying.filter { ours[$0] == .null && row[$0] != .null }
    var row = row
    // A blob that is here without its bytes gets them.
    for position in table.accompanying where empty.contains(position) || table.columns[position].parent == "blob" {
      try map(&row, position, table)
    }
    guard !empty.isEmpty else { return }
    try replace(changes(row, ours, table, positions: empty))
  }

  private func changes(_ row: [SQLValue], _ ours: [SQLValue], _ table: TableDescription, positions: [Int])
    -> [String: SQLValue]
  {
    var result: [String: SQLValue] = [:]
    for position in positions where row[position] != ours[position] {
      let column = table.columns[position]
      // A name is the file's own.
      if column.scope != .key, column.scope != .local, column.name != table.naming?.column {
        result[column.name] = row[position]
      }
    }
    return result
  }

  private func note(_ theirs: SQLValue, _ ours: Int64, _ table: TableDescription) {
    if case .integer(let id) = theirs { ids[table.name, default: [:]][id] = ours }
  }

  // MARK: Identity

  private func row(ofIdentity row: [SQLValue], _ table: TableDescription) throws -> [SQLValue]? {
    try into.connection.firstRow(
      "SELECT \(table.columnList) FROM \(table.name) WHERE \(table.identityCondition)",
      table.values(row, at: table.identity)
    ) { $0.values }
  }

  /// The digest of a row's shared columns, with the identities of the rows they point to in the place of our ids.
  func digest(_ row: [SQLValue], _ table: TableDescription, positions: [Int]? = nil) throws -> Digest {
    let values = try (positions ?? table.shared).map { try portable(row[$0], table.columns[$0]) }
    return SHA256.digest(of: RowBytes(values).bytes)
  }

  private func portable(_ value: SQLValue, _ column: ColumnDescription) throws -> SQLValue {
    guard let name = column.parent, case .integer(let id) = value else { return value }
    let parent = TableDescription.named(name)
    let row = try into.connection.firstRow(
      "SELECT \(parent.columnList) FROM \(name) WHERE id = ?", [.integer(id)]
    ) { $0.values }
    guard let row else { return .null }
    let values = try parent.identity.map { try portable(row[$0], parent.columns[$0]) }
    return .digest(SHA256.digest(of: RowBytes(values).bytes))
  }

  // MARK: Winners

  /// Of two answers by the same arithmetic the smaller one stays, and an answer rather than none.
  private func isSmaller(_ a: SQLValue, than b: SQLValue) -> Bool {
    func rank(_ value: SQLValue) -> (Int, UInt64) {
      guard case .real(let number) = value else { return (1, 0) }
      return (0, number.bitPattern)
    }
    return rank(a) < rank(b)
  }

  /// The later state of a job is the truer one.
  private func isLater(_ a: SQLValue, than b: SQLValue) -> Bool {
    guard case .text(let a) = a, case .text(let b) = b else { return false }
    return a > b
  }
}
