import Foundation
import TestSupport
import Testing

@testable import Catalog

/// A catalog that is removed, renamed, replaced or parted from its log: the writer stops, and no committed row is lost.
@Suite(.usualTimeLimit) struct DisplacedFileTests {
  private let folder: CatalogFolder

  init() throws { folder = try CatalogFolder.filled().folder }

  private func place(_ name: String) -> String { folder.folder.url.appendingPathComponent(name).path }

  private func count(_ path: String) throws -> Int64? {
    let store = try CatalogStore(path: path, mode: .read)
    defer { store.close() }
    _ = try store.verify(onFinding: { Issue.record("\($0)") })
    return try store.read { try $0.connection.integer("SELECT count(*) FROM sequence") }
  }

  /// Writes, changes the folder, writes again: the second writing must stop the work.
  private func displaced(by change: () throws -> Void) throws -> String {
    let writer = try folder.write(command: "search")
    try writer.write { _ = try $0.store(sequence: [100, 200]) }
    try change()
    let error = expectError(
      like: CatalogError.displaced(path: folder.path, detail: "while it was being written; all rows are in ")
    ) { try writer.write { _ = try $0.store(sequence: [300, 400]) } }
    guard case .displaced(_, let detail, _) = error else { return "" }
    // It says the same again, and writes nothing more.
    #expect(throws: try #require(error)) { try writer.write { _ = try $0.store(sequence: [500, 600]) } }
    writer.close()
    return detail
  }

  @Test func aRemovedCatalogIsSavedBesideItsPlace() throws {
    let text = try displaced { try FileManager.default.removeItem(atPath: folder.path) }
    #expect(text.contains("removed") && text.contains("mv ") && text.contains("c.evodb.rescued"))
    #expect(try folder.files == ["c.evodb.rescued"])
    #expect(try count(place("c.evodb.rescued")) == 9)
    try FileManager.default.moveItem(atPath: place("c.evodb.rescued"), toPath: folder.path)
    try folder.write().close()
  }

  @Test func aRescueOverwritesNothing() throws {
    try folder.folder.write("mine", to: "c.evodb.rescued")
    let text = try displaced { try FileManager.default.removeItem(atPath: folder.path) }
    #expect(text.contains("c.evodb.rescued-2"))
    #expect(try String(contentsOfFile: place("c.evodb.rescued"), encoding: .utf8) == "mine")
    #expect(try count(place("c.evodb.rescued-2")) == 9)
  }

  @Test func aReplacedCatalogIsSavedAndTheOtherFileLeftAlone() throws {
    let (other, _) = try CatalogFolder.filled()
    let bytes = try other.bytes
    let text = try displaced { #expect(rename(other.path, folder.path) == 0) }
    #expect(text.contains("replaced"))
    #expect(try folder.files == ["c.evodb", "c.evodb.rescued"])
    #expect(try folder.bytes == bytes)
    #expect(try count(folder.path) == 7)
    #expect(try count(place("c.evodb.rescued")) == 9)
  }

  @Test func aRenamedCatalogIsWholeUnderItsNewName() throws {
    let text = try displaced {
      try FileManager.default.moveItem(atPath: folder.path, toPath: place("moved.evodb"))
    }
    #expect(text.contains("renamed to") && text.contains("moved.evodb"))
    #expect(try folder.files == ["moved.evodb"])
    #expect(try [UInt8](Data(contentsOf: URL(fileURLWithPath: place("moved.evodb"))))[18..<20] == [1, 1])
    #expect(try count(place("moved.evodb")) == 9)
  }

  @Test func aCatalogRenamedAndReplacedIsWholeUnderItsNewName() throws {
    let (other, _) = try CatalogFolder.filled()
    _ = try displaced {
      try FileManager.default.moveItem(atPath: folder.path, toPath: place("moved.evodb"))
      try FileManager.default.moveItem(atPath: other.path, toPath: folder.path)
    }
    #expect(try folder.files == ["c.evodb", "moved.evodb"])
    #expect(try count(place("moved.evodb")) == 9)
    #expect(try count(folder.path) == 7)
  }

  @Test func aCatalogInARenamedFolderIsWholeThere() throws {
    let parent = try TemporaryFolder()
    let (first, second) = (parent.url.appendingPathComponent("a"), parent.url.appendingPathComponent("b"))
    try FileManager.default.createDirectory(at: first, withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: folder.path, toPath: first.path + "/c.evodb")
    let writer = try CatalogStore(path: first.path + "/c.evodb", mode: .write, command: "search")
    try writer.write { _ = try $0.store(sequence: [100, 200]) }
    try FileManager.default.moveItem(at: first, to: second)
    expectError(
      like: CatalogError.displaced(
        path: first.path + "/c.evodb", detail: "\(second.path)/c.evodb while it was being written; all rows are in ")
    ) { try writer.write { _ = try $0.store(sequence: [300, 400]) } }
    writer.close()
    #expect(try FileManager.default.contentsOfDirectory(atPath: second.path) == ["c.evodb"])
    #expect(try count(second.path + "/c.evodb") == 9)
  }

  @Test func aCatalogRenamedBesideABusyReaderIsSavedAsACopy() throws {
    let writer = try folder.write()
    let reader = try folder.read()
    try reader.read { (transaction) throws in
      _ = try transaction.models()
      try writer.write { _ = try $0.store(sequence: [100, 200]) }
      try FileManager.default.moveItem(atPath: folder.path, toPath: place("moved.evodb"))
      expectError(like: CatalogError.displaced(path: folder.path, detail: place("c.evodb.rescued"))) {
        try writer.write { _ = try $0.store(sequence: [300, 400]) }
      }
    }
    reader.close()
    writer.close()
    #expect(try count(place("c.evodb.rescued")) == 9)
  }

  @Test(arguments: ["-wal", "-shm"])
  func aLogRemovedFromBeneathIsFoldedInFirst(suffix: String) throws {
    let text = try displaced { try FileManager.default.removeItem(atPath: folder.path + suffix) }
    #expect(text.contains(suffix) && text.contains("run the same command again"))
    #expect(try folder.files == ["c.evodb"])
    #expect(try count(folder.path) == 9)
  }

  @Test func aCatalogRemovedBeforeTheEndIsSavedWhenItIsClosed() throws {
    let writer = try folder.write()
    try writer.write { _ = try $0.store(sequence: [100, 200]) }
    try FileManager.default.removeItem(atPath: folder.path)
    writer.close()
    #expect(try folder.files == ["c.evodb.rescued"])
    #expect(try count(place("c.evodb.rescued")) == 8)
  }

  @Test func aSecondNameMadeMeanwhileStopsNothing() throws {
    let writer = try folder.write()
    try FileManager.default.linkItem(atPath: folder.path, toPath: place("snapshot"))
    try writer.write { _ = try $0.store(sequence: [100, 200]) }
    writer.close()
    #expect(try count(folder.path) == 8)
    #expect(try count(place("snapshot")) == 8)
  }

  @Test func aCatalogOnANetworkFileSystemIsWatchedToo() throws {
    let writer = try CatalogStore(path: folder.path, mode: .write, command: "search", networkName: { _ in "NFS" })
    try writer.write { _ = try $0.store(sequence: [100, 200]) }
    try FileManager.default.removeItem(atPath: folder.path)
    expectError(
      like: CatalogError.displaced(path: folder.path, detail: "was removed while it was being written; all rows are in")
    ) { try writer.write { _ = try $0.store(sequence: [300, 400]) } }
    writer.close()
    #expect(try count(place("c.evodb.rescued")) ?? 0 >= 8)
  }

  // MARK: Logs that are missing or not their own

  /// The files that a process leaves that is killed now, in a folder of their own.
  private func killed(_ suffixes: [String]) throws -> CatalogFolder {
    let writer = try folder.write(command: "search")
    defer { writer.close() }
    try writer.write { _ = try $0.store(sequence: [100, 200]) }
    let left = try CatalogFolder()
    for suffix in suffixes {
      try FileManager.default.copyItem(atPath: folder.path + suffix, toPath: left.path + suffix)
    }
    if suffixes.contains("-lock") {
      let text = try String(contentsOfFile: left.path + "-lock", encoding: .utf8)
      try text.replacing("\"pid\":\(getpid())", with: "\"pid\":999999").write(
        toFile: left.path + "-lock", atomically: false, encoding: .utf8)
    }
    return left
  }

  private func refusal(_ folder: CatalogFolder, _ mode: CatalogStore.Mode) -> String? {
    do {
      try CatalogStore(path: folder.path, mode: mode).close()
      return nil
    } catch CatalogError.wrongLog(_, let detail, _) {
      return detail
    } catch {
      Issue.record("\(error)")
      return nil
    }
  }

  @Test(arguments: [[""], ["", "-lock"]])
  func aKilledWritersFileWithoutItsLogIsRefused(left: [String]) throws {
    let other = try killed(left)
    let before = try other.bytes
    for mode in [CatalogStore.Mode.read, .write, .read, .write] {
      #expect(refusal(other, mode)?.contains("log is missing") == true, "\(mode)")
    }
    let missing = CatalogError.wrongLog(path: other.path, detail: "its log is missing")
    expectError(like: missing) { try CatalogUpgrade().run(path: other.path) }
    expectError(like: missing) { try CatalogFolder.empty().merge([other]) }
    #expect(try other.bytes == before)
    // The rest can be had knowingly.
    let saved = other.path + "-saved"
    _ = try CatalogSalvage(path: other.path, output: saved).run()
    #expect(try count(saved) == 7)
  }

  @Test func aLogThatIsPutBackIsTaken() throws {
    let other = try killed(["", "-wal"])
    let path = place("renamed.evodb")
    try FileManager.default.moveItem(atPath: other.path, toPath: path)
    expectError(like: CatalogError.wrongLog(path: path, detail: "its log is missing")) { try count(path) }
    try FileManager.default.moveItem(atPath: other.path + "-wal", toPath: path + "-wal")
    try CatalogStore(path: path, mode: .write).close()
    #expect(try count(path) == 8)
  }

  @Test func aKillBetweenFileAndLogLosesNothingAndIsNoDamage() throws {
    let other = try killed(["", "-wal", "-lock"])
    // The log is folded in and removed, and the file still says that it has one.
    do {
      let connection = try Connection(path: other.path, access: .readWrite, busyTimeoutMilliseconds: 1000)
      _ = try connection.integer("SELECT count(*) FROM sequence")
      #expect(try connection.checkpoint())
    }
    for suffix in ["-wal", "-shm"] { unlink(other.path + suffix) }
    let lock = try String(contentsOfFile: other.path + "-lock", encoding: .utf8)
    #expect(lock.contains(#""log":"live""#))
    try lock.replacing(#""log":"live""#, with: #""log":"none""#).write(
      toFile: other.path + "-lock", atomically: false, encoding: .utf8)
    // Who takes the lock and leaves the file as it is leaves the note as well.
    #expect(try CatalogUpgrade().run(path: other.path).keptAs == nil)
    #expect(try count(other.path) == 8)
    let writer = try other.write()
    #expect(!writer.notices.isEmpty)
    writer.close()
    #expect(try other.files == ["c.evodb"])
    #expect(try count(other.path) == 8)
  }

  @Test func anotherFilesLogIsNotTaken() throws {
    let other = try killed(["", "-wal", "-lock"])
    // A copy from before takes the place of the killed one.
    try FileManager.default.removeItem(atPath: other.path)
    let (backup, _) = try CatalogFolder.filled()
    try FileManager.default.copyItem(atPath: backup.path, toPath: other.path)
    let before = try other.bytes
    for mode in [CatalogStore.Mode.read, .write, .write] {
      #expect(refusal(other, mode)?.contains("belongs to another file") == true)
    }
    expectError(like: CatalogError.wrongLog(path: other.path, detail: "belongs to another file")) {
      try CatalogFolder.empty().merge([other])
    }
    #expect(try other.bytes == before)
    try FileManager.default.moveItem(atPath: other.path + "-wal", toPath: other.path + "-wal.other")
    try other.write().close()
    #expect(try count(other.path) == 7)
  }

  @Test func noCatalogIsMadeBesideTheLogOfAnother() throws {
    let other = try killed(["", "-wal", "-lock"])
    try FileManager.default.removeItem(atPath: other.path)
    let reader = try folder.read()
    defer { reader.close() }
    for attempt: () throws -> Void in [{ try other.create().close() }, { try reader.backUp(to: other.path) }] {
      expectError(like: CatalogError.exists(path: other.path + "-wal"), performing: attempt)
    }
    #expect(FileManager.default.fileExists(atPath: other.path + "-lock"))
  }
}
