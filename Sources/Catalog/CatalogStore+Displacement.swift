import Foundation

extension CatalogStore {
  /// Saves everything committed when the catalog, or its log, is not in its place any more, so that the work can stop without
  /// losing a row.
  ///
  /// - Returns: the error that says where the rows are and how to go on.
  static func settled(
    _ change: FilePlace.Change, of place: FilePlace, through connection: Connection
  ) -> CatalogError {
    let file = place.file
    connection.forgetStatements()
    // A removed file needs a copy; one that is whole under a name needs none, unless a reader keeps its log in use.
    let isFolded = place.ownsLogName && foldIn(connection)
    let saved: Result<String, any Error>?
    switch change {
    case .renamed where isFolded, .logLost where isFolded: saved = nil
    default: saved = Result { try rescued(file, through: connection) }
    }
    let newPlace: String?
    if case .renamed(let path) = change { newPlace = path } else { newPlace = nil }
    if isFolded { place.removeParts(movedTo: newPlace) }

    let what: String
    switch change {
    case .removed: what = "was removed while it was being written"
    case .replaced: what = "was replaced by another file while it was being written"
    case .renamed(let path): what = "was renamed to \(path) while it was being written"
    case .logLost(let log): what = "lost its \((log as NSString).lastPathComponent) while it was being written"
    }
    let rest: String
    var remedy: Remedy?
    switch (saved, change) {
    case (nil, .renamed(let path)): rest = "all rows are in \(path): go on with that name"
    case (nil, _): rest = "all rows are in the file itself: run the same command again"
    case (.success(let copy), .replaced):
      rest = "all rows are in \(copy): go on with that; the file that is there now was not changed"
    case (.success(let copy), .removed):
      rest =
        "all rows are in \(copy): to go on, "
        + "mv \(ShellWord.quoted(copy)) \(ShellWord.quoted(file.given)) and run the same command again"
    case (.success(let copy), _):
      rest = "all rows are in \(copy): go on with that; move \(file.shown("")) away"
    case (.failure(let error), _):
      rest = "its rows could not be saved: \(error)"
      remedy = (error as? any Remediable)?.remedy
    }
    return .displaced(path: file.name, detail: "\(what); \(rest)", remedy: remedy)
  }

  /// Folds the log into the file and brings that to rest; false while a reader holds it for more than 2 s.
  private static func foldIn(_ connection: Connection) -> Bool {
    connection.setBusyTimeout(milliseconds: 0)
    for _ in 0..<40 {
      // Not DELETE: a journal would be made beside the old name, where another file may be.
      if (try? connection.checkpoint()) == true,
        (try? connection.text("PRAGMA journal_mode = MEMORY")) == "memory"
      {
        return true
      }
      usleep(50_000)
    }
    return false
  }

  /// Copies everything committed into a new file beside the old place; where that cannot be, into the folder for temporary
  /// files.
  private static func rescued(_ file: CatalogFile, through connection: Connection) throws -> String {
    let name = (file.path as NSString).lastPathComponent
    let elsewhere = FileManager.default.temporaryDirectory.appendingPathComponent(name).path
    do {
      return try copy(connection, toNewNameFor: file.path + ".rescued")
    } catch let first {
      do {
        return try copy(connection, toNewNameFor: elsewhere + ".rescued")
      } catch {
        throw first
      }
    }
  }

  private static func copy(_ connection: Connection, toNewNameFor base: String) throws -> String {
    for number in 1...1000 {
      let place = number == 1 ? base : "\(base)-\(number)"
      let temporary = "\(place)-new-\(getpid())"
      guard FileIdentity(ofPath: place) == nil, FileIdentity(ofPath: temporary) == nil else { continue }
      defer { NewFile.removeParts(of: temporary) }
      do {
        let copy = try Connection(path: temporary, access: .create, busyTimeoutMilliseconds: 0)
        try copy.execute("PRAGMA synchronous = FULL")
        try connection.backUp(to: copy) { _, _ in }
        guard try copy.text("PRAGMA journal_mode = DELETE") == "delete" else {
          throw CatalogError.inputOutput(path: place, detail: "cannot be brought to rest")
        }
      }
      do {
        try NewFile.sync(temporary, for: place)
        try NewFile.publish(temporary, as: place)
        return place
      } catch CatalogError.exists {
        continue
      }
    }
    throw CatalogError.exists(path: base)
  }
}
