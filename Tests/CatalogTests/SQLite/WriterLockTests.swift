import Foundation
import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct WriterLockTests {
  private func lockText(_ folder: CatalogFolder) throws -> String {
    try String(contentsOfFile: folder.path + "-lock", encoding: .utf8)
  }

  private func ownerText(pid: Int32, host: String) -> String {
    #"{"bootID":"b","command":"search","host":"\#(host)","pid":\#(pid),"since":"2026-01-01T00:00:00Z"}"#
  }

  @Test func aSecondWriterIsToldWhoWrites() throws {
    let (folder, _) = try CatalogFolder.filled()
    let first = try folder.write(command: "search")
    // flock() stands between two descriptions of one file even in one process.
    let owner = "process \(getpid()) on \(WriterLock.hostName) (evodb search"
    expectError(like: CatalogError.locked(path: folder.path, owner: owner)) { try folder.write() }
    // The refused one has disturbed nothing.
    try first.write { _ = try $0.store(sequence: [1, 2]) }
    first.close()
    #expect(try folder.files == ["c.evodb"])
  }

  @Test func aReaderNeedsNoLock() throws {
    let (folder, _) = try CatalogFolder.filled()
    let writer = try folder.write()
    defer { writer.close() }
    #expect(try folder.read().read { try $0.models().count } == 1)
  }

  @Test func theLockNamesItsOwnerAndIsGoneAfterClosing() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.write(command: "import")
    #expect(store.notices.isEmpty)
    let text = try lockText(folder)
    #expect(text.contains("\"pid\":\(getpid())") && text.contains("import") && text.contains(WriterLock.hostName))
    store.close()
    store.close()
    #expect(try folder.files == ["c.evodb"])
    let next = try folder.write()
    #expect(next.notices.isEmpty)
    next.close()
  }

  @Test func theLockOfADeadProcessIsTakenOverWithANotice() throws {
    let (folder, _) = try CatalogFolder.filled()
    try folder.folder.write(ownerText(pid: 999_999, host: WriterLock.hostName), to: "c.evodb-lock")
    let store = try folder.write()
    #expect(store.notices.count == 1)
    #expect(store.notices.first?.contains("999999") == true && store.notices.first?.contains("search") == true)
    #expect(try lockText(folder).contains("\"pid\":\(getpid())"))
    store.close()
    #expect(try folder.files == ["c.evodb"])
  }

  @Test func theLockOfAnotherHostIsLeftAlone() throws {
    let (folder, _) = try CatalogFolder.filled()
    let text = ownerText(pid: 1, host: "elsewhere.example")
    try folder.folder.write(text, to: "c.evodb-lock")
    let owner = "process 1 on elsewhere.example (evodb search, since 2026-01-01T00:00:00Z)"
    let error = expectError(like: CatalogError.locked(path: folder.path, owner: owner)) { try folder.write() }
    #expect(error?.description.contains("c.evodb-lock") == true)
    #expect(try lockText(folder) == text)
    #expect(try folder.read().read { try $0.models().count } == 1)
  }

  @Test func whatStandsInTheLocksPlaceIsNotWrittenTo() throws {
    let (folder, _) = try CatalogFolder.filled()
    let lock = folder.path + "-lock"
    let victim = try folder.folder.write("{precious", to: "victim")
    func refused() throws {
      expectError(like: CatalogError.inputOutput(path: lock, detail: "is no lock file of evodb")) { try folder.write() }
      #expect(try String(contentsOf: victim, encoding: .utf8) == "{precious")
    }
    try FileManager.default.createSymbolicLink(atPath: lock, withDestinationPath: victim.path)
    try refused()
    try FileManager.default.removeItem(atPath: lock)
    try folder.folder.write("somebody's notes", to: "c.evodb-lock")
    try refused()
    #expect(try lockText(folder) == "somebody's notes")
    try FileManager.default.removeItem(atPath: lock)
    try #require(mkfifo(lock, 0o600) == 0)
    try refused()
  }

  @Test(arguments: ["", "{", #"{"pid":1}"#])
  func aLockFileWithoutAReadableOwnerIsTakenOver(text: String) throws {
    let (folder, _) = try CatalogFolder.filled()
    try folder.folder.write(text, to: "c.evodb-lock")
    let store = try folder.write()
    #expect(store.notices.isEmpty)
    store.close()
    #expect(try folder.files == ["c.evodb"])
  }

  @Test func aFailedOpeningDoesNotTakeTheNextOnesLock() throws {
    let folder = try CatalogFolder()
    try folder.folder.write("no database, but long enough to be asked", to: "c.evodb")
    for _ in 0..<20 {
      expectError(like: CatalogError.notACatalog(path: folder.path, reason: "not a database")) { try folder.write() }
    }
    #expect(try folder.files == ["c.evodb"])
  }
}
