import CSQLite

/// One hardened SQLite connection. It belongs to one thread at a time: `CatalogStore` guards it with a lock.
final class Connection {
  enum Access {
    /// Read and write an existing file.
    case readWrite
    /// Read, write, and make the file if it is not there.
    case create
    /// `mode=ro`; never `immutable=1`, which would read past a writer's locks.
    case readOnly
  }

  /// The version of the SQLite library: 3_037_000 for 3.37.0.
  static var libraryVersion: Int32 { sqlite3_libversion_number() }
  /// The version of the SQLite library, for people.
  static var libraryVersionText: String { String(cString: sqlite3_libversion()) }

  let handle: OpaquePointer
  let path: String
  private let identity: FileIdentity?
  private var statements: [String: Statement] = [:]

  /// - Throws: `SQLiteError`.
  init(path: String, access: Access, busyTimeoutMilliseconds: Int32) throws {
    var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE
    switch access {
    case .readWrite: flags |= SQLITE_OPEN_READWRITE
    case .create: flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
    case .readOnly: flags |= SQLITE_OPEN_READONLY
    }
    var handle: OpaquePointer?
    // A library built with SQLITE_USE_URI would take file:… for an address, and every one knows :memory:.
    let isAddress = path.hasPrefix("file:") || path.hasPrefix(":")
    let code = sqlite3_open_v2(isAddress ? "./" + path : path, &handle, flags, nil)
    guard code == SQLITE_OK, let handle else {
      let message = handle.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
      sqlite3_close_v2(handle)
      throw SQLiteError(code: code, message: message, sql: nil, path: path)
    }
    self.handle = handle
    self.path = path
    // Nothing is locked yet: locks come with the first statement that reads.
    identity = path.isEmpty ? nil : FileIdentity(ofPath: isAddress ? "./" + path : path)
    if let identity { DatabaseDescriptors.shared.connectionOpened(identity) }
    sqlite3_busy_timeout(handle, busyTimeoutMilliseconds)
    // Defence against hostile files (sqlite.org/security.html): no writable schema, no functions with side effects from
    // views, no double-quoted strings, checked page cells. And closing changes nothing: checkpoints are the writer's.
    let settings: [(Int32, Int32)] = [
      (SQLITE_DBCONFIG_DEFENSIVE, 1), (SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0), (SQLITE_DBCONFIG_DQS_DML, 0),
      (SQLITE_DBCONFIG_DQS_DDL, 0), (SQLITE_DBCONFIG_ENABLE_FKEY, 1), (SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0),
      (SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1),
    ]
    for (option, value) in settings {
      let code = evodb_sqlite3_db_config_flag(handle, option, value)
      guard code == SQLITE_OK else { throw error(code, sql: nil) }
    }
    try execute("PRAGMA cell_size_check = ON")
  }

  deinit {
    statements.removeAll()
    sqlite3_close_v2(handle)
    if let identity { DatabaseDescriptors.shared.connectionClosed(identity) }
  }

  /// Forgets all prepared statements, so that none keeps a read lock.
  func forgetStatements() { statements.removeAll() }

  func error(_ code: Int32, sql: String?) -> SQLiteError {
    SQLiteError(
      code: sqlite3_extended_errcode(handle) == SQLITE_OK ? code : sqlite3_extended_errcode(handle),
      message: String(cString: sqlite3_errmsg(handle)), sql: sql, path: path)
  }

  /// Whether a transaction is open: SQLite itself ends one after some errors.
  var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

  /// Rows that the last statement inserted, changed or deleted.
  var changeCount: Int { Int(sqlite3_changes(handle)) }

  func setBusyTimeout(milliseconds: Int32) { sqlite3_busy_timeout(handle, milliseconds) }

  /// Runs a script of statements without results.
  func execute(_ script: String) throws {
    let code = sqlite3_exec(handle, script, nil, nil, nil)
    guard code == SQLITE_OK else { throw error(code, sql: script) }
  }

  /// Runs one statement; prepared once and kept.
  func run(_ sql: String, _ values: [SQLValue] = []) throws {
    let statement = try cached(sql)
    defer { statement.reset() }
    try statement.bind(values)
    while try statement.step() {}
  }

  /// Calls `body` for every row of a query.
  func forEachRow(_ sql: String, _ values: [SQLValue] = [], _ body: (Row) throws -> Void) throws {
    let statement = try cached(sql)
    defer { statement.reset() }
    try statement.bind(values)
    while try statement.step() { try body(Row(statement: statement)) }
  }

  /// All rows of a query, transformed.
  func allRows<T>(_ sql: String, _ values: [SQLValue] = [], _ body: (Row) throws -> T) throws -> [T] {
    var result: [T] = []
    try forEachRow(sql, values) { result.append(try body($0)) }
    return result
  }

  /// The transformed first row of a query; nil if there is none.
  func firstRow<T>(_ sql: String, _ values: [SQLValue] = [], _ body: (Row) throws -> T) throws -> T? {
    let statement = try cached(sql)
    defer { statement.reset() }
    try statement.bind(values)
    guard try statement.step() else { return nil }
    return try body(Row(statement: statement))
  }

  /// The integer in the first row of a query with one column; nil for NULL, or without a row.
  func integer(_ sql: String, _ values: [SQLValue] = []) throws -> Int64? {
    try firstRow(sql, values) { try Int64?($0.statement, 0) } ?? nil
  }

  /// The text in the first row of a query with one column; nil for NULL, or without a row.
  func text(_ sql: String, _ values: [SQLValue] = []) throws -> String? {
    try firstRow(sql, values) { try String?($0.statement, 0) } ?? nil
  }

  /// The integers of a query with one column; 0 for NULL.
  func integers(_ sql: String, _ values: [SQLValue] = []) throws -> [Int64] {
    try allRows(sql, values) { $0.statement.integer(0) }
  }

  /// The texts of a query with one column; empty for NULL.
  func texts(_ sql: String, _ values: [SQLValue] = []) throws -> [String] {
    try allRows(sql, values) { $0.statement.text(0) }
  }

  /// A WAL checkpoint that truncates the log; false if a reader stands in the way (it never waits).
  func checkpoint() throws -> Bool {
    let code = sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
    if code & 0xff == SQLITE_BUSY || code & 0xff == SQLITE_LOCKED { return false }
    guard code == SQLITE_OK else { throw error(code, sql: "wal_checkpoint(TRUNCATE)") }
    return true
  }

  /// The texts of all statements prepared so far.
  var statementTexts: [String] { statements.keys.sorted() }

  private func cached(_ sql: String) throws -> Statement {
    if let statement = statements[sql] { return statement }
    let statement = try Statement(sql, on: self)
    statements[sql] = statement
    return statement
  }
}
