import Foundation
import TestSupport
import Testing

@testable import Catalog

/// A catalog on a file system where SQLite's log in shared memory cannot work.
@Suite(.usualTimeLimit) struct NetworkFileSystemTests {
  private func open(_ folder: CatalogFolder, _ mode: CatalogStore.Mode) throws -> CatalogStore {
    try CatalogStore(path: folder.path, mode: mode, command: "search", networkName: { _ in "NFS" })
  }

  @Test func theWriterKeepsARollbackJournalAndTheWholeFileAndSaysSo() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try open(folder, .write)
    #expect(store.notices.contains { $0.contains("NFS") })
    try store.write { _ = try $0.store(sequence: [1, 1]) }
    try store.read { (transaction) throws in
      #expect(try transaction.connection.text("PRAGMA journal_mode") == "delete")
      #expect(try transaction.connection.text("PRAGMA locking_mode") == "exclusive")
    }
    #expect(try folder.files.allSatisfy { !$0.hasSuffix("-wal") && !$0.hasSuffix("-shm") })
    store.close()
    #expect(try folder.files == ["c.evodb"])
  }

  @Test func aReaderOfAFileInUseIsRefusedWithTheAdviceToPack() throws {
    let (folder, _) = try CatalogFolder.filled()
    let writer = try open(folder, .write)
    do {
      _ = try open(folder, .read)
      Issue.record("opened")
    } catch let error as CatalogError {
      guard case .busy(_, _, .waitForCopy(folder.path)) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(error.description.contains("evodb search"))
    }
    writer.close()
    let reader = try open(folder, .read)
    #expect(try reader.read { try $0.models().count } == 1)
    reader.close()
  }

  @Test func aReaderThatDoesNotKnowTheWriterIsRefusedByTheLock() throws {
    let (folder, _) = try CatalogFolder.filled()
    let writer = try open(folder, .write)
    defer { writer.close() }
    let connection = try Connection(path: folder.path, access: .readOnly, busyTimeoutMilliseconds: 0)
    #expect {
      try connection.integer("SELECT count(*) FROM model")
    } throws: {
      ($0 as? SQLiteError)?.isBusy == true
    }
  }

  @Test func aLogLeftByAKilledWriterOfThisHostIsRead() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.write()
    try store.write { _ = try $0.store(sequence: [1, 1]) }
    let left = try CatalogFolder()
    for suffix in ["", "-wal"] {
      try FileManager.default.copyItem(atPath: folder.path + suffix, toPath: left.path + suffix)
    }
    store.close()
    let writer = try open(left, .write)
    #expect(try writer.read { try $0.id(of: SequenceRecord.digest(of: [1, 1]), in: .sequence) } != nil)
    writer.close()
    #expect(try left.files == ["c.evodb"])
  }

  @Test func whatThisMachineUsesForItsTestsIsLocal() throws {
    let folder = try CatalogFolder()
    #expect(FileSystem.networkName(of: folder.path) == nil)
    #expect(FileSystem.networkName(of: "/proc/self/status") == nil)
  }
}
