import CSQLite

/// How much a user's statement may take.
public struct QueryLimits: Equatable, Sendable {
  /// Bytes that SQLite may take in this process: enough to sort a million rows, and no machine suffers from it.
  public var memoryByteCount: Int64 = 512 << 20
  /// Bytes of a text or blob. The longest that is stored is a chunk of 16 MiB, 32 MiB as hexadecimal text.
  public var longestValueByteCount: Int32 = 64 << 20

  /// Those of `evodb query`.
  public static let standard = QueryLimits()

  private init() {}

  /// Creates limits.
  public init(memoryByteCount: Int64, longestValueByteCount: Int32) {
    self.memoryByteCount = memoryByteCount
    self.longestValueByteCount = longestValueByteCount
  }
}

/// Holds a connection to reading, to modest statements and to a time limit while a user's statement runs.
///
/// The rules are those of sqlite.org/security.html for statements from elsewhere: an authorizer, lowered limits, and a
/// progress handler with a deadline. It guards from `init` until `remove()`, since a change of the schema makes SQLite
/// compile, and ask the authorizer, again in the middle of a statement.
final class QueryGuard {
  /// The action for which the first part of the statement was refused; nil: nothing was refused.
  private(set) var refusal: String?
  /// Whether the statement was stopped because its time was up.
  private(set) var isExpired = false
  /// Whether the statement was stopped because its caller wished so.
  private(set) var isStopped = false

  /// Bytes of all values of a row: each is copied and printed.
  static let longestRow = 64 << 20

  private let connection: Connection
  private let shouldStop: () -> Bool
  private var remaining: Duration
  private var deadline: ContinuousClock.Instant?
  private var formerLimits: [(Int32, Int32)] = []

  /// Every 1000 virtual machine instructions take some 50 µs: a deadline is kept closely, and looking costs nothing.
  private static let instructionsPerLook: Int32 = 1000

  private static let limits: [(Int32, Int32)] = [
    (SQLITE_LIMIT_SQL_LENGTH, 1 << 20),
    (SQLITE_LIMIT_COLUMN, 500),
    (SQLITE_LIMIT_EXPR_DEPTH, 250),
    (SQLITE_LIMIT_COMPOUND_SELECT, 100),
    (SQLITE_LIMIT_VDBE_OP, 250_000),
    (SQLITE_LIMIT_ATTACHED, 0),
    // LIKE and GLOB take time in the product of the lengths, and no progress handler looks at them.
    (SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 500),
    (SQLITE_LIMIT_VARIABLE_NUMBER, 1000),
    (SQLITE_LIMIT_TRIGGER_DEPTH, 1),
    (SQLITE_LIMIT_WORKER_THREADS, 0),
  ]

  init(_ connection: Connection, timeout: Duration, within sizes: QueryLimits, shouldStop: @escaping () -> Bool) {
    self.connection = connection
    self.shouldStop = shouldStop
    remaining = timeout
    // Of the whole process; nothing else that it does with SQLite while it reads needs as much.
    sqlite3_hard_heap_limit64(sizes.memoryByteCount)
    for (limit, value) in Self.limits + [(SQLITE_LIMIT_LENGTH, sizes.longestValueByteCount)] {
      formerLimits.append((limit, sqlite3_limit(connection.handle, limit, value)))
    }
    let own = Unmanaged.passUnretained(self).toOpaque()
    sqlite3_set_authorizer(
      connection.handle,
      { own, action, first, second, _, _ in
        guard let own else { return SQLITE_DENY }
        return Unmanaged<QueryGuard>.fromOpaque(own).takeUnretainedValue().decide(
          action, first.map { String(cString: $0) }, second.map { String(cString: $0) })
      }, own)
    sqlite3_progress_handler(
      connection.handle, Self.instructionsPerLook,
      { own in
        guard let own else { return 1 }
        return Unmanaged<QueryGuard>.fromOpaque(own).takeUnretainedValue().mustEnd() ? 1 : 0
      }, own)
  }

  /// Frees the connection again; must be called before the guard is let go.
  func remove() {
    sqlite3_set_authorizer(connection.handle, nil, nil)
    sqlite3_progress_handler(connection.handle, 0, nil, nil)
    for (limit, value) in formerLimits { sqlite3_limit(connection.handle, limit, value) }
  }

  /// Runs a part of the statement on its time: what the caller does between rows does not count.
  func timed<T>(_ body: () throws -> T) rethrows -> T {
    let start = ContinuousClock.now
    deadline = start + remaining
    defer {
      remaining -= ContinuousClock.now - start
      deadline = nil
    }
    return try body()
  }

  private func mustEnd() -> Bool {
    if shouldStop() {
      isStopped = true
      return true
    }
    guard let deadline, ContinuousClock.now >= deadline else { return false }
    isExpired = true
    return true
  }

  // MARK: - What is allowed

  /// Pragmas that only tell something and take no argument here.
  private static let plainPragmas: Set<String> = [
    "application_id", "collation_list", "compile_options", "data_version", "encoding", "freelist_count",
    "function_list", "journal_mode", "module_list", "page_count", "page_size", "pragma_list", "schema_version",
    "table_list", "user_version",
  ]

  /// Pragmas whose argument is the name of a table or an index.
  private static let describingPragmas: Set<String> = [
    "foreign_key_list", "index_info", "index_list", "index_xinfo", "table_info", "table_list", "table_xinfo",
  ]

  /// Functions that reach beyond the database in SQLite's own or the shell's builds.
  private static let refusedFunctions: Set<String> = [
    "edit", "eval", "fts3_tokenizer", "load_extension", "readfile", "sqlite_log", "writefile",
  ]

  private func decide(_ action: Int32, _ first: String?, _ second: String?) -> Int32 {
    let wish: String
    let isSchema = first == "sqlite_master" || first == "sqlite_temp_master"
    switch action {
    case SQLITE_SELECT, SQLITE_READ, SQLITE_RECURSIVE: return SQLITE_OK
    // The first use of json_each or another built-in table compiles, and throws away, an update of the schema. A real one
    // is refused by SQLite itself, and by the connection, which can only read.
    case SQLITE_UPDATE where isSchema: return SQLITE_OK
    case SQLITE_INSERT where isSchema, SQLITE_DELETE where isSchema: wish = "to change the schema"
    case SQLITE_FUNCTION:
      let name = (second ?? "").lowercased()
      if !Self.refusedFunctions.contains(name) { return SQLITE_OK }
      wish = "the function \(name)"
    case SQLITE_PRAGMA:
      let name = (first ?? "").lowercased()
      if (second == nil ? Self.plainPragmas : Self.describingPragmas).contains(name) { return SQLITE_OK }
      wish = second == nil ? "PRAGMA \(name)" : "PRAGMA \(name) with a value"
    case SQLITE_ATTACH: wish = "ATTACH"
    case SQLITE_DETACH: wish = "DETACH"
    case SQLITE_INSERT: wish = "to insert rows"
    case SQLITE_UPDATE: wish = "to update rows"
    case SQLITE_DELETE: wish = "to delete rows"
    case SQLITE_TRANSACTION, SQLITE_SAVEPOINT: wish = "transactions"
    case SQLITE_ANALYZE: wish = "ANALYZE"
    case SQLITE_REINDEX: wish = "REINDEX"
    default: wish = "to change the schema"
    }
    if refusal == nil { refusal = wish }
    return SQLITE_DENY
  }
}
