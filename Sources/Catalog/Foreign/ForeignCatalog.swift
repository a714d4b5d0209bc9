import Foundation

/// Somebody else's catalog, read as what it may be: made to do harm.
///
/// A connection of its own that only reads, small limits, a deadline, no view, trigger or virtual table of theirs; the
/// schema is compared with ours object by object before any row is read; every row is checked for its types, its own
/// check and the order of its table, and everything that follows from other rows is recomputed.
package final class ForeignCatalog {
  let path: String
  private let connection: Connection
  private let guardian: ForeignGuard
  private let timeLimit: Duration

  /// Opens the file, compares its schema and takes hold of one consistent state of it.
  ///
  /// - Parameters:
  ///   - timeLimit: for all reading; nil: 5 minutes and a second per MiB.
  ///   - wantsToStop: asked now and then.
  /// - Throws: `CatalogError.notFound`, `.untrusted`, `.newerSchema`, `.olderSchema`, `.notACatalog`, `.busy`, `.interrupted`,
  ///   `SQLiteError`.
  package init(path: String, timeLimit: Duration? = nil, wantsToStop: @escaping () -> Bool = { false }) throws {
    let file: CatalogFile
    do {
      file = try CatalogFile(existing: path)
    } catch CatalogError.missing {
      throw CatalogError.notFound("\(path): no such file")
    }
    let size = FileSystem.byteCount(of: file.path) ?? 0
    guard size > 0 else { throw CatalogError.notACatalog(path: path, reason: "it is empty") }
    if let network = FileSystem.networkName(of: file.path) { try CatalogStore.refuseReading(file, on: network) }
    let limit = timeLimit ?? .seconds(300 + size >> 20)
    self.path = path
    self.timeLimit = limit
    do {
      connection = try Connection(path: file.path, access: .readOnly, busyTimeoutMilliseconds: 5000)
      try connection.requireOwnLog(of: file)
      guardian = try ForeignGuard(connection, deadline: .now + limit, wantsToStop: wantsToStop)
    } catch {
      throw Self.translated(error, path: path, guardian: nil, limit: limit)
    }
    try takeHold()
  }

  /// Lets go of the state of the file, which others may then change; `reread` has to follow.
  package func letGo() throws {
    if connection.isInTransaction { try connection.execute("ROLLBACK") }
  }

  /// Takes hold of the state in which the file is now, with all the checks of opening it.
  ///
  /// - Throws: what `init` throws.
  package func reread() throws {
    guardian.deadline = .now + timeLimit
    try takeHold()
  }

  private func takeHold() throws {
    try guarded {
      try connection.execute("BEGIN")
      try compareMarks()
      try compareSchema()
    }
  }

  /// Recomputes every key of every row; the bytes of blobs are hashed when they are copied.
  ///
  /// - Throws: `CatalogError.untrusted` naming the first wrong row.
  func checkKeys() throws {
    let keys = RowKeys(CatalogTransaction(connection: connection, rows: RowWriter(connection)))
    try guarded {
      for table in RowKeys.tables {
        try keys.check(table) { throw $0 }
        try checkTime()
      }
    }
  }

  /// Calls `body` with the values of every row, in the columns' order without `row_check`, each row checked by itself.
  ///
  /// - Parameter filter: the condition behind WHERE; `values` are those of its parameters.
  /// - Throws: `CatalogError.untrusted`, and what `body` throws.
  func forEachRow(
    of table: TableDescription, where filter: String? = nil, _ values: [SQLValue] = [],
    _ body: ([SQLValue]) throws -> Void
  ) throws {
    let columns = table.columns.map(\.name) + (table.hasRowCheck ? ["row_check"] : [])
    var sql = "SELECT \(columns.joined(separator: ", ")) FROM \(table.name)"
    if let filter { sql += " WHERE \(filter)" }
    if !table.order.isEmpty {
      sql += " ORDER BY \(table.order.map { table.columns[$0].name }.joined(separator: ", "))"
    }
    let statement = try guarded { try self.statement(sql) }
    defer { statement.reset() }
    try guarded { try statement.bind(values) }
    var previous: [SQLValue]?
    var count = 0
    while try guarded({ try statement.step() }) {
      var row: [SQLValue] = []
      row.reserveCapacity(columns.count)
      for index in columns.indices {
        guard let value = statement.strictValue(index) else {
          throw refusal("\(table.name): \(columns[index]) is not UTF-8")
        }
        row.append(value)
      }
      let check = table.hasRowCheck ? row.removeLast() : nil
      let bytes = RowBytes(row)
      if let check, check != .integer(bytes.check) {
        throw refusal("\(table.name): the row check of \(describe(row, table)) is not that of its values")
      }
      if let (column, problem) = table.violation(of: bytes) {
        throw refusal("\(table.name): \(column) of \(describe(row, table)) \(problem)")
      }
      // A tree of pages that leads to the same rows again and again would never end.
      if let previous, !precedes(previous, row, table.order) {
        throw refusal("\(table.name): its rows are not in order")
      }
      previous = row
      count += 1
      if count % 256 == 0 { try checkTime() }
      try body(row)
    }
  }

  /// The integers that a query over tables gives.
  func integers(_ sql: String) throws -> [Int64] {
    try guarded { try connection.integers(sql) }
  }

  /// - Throws: `CatalogError.interrupted` or `.untrusted` when reading has to end.
  func checkTime() throws {
    // SQLITE_INTERRUPT, as SQLite itself ends a statement.
    if guardian.mustStop() { throw translated(SQLiteError(code: 9, message: "interrupted", sql: nil)) }
  }

  /// The error that says why the file is refused.
  func refusal(_ detail: String, remedy: Remedy? = nil) -> CatalogError {
    .untrusted(path: path, detail: detail, remedy: remedy)
  }

  // MARK: Rules

  private func compareMarks() throws {
    guard try connection.integer("PRAGMA application_id") == CatalogSchema.applicationID else {
      throw CatalogError.notACatalog(path: path, reason: "an SQLite file of another application")
    }
    let version = try connection.integer("PRAGMA user_version") ?? 0
    guard version <= CatalogSchema.version else {
      throw CatalogError.newerSchema(path: path, found: version, supported: CatalogSchema.version)
    }
    guard version == CatalogSchema.version else {
      // 0 is what a file without any version has.
      guard version <= 0 else {
        throw CatalogError.olderSchema(path: path, found: version, supported: CatalogSchema.version)
      }
      throw refusal("its schema has version \(version), not \(CatalogSchema.version)")
    }
    guard try connection.text("PRAGMA encoding") == "UTF-8" else {
      throw refusal("its texts are not UTF-8")
    }
  }

  private func compareSchema() throws {
    let theirs = try SchemaShape.objects(of: connection)
    let ours = try SchemaShape.own().objects
    var missing = Set(ours)
    for object in theirs {
      guard missing.remove(object) == nil else { continue }
      let known = ours.contains { $0.name == object.name }
      throw refusal("the \(object.type) \(object.name) is \(known ? "not defined as ours" : "none of ours")")
    }
    if let object = missing.min(by: { $0.name < $1.name }) {
      throw refusal("the \(object.type) \(object.name) is missing")
    }
  }

  private func precedes(_ a: [SQLValue], _ b: [SQLValue], _ order: [Int]) -> Bool {
    for position in order {
      switch (a[position], b[position]) {
      case (.integer(let x), .integer(let y)):
        if x != y { return x < y }
      case (.text(let x), .text(let y)):
        if x != y { return x.utf8.lexicographicallyPrecedes(y.utf8) }
      case (.blob(let x), .blob(let y)):
        if x != y { return x.lexicographicallyPrecedes(y) }
      default: return false
      }
    }
    return order.isEmpty
  }

  /// A row by its identity, short.
  private func describe(_ row: [SQLValue], _ table: TableDescription) -> String {
    let positions = table.hasID ? [0] : table.identity
    let words = positions.map { position -> String in
      switch row[position] {
      case .null: return "NULL"
      case .integer(let value): return "\(value)"
      case .real(let value): return "\(value)"
      case .text(let value): return String(value.prefix(40))
      case .blob(let bytes): return Hexadecimal.string(bytes.prefix(6)) + "…"
      }
    }
    return "row \(words.joined(separator: "/"))"
  }

  // MARK: Errors

  private var statements: [String: Statement] = [:]

  private func statement(_ sql: String) throws -> Statement {
    if let statement = statements[sql] { return statement }
    let statement = try Statement(sql, on: connection)
    statements[sql] = statement
    return statement
  }

  private func guarded<T>(_ body: () throws -> T) throws -> T {
    do {
      return try body()
    } catch {
      throw translated(error)
    }
  }

  private func translated(_ error: any Error) -> any Error {
    Self.translated(error, path: path, guardian: guardian, limit: timeLimit)
  }

  private static func translated(_ error: any Error, path: String, guardian: ForeignGuard?, limit: Duration)
    -> any Error
  {
    switch error {
    case let defect as RowDefect: return CatalogError.untrusted(path: path, detail: defect.description)
    case CatalogError.damaged(let detail): return CatalogError.untrusted(path: path, detail: detail)
    case let error as SQLiteError:
      if guardian?.isCancelled == true {
        return CatalogError.interrupted("stopped; nothing was changed: run the same command again")
      }
      if guardian?.isExpired == true {
        return CatalogError.untrusted(path: path, detail: "reading it takes more than \(limit)")
      }
      if error.isBusy { return CatalogError.busy(path: path, reason: "another program holds it (\(error.message))") }
      if error.isNoDatabase { return CatalogError.notACatalog(path: path, reason: error.message) }
      if error.needsRecovery {
        return CatalogError.busy(
          path: path,
          reason: "a killed process left a change half done", remedy: .recoverCatalog(path: path))
      }
      if error.isPermission || (error.isStorageFailure && !error.isShortRead) { return error }
      return CatalogError.untrusted(path: path, detail: error.brokenRule ?? error.message)
    default: return error
    }
  }
}
