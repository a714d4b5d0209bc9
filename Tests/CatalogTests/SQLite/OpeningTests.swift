import Foundation
import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct OpeningTests {
  /// The error of opening, which must come within a few seconds and be one of ours.
  private func refusal(_ folder: CatalogFolder, _ mode: CatalogStore.Mode) -> CatalogError? {
    do {
      _ = try CatalogStore(path: folder.path, mode: mode)
      return nil
    } catch {
      return error as? CatalogError
    }
  }

  private func isNoCatalog(_ error: CatalogError?) -> Bool {
    if case .notACatalog = error { return true }
    return false
  }

  @Test(arguments: [CatalogStore.Mode.read, .write])
  func aMissingFileIsNotMade(mode: CatalogStore.Mode) throws {
    let folder = try CatalogFolder()
    #expect(refusal(folder, mode) == .missing(path: folder.path))
    #expect(try folder.files.isEmpty)
  }

  @Test func anExistingFileIsNotOverwritten() throws {
    let folder = try CatalogFolder()
    try folder.folder.write("precious", to: "c.evodb")
    #expect(refusal(folder, .create) == .exists(path: folder.path))
    #expect(try folder.files == ["c.evodb"] && folder.bytes == Data("precious".utf8))
  }

  @Test func aFileThatCannotBeMadeLeavesNothing() throws {
    let folder = try CatalogFolder()
    let path = folder.folder.url.appendingPathComponent("missing/c.evodb").path
    #expect(throws: CatalogError.notFound("\(path): its folder does not exist")) {
      try CatalogStore(path: path, mode: .create)
    }
    #expect(try folder.files.isEmpty)
  }

  @Test(arguments: [CatalogStore.Mode.read, .write])
  func anotherApplicationsFileIsUntouched(mode: CatalogStore.Mode) throws {
    let folder = try CatalogFolder()
    do {
      let other = try Connection(path: folder.path, access: .create, busyTimeoutMilliseconds: 0)
      try other.execute("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
    }
    let before = try folder.bytes
    #expect(isNoCatalog(refusal(folder, mode)))
    #expect(try folder.bytes == before && folder.files == ["c.evodb"])
  }

  @Test(arguments: [CatalogStore.Mode.read, .write])
  func anotherApplicationsLogIsNotFoldedIn(mode: CatalogStore.Mode) throws {
    let folder = try CatalogFolder()
    do {
      let other = try Connection(path: folder.path, access: .create, busyTimeoutMilliseconds: 0)
      try other.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)")
    }
    let log = URL(fileURLWithPath: folder.path + "-wal")
    let before = (try folder.bytes, try Data(contentsOf: log))
    #expect(!before.1.isEmpty)
    #expect(isNoCatalog(refusal(folder, mode)))
    #expect(try folder.bytes == before.0)
    #expect(try Data(contentsOf: log) == before.1)
  }

  @Test(arguments: [CatalogStore.Mode.read, .write])
  func whatIsNoDatabaseIsUntouched(mode: CatalogStore.Mode) throws {
    let folder = try CatalogFolder()
    for text in [String(repeating: "no database at all\n", count: 500), "short", ""] {
      try folder.folder.write(text, to: "c.evodb")
      #expect(isNoCatalog(refusal(folder, mode)), "\(text.prefix(10))")
      #expect(try folder.bytes == Data(text.utf8) && folder.files == ["c.evodb"])
    }
  }

  @Test(arguments: [100, 4096, 20_000, 60_000])
  func aTruncatedFileIsCalledDamaged(byteCount: Int) throws {
    let (folder, _) = try CatalogFolder.filled()
    let whole = try folder.bytes
    #expect(whole.count > 100_000)
    try folder.folder.write(Array(whole.prefix(byteCount)), to: "c.evodb")
    expectError(like: CatalogError.damaged("\(folder.path): ")) {
      let store = try folder.read()
      try store.read { (transaction) throws in
        _ = try transaction.dataSets().map { try transaction.sequences(ofList: $0.sequenceListID) }
        _ = try transaction.sharedDigest(includingProvenance: true)
      }
    }
  }

  @Test(arguments: [CatalogStore.Mode.read, .write])
  func aFileOfANewerVersionNamesBothVersions(mode: CatalogStore.Mode) throws {
    let (folder, _) = try CatalogFolder.filled()
    try folder.tamper("PRAGMA user_version = 999")
    let before = try folder.bytes
    #expect(
      refusal(folder, mode)
        == .newerSchema(path: folder.path, found: 999, supported: CatalogSchema.version))
    #expect(try folder.bytes == before && folder.files == ["c.evodb"])
  }

  @Test(arguments: [
    "UPDATE catalog_property SET value = 'other', row_check = 1 WHERE name = 'schema_digest'",
    "DELETE FROM catalog_property",
    "DROP TABLE catalog_property",
  ])
  func aFileOfAnotherDevelopmentBuildIsRefused(change: String) throws {
    let (folder, _) = try CatalogFolder.filled()
    try folder.tamper(change)
    let error = refusal(folder, .write)
    #expect(isNoCatalog(error))
    #expect(error?.description.contains("development build") == true)
    #expect(error?.remedy == .makeCatalog(path: nil))
    #expect(try folder.files == ["c.evodb"])
  }

  @Test(.enabled(if: getuid() != 0, "root may write everywhere"))
  func whatMayOnlyBeReadIsNotOpenedForWriting() throws {
    let (folder, _) = try CatalogFolder.filled()
    try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: folder.folder.url.path)
    defer { try? FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.folder.url.path) }
    #expect(refusal(folder, .read) == nil)
    guard case .notPermitted = refusal(folder, .write) else {
      Issue.record("a read-only folder was written to")
      return
    }
  }

  @Test func aPathThatLooksLikeAnAddressIsAPath() throws {
    for name in ["file:c.evodb?mode=memory", ":memory:"] {
      let path = name
      defer { try? FileManager.default.removeItem(atPath: path) }
      try CatalogStore(path: path, mode: .create).close()
      #expect(FileManager.default.fileExists(atPath: path))
      try CatalogStore(path: path, mode: .write).close()
    }
  }

  @Test(arguments: [CatalogStore.Mode.read, .write])
  func aPipeIsNotWaitedFor(mode: CatalogStore.Mode) throws {
    let folder = try CatalogFolder()
    try #require(mkfifo(folder.path, 0o600) == 0)
    #expect(isNoCatalog(refusal(folder, mode)))
    let refusal = CatalogError.notACatalog(path: folder.path, reason: "it is no regular file")
    #expect(throws: refusal) { try CatalogUpgrade().run(path: folder.path) }
    #expect(throws: refusal) { try CatalogSalvage(path: folder.path, output: folder.path + "-saved").run() }
  }

  /// A filled catalog as a process leaves it that is killed in the middle of a change with a rollback journal: pages are
  /// changed in the file, and what they were stands in the journal.
  private func halfChanged() throws -> (folder: CatalogFolder, digest: Digest) {
    let (source, _) = try CatalogFolder.filled()
    let digest = try source.digest()
    let folder = try CatalogFolder()
    do {
      let writer = try Connection(path: source.path, access: .readWrite, busyTimeoutMilliseconds: 0)
      try writer.execute(
        """
        PRAGMA cache_size = 2; PRAGMA synchronous = FULL; BEGIN IMMEDIATE;
        UPDATE observation SET row_check = row_check + 1; UPDATE variant SET row_check = row_check + 1;
        UPDATE blob_chunk SET bytes = zeroblob(length(bytes))
        """)
      for suffix in ["", "-journal"] {
        try FileManager.default.copyItem(atPath: source.path + suffix, toPath: folder.path + suffix)
      }
      try writer.execute("ROLLBACK")
    }
    #expect(try folder.bytes != source.bytes)
    return (folder, digest)
  }

  @Test func aReaderTakesBackWhatAKilledProcessLeftHalfDone() throws {
    let (folder, digest) = try halfChanged()
    #expect(try folder.digest() == digest)
    #expect(try folder.files == ["c.evodb"])
    _ = try folder.read().verify(onFinding: { Issue.record("\($0)") })
  }

  @Test func nothingIsTakenBackBesideAWriter() throws {
    let (folder, _) = try halfChanged()
    let lock = try WriterLock(forCatalog: folder.path, command: "search")
    guard case .locked = refusal(folder, .read) else {
      Issue.record("read")
      return
    }
    lock.release()
    #expect(refusal(folder, .read) == nil)
  }

  @Test func salvageAndUpgradeKnowTheJournal() throws {
    let (folder, digest) = try halfChanged()
    let saved = try CatalogFolder()
    _ = try CatalogSalvage(path: folder.path, output: saved.path).run()
    #expect(try saved.digest() == digest)
    #expect(try CatalogUpgrade().run(path: folder.path).keptAs == nil)
    let (other, _) = try halfChanged()
    let target = try CatalogFolder.empty()
    do {
      try target.merge([other])
      Issue.record("taken")
    } catch let error as CatalogError {
      guard case .recoverCatalog = error.remedy else {
        Issue.record("\(error)")
        return
      }
    }
  }
}
