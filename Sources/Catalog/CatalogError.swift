/// Everything that can go wrong between evodb and its file, apart from what SQLite itself reports (`SQLiteError`).
public enum CatalogError: Remediable, Equatable, Sendable, CustomStringConvertible {
  /// There is no file at this path.
  case missing(path: String)
  /// A new catalog would overwrite a file.
  case exists(path: String)
  /// A new file would take the place of a link that leads to no file.
  case danglingLink(path: String, target: String)
  /// SQLite or the file system does not take a path as long as this.
  case pathTooLong(path: String, detail: String)
  /// The file that is to be written has several names (hard links).
  case severalNames(path: String, count: Int, given: String)
  /// The file lacks its write-ahead log, or lies beside that of another file.
  case wrongLog(path: String, detail: String, remedy: Remedy? = nil)
  /// The file was removed, renamed or replaced while it was being written; `detail` says where the rows are.
  case displaced(path: String, detail: String, remedy: Remedy? = nil)
  /// The file is no catalog of ours: another application's, no database, or one of a development build.
  case notACatalog(path: String, reason: String, remedy: Remedy? = nil)
  /// The file was made by a newer evodb.
  case newerSchema(path: String, found: Int64, supported: Int64)
  /// The file was made by an older evodb and can be upgraded.
  case olderSchema(path: String, found: Int64, supported: Int64)
  /// The system's SQLite is too old.
  case oldSQLite(version: String, required: String)
  /// Another process is writing; `owner` says who.
  case locked(path: String, owner: String)
  /// Readers hold the file so that it cannot be opened for writing now.
  case busy(path: String, reason: String, remedy: Remedy = .runAgain)
  /// Stored content contradicts itself.
  case damaged(String)
  /// Somebody else's file breaks the rules of a catalog; nothing was taken from it.
  case untrusted(path: String, detail: String, remedy: Remedy? = nil)
  /// The user stopped it; nothing was changed.
  case interrupted(String)
  /// A name, id or digest prefix that names nothing, or more than one thing.
  case notFound(String, remedy: Remedy? = nil)
  /// A name that a catalog does not take.
  case invalidName(String)
  /// A name is taken by something else.
  case nameTaken(String, remedy: Remedy? = nil)
  /// A file operation beside the database failed.
  case inputOutput(path: String, detail: String)
  /// The operating system does not permit a file operation beside the database.
  case notPermitted(path: String, detail: String, remedy: Remedy? = nil)
  /// A user's statement would do more than read, or is not one statement with all its parameters.
  case refusedQuery(String)
  /// A user's statement is wrong, in SQLite's words.
  case invalidQuery(String)
  /// A user's statement took longer than it was given.
  case queryTimedOut(seconds: Double)
  /// A user's statement, or a row of it, is too large.
  case queryTooLarge(String)
  /// A user's statement was stopped by the user.
  case queryStopped

  /// A sentence that says what is wrong, the value received, and what to do where no command does it.
  public var description: String {
    switch self {
    case .missing(let path): return "\(path): no such file"
    case .exists(let path): return "\(path): already there; nothing was changed"
    case .danglingLink(let path, let target):
      return "\(path): a link to \(target), where there is no file; nothing was changed: name the place itself, or "
        + "remove the link"
    case .pathTooLong(let path, let detail):
      let shown = path.utf8.count > 120 ? "…" + path.suffix(100) : path
      return "\(shown): \(detail); a catalog's real path may have at most \(CatalogFile.mostPathBytes) bytes and its "
        + "name \(CatalogFile.mostNameBytes), or SQLite cannot keep its log beside it: use a shorter path"
    case .severalNames(let path, let count, let given):
      return "\(path): has \(count) names (hard links), and its log would be found under one of them only; it can be "
        + "read, but written only when it has one: remove the others (find FOLDER -samefile \(ShellWord.quoted(given)))"
    case .wrongLog(let path, let detail, _), .displaced(let path, let detail, _): return "\(path): \(detail)"
    case .notACatalog(let path, let reason, _): return "\(path): not an evodb catalog: \(reason)"
    case .newerSchema(let path, let found, let supported):
      return "\(path): made by a newer evodb (schema \(found), this one knows \(supported)); install the newer version"
    case .olderSchema(let path, let found, let supported):
      return "\(path): made by an older evodb (schema \(found), this one works with \(supported))"
    case .oldSQLite(let version, let required):
      return "the system's SQLite is \(version), evodb needs \(required) or newer"
    case .locked(let path, let owner): return "\(path): in use by \(owner); run again when it has ended"
    case .busy(let path, let reason, _): return "\(path): \(reason)"
    case .damaged(let detail): return "damaged catalog: \(detail)"
    case .untrusted(let path, let detail, _): return "\(path): refused: \(detail); nothing was taken from it"
    case .interrupted(let detail): return detail
    case .notFound(let detail, _), .nameTaken(let detail, _), .invalidName(let detail): return detail
    case .inputOutput(let path, let detail), .notPermitted(let path, let detail, _): return "\(path): \(detail)"
    case .refusedQuery(let detail): return "query refused: \(detail)"
    case .invalidQuery(let message): return "SQL error: \(message)"
    case .queryTooLarge(let detail): return "the query is too large: \(detail); narrow it"
    case .queryStopped: return "stopped; a query changes nothing"
    case .queryTimedOut(let seconds):
      return "the query took more than \(seconds) s and was stopped; narrow it"
    }
  }

  /// The command that helps; nil: none does.
  public var remedy: Remedy? {
    switch self {
    case .missing(let path): return .makeCatalog(path: path)
    case .severalNames(_, _, let given): return .copyCatalog(path: given)
    case .olderSchema(let path, _, _): return .upgradeCatalog(path: path)
    case .damaged: return .mendCatalog
    case .queryTimedOut: return .allowMoreTime
    case .busy(_, _, let remedy): return remedy
    case .wrongLog(_, _, let remedy), .displaced(_, _, let remedy), .notACatalog(_, _, let remedy),
      .untrusted(_, _, let remedy), .notPermitted(_, _, let remedy), .notFound(_, let remedy),
      .nameTaken(_, let remedy):
      return remedy
    case .exists, .danglingLink, .pathTooLong, .newerSchema, .oldSQLite, .locked, .interrupted, .invalidName,
      .inputOutput, .refusedQuery, .invalidQuery, .queryTooLarge, .queryStopped:
      return nil
    }
  }
}
