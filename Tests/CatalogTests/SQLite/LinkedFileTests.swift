import Foundation
import TestSupport
import Testing

@testable import Catalog

/// One catalog under many names: links are followed once, and the lock belongs to the file.
@Suite(.usualTimeLimit) struct LinkedFileTests {
  private func place(_ folder: CatalogFolder, _ name: String) -> String {
    folder.folder.url.appendingPathComponent(name).path
  }

  private func link(_ folder: CatalogFolder, _ name: String, to target: String) throws -> String {
    try FileManager.default.createSymbolicLink(atPath: place(folder, name), withDestinationPath: target)
    return place(folder, name)
  }

  private func error(_ body: () throws -> Void) -> CatalogError? {
    do {
      try body()
      return nil
    } catch {
      return error as? CatalogError
    }
  }

  private func isLocked(_ path: String, _ mode: CatalogStore.Mode = .write) -> Bool {
    if case .locked = error({ try CatalogStore(path: path, mode: mode, command: "build").close() }) { return true }
    return false
  }

  /// Names of one catalog: a chain of relative links, a linked folder, detours.
  private func names(_ folder: CatalogFolder) throws -> [String] {
    try FileManager.default.createDirectory(atPath: place(folder, "deep"), withIntermediateDirectories: true)
    _ = try link(folder, "one", to: "c.evodb")
    _ = try link(folder, "deep/two", to: "../one")
    _ = try link(folder, "three", to: "deep/two")
    _ = try link(folder, "here", to: ".")
    _ = try link(folder, "away", to: place(folder, "deep"))
    return ["one", "deep/two", "three", "here/c.evodb", "here/three", "away/../c.evodb", "./deep/../one"].map {
      folder.folder.url.path + "/" + $0
    }
  }

  @Test func everyNameLeadsToTheSameFileAndTheSameLock() throws {
    let (folder, _) = try CatalogFolder.filled()
    let real = try CatalogFile(existing: folder.path).path
    let names = try names(folder)
    for name in names { #expect(try CatalogFile(existing: name).path == real, "\(name)") }
    for (index, name) in names.enumerated() {
      let writer = try CatalogStore(path: name, mode: .write, command: "search")
      try writer.write { _ = try $0.store(sequence: [1, 2, 3, Int32(index)]) }
      #expect(try folder.files.contains("c.evodb-lock") && folder.files.contains("c.evodb-wal"))
      for other in names + [folder.path] {
        #expect(isLocked(other), "\(other) beside \(name)")
        let reader = try CatalogStore(path: other, mode: .read)
        #expect(reader.logByteCount > 0 && reader.currentWriter?.contains("search") == true)
        #expect(try reader.fileByteCount() > 1000)
        reader.close()
      }
      writer.close()
      #expect(try folder.files == ["away", "c.evodb", "deep", "here", "one", "three"])
    }
  }

  @Test func anOpenDescriptorsNameLeadsToTheFile() throws {
    let (folder, _) = try CatalogFolder.filled()
    let handle = try #require(FileHandle(forReadingAtPath: folder.path))
    let name = "/proc/self/fd/\(handle.fileDescriptor)"
    #expect(try CatalogFile(existing: name).path == CatalogFile(existing: folder.path).path)
    try FileManager.default.removeItem(atPath: folder.path)
    guard case .inputOutput = error({ _ = try CatalogFile(existing: name) }) else {
      Issue.record("a removed file was opened")
      return
    }
  }

  @Test func aSecondWriterIsRefusedUnderEveryNameOfTheFile() throws {
    let (folder, _) = try CatalogFolder.filled()
    let writer = try folder.write(command: "search")
    try writer.write { _ = try $0.store(sequence: [1, 2, 3]) }
    let other = place(folder, "b.evodb")
    try FileManager.default.linkItem(atPath: folder.path, toPath: other)
    #expect(isLocked(other))
    // Its log would not be found there.
    #expect(isLocked(other, .read))
    // The lock file names the writer, but it is not the lock.
    try FileManager.default.removeItem(atPath: folder.path + "-lock")
    #expect(isLocked(folder.path))
    #expect(isLocked(other))
    try FileManager.default.removeItem(atPath: other)
    try FileManager.default.moveItem(atPath: folder.path, toPath: other)
    #expect(isLocked(other))
    #expect(isLocked(other, .read))
    guard case .locked(_, let owner) = error({ _ = try CatalogSalvage(path: other, output: other + "2").run() }) else {
      Issue.record("salvaged beside a writer")
      return
    }
    #expect(owner.contains("process \(getpid())"), "\(owner)")
  }

  @Test func aFileWithTwoNamesIsReadAndNotWritten() throws {
    let (folder, _) = try CatalogFolder.filled()
    let other = place(folder, "b.evodb")
    try FileManager.default.linkItem(atPath: folder.path, toPath: other)
    let before = try folder.bytes
    for path in [folder.path, other] {
      #expect(
        error { try CatalogStore(path: path, mode: .write).close() }
          == .severalNames(path: path, count: 2, given: path))
      let reader = try CatalogStore(path: path, mode: .read)
      #expect(try reader.read { try $0.models().count } == 1)
      reader.close()
    }
    #expect(try folder.bytes == before && folder.files == ["b.evodb", "c.evodb"])
    try FileManager.default.removeItem(atPath: other)
    try folder.write().close()
  }

  @Test func theNameUnderWhichAFileWasMadeIsNoSecondName() throws {
    let (folder, _) = try CatalogFolder.filled()
    // As a kill leaves it where files are given their name by link and unlink.
    try FileManager.default.linkItem(atPath: folder.path, toPath: folder.path + "-new")
    try folder.write().close()
    #expect(try folder.files == ["c.evodb"])
  }

  @Test func refusingAWriterDropsNoLockOfAReaderInTheSameProcess() throws {
    let (folder, _) = try CatalogFolder.filled()
    let identity = try #require(FileIdentity(ofPath: folder.path))
    func isReadLocked() throws -> Bool {
      try String(contentsOfFile: "/proc/locks", encoding: .utf8).split(separator: "\n").contains {
        $0.contains("POSIX") && $0.contains(" \(getpid()) ") && $0.contains(":\(identity.inode) ")
      }
    }
    guard FileManager.default.fileExists(atPath: "/proc/locks") else { return }
    let reader = try folder.read()
    try reader.read { (transaction) throws in
      _ = try transaction.models()
      #expect(try isReadLocked())
      let first = try #require(try taken(folder.path))
      #expect(try taken(folder.path) == nil)
      first.release()
      #expect(try isReadLocked())
    }
  }

  private func taken(_ path: String) throws -> FileClaim? {
    if case .taken(let claim) = try FileClaim.take(path) { return claim }
    return nil
  }

  @Test func aLinkToNowhereIsNeverReplaced() throws {
    let (folder, _) = try CatalogFolder.filled()
    let nowhere = try link(folder, "nowhere", to: "none.evodb")
    let chain = try link(folder, "chain", to: "nowhere")
    let circle = try link(folder, "circle", to: "circle")
    let reader = try folder.read()
    defer { reader.close() }
    for path in [nowhere, chain, circle] {
      let target = path == circle ? "itself" : place(folder, "none.evodb")
      let refusal = CatalogError.danglingLink(path: path, target: target)
      #expect(error { try CatalogStore(path: path, mode: .create).close() } == refusal)
      #expect(error { try reader.backUp(to: path) } == refusal)
      #expect(error { _ = try CatalogPack(contents: .results).run(from: folder.path, to: path) } == refusal)
      #expect(error { _ = try CatalogSalvage(path: folder.path, output: path).run() } == refusal)
      for mode in [CatalogStore.Mode.read, .write] {
        guard case .notFound(let text, let remedy) = error({ try CatalogStore(path: path, mode: mode).close() }) else {
          Issue.record("\(path)")
          continue
        }
        #expect(path == circle ? text.contains("circle") : remedy == .makeCatalog(path: target))
      }
    }
    #expect(try folder.files == ["c.evodb", "chain", "circle", "nowhere"])
  }

  @Test func aLinkMadeWhileACatalogIsMadeIsNotReplaced() throws {
    let folder = try CatalogFolder()
    let temporary = try folder.folder.write("whole", to: "c.evodb-new").path
    _ = try link(folder, "c.evodb", to: "none")
    #expect(error { try NewFile.publish(temporary, as: folder.path) } == .exists(path: folder.path))
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder.path) == "none")
  }

  @Test func somebodysFileIsNotTakenForALeftover() throws {
    let (folder, _) = try CatalogFolder.filled()
    let copy = place(folder, "copy")
    for name in ["copy-new", "copy-new-damaged"] { try folder.folder.write("mine", to: name) }
    let reader = try folder.read()
    defer { reader.close() }
    #expect(error { try reader.backUp(to: copy) } == .exists(path: copy + "-new"))
    #expect(error { try CatalogStore(path: copy, mode: .create).close() } == .exists(path: copy + "-new"))
    try FileManager.default.removeItem(atPath: copy + "-new")
    #expect(
      error { _ = try CatalogSalvage(path: folder.path, output: copy).run() } == .exists(path: copy + "-new-damaged"))
    #expect(try String(contentsOfFile: copy + "-new-damaged", encoding: .utf8) == "mine")
    #expect(try folder.files == ["c.evodb", "copy-new-damaged"])
  }

  @Test func upgradingALinkReplacesTheRealFile() throws {
    let (folder, _) = try CatalogFolder.filled()
    let name = try link(folder, "link", to: "c.evodb")
    var upgrade = CatalogUpgrade()
    upgrade.target = SchemaVersion(
      number: CatalogSchema.version + 1, text: CatalogSchema.text + "\nCREATE TABLE later (id INTEGER) STRICT;")
    upgrade.migrations = [
      Migration(from: CatalogSchema.version) { try $0.execute("CREATE TABLE later (id INTEGER) STRICT") }
    ]
    let kept = try #require(try upgrade.run(path: name).keptAs)
    #expect((kept as NSString).lastPathComponent == "c.evodb.v\(CatalogSchema.version).bak")
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: name) == "c.evodb")
    #expect(try folder.files == ["c.evodb", (kept as NSString).lastPathComponent, "link"])
    guard case .newerSchema = error({ try folder.write().close() }) else {
      Issue.record("the real file is the old one")
      return
    }
  }

  @Test func pathsTooLongForSQLiteAreRefusedWithTheLimit() throws {
    let (folder, _) = try CatalogFolder.filled()
    var deep = folder.folder.url.path
    while deep.utf8.count < 500 { deep += "/" + String(repeating: "d", count: 60) }
    try FileManager.default.createDirectory(atPath: deep, withIntermediateDirectories: true)
    let long = deep + "/c.evodb"
    try FileManager.default.copyItem(atPath: folder.path, toPath: long)
    let reader = try folder.read()
    defer { reader.close() }
    let name = place(folder, String(repeating: "n", count: 240))
    let attempts: [() throws -> Void] = [
      { try CatalogStore(path: long, mode: .read).close() }, { try CatalogStore(path: long, mode: .write).close() },
      { try CatalogStore(path: long + "2", mode: .create).close() }, { try reader.backUp(to: long + "2") },
      { _ = try CatalogUpgrade().run(path: long) }, { _ = try CatalogSalvage(path: long, output: long + "2").run() },
      { _ = try CatalogPack(contents: .all).run(from: folder.path, to: long + "2") },
      { _ = try ForeignCatalog(path: long) }, { try CatalogStore(path: name, mode: .create).close() },
      { try CatalogStore(path: place(folder, String(repeating: "n", count: 300)), mode: .read).close() },
    ]
    for (index, attempt) in attempts.enumerated() {
      guard case .pathTooLong = error(attempt) else {
        Issue.record("attempt \(index)")
        continue
      }
    }
    // A short name of the same file does not make its real path shorter, a long one of a near file does no harm.
    let near = try link(folder, "near", to: long)
    guard case .pathTooLong = error({ try CatalogStore(path: near, mode: .read).close() }) else {
      Issue.record("near")
      return
    }
    let detour = folder.folder.url.path + String(repeating: "/.", count: 400) + "/c.evodb"
    #expect(try CatalogStore(path: detour, mode: .read).read { try $0.models().count } == 1)
    #expect(String(describing: CatalogError.pathTooLong(path: long, detail: "")).contains("490"))
  }

  @Test(arguments: ["-wal", "-shm", "-journal"], [CatalogStore.Mode.read, .write])
  func whatStandsInTheLogsPlaceIsNamedAndNotTouched(suffix: String, mode: CatalogStore.Mode) throws {
    let (folder, _) = try CatalogFolder.filled()
    func refused() {
      guard case .inputOutput(let path, let detail) = error({ try CatalogStore(path: folder.path, mode: mode).close() })
      else {
        Issue.record("opened")
        return
      }
      #expect(path == folder.path + suffix && detail.contains("move it away"))
    }
    try FileManager.default.createDirectory(atPath: folder.path + suffix, withIntermediateDirectories: true)
    refused()
    try FileManager.default.removeItem(atPath: folder.path + suffix)
    let victim = try folder.folder.write("precious", to: "victim")
    _ = try link(folder, "c.evodb" + suffix, to: "victim")
    refused()
    #expect(try String(contentsOf: victim, encoding: .utf8) == "precious")
  }

  @Test func everyErrorOfFileAndDiskNamesTheFileAndWhatToDo() {
    for code: Int32 in [8, 14, 10, 13, 264, 520, 776, 1032, 1288, 1544, 270, 526, 3] {
      let error = SQLiteError(code: code, message: "m", sql: "COMMIT", path: "/f/c.evodb")
      let text = error.description
      #expect(text.hasPrefix("/f/c.evodb: ") && !text.contains("COMMIT"), "\(text)")
      #expect(text.contains("; ") || error.remedy != nil, "\(text)")
    }
    let broken = SQLiteError(code: 19, message: "m", sql: "x", path: "/f")
    #expect(broken.description == "/f: a row holds a value that its table does not take")
    #expect(broken.remedy == .verifyCatalog(path: "/f"))
  }
}
