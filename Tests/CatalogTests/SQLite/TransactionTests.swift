import Foundation
import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct TransactionTests {
  private struct Failure: Error, Equatable {}

  private func isWAL(_ folder: CatalogFolder) throws -> Bool { try folder.bytes[18...19] == Data([2, 2]) }

  @Test func aClosedCatalogIsOneFileWithARollbackJournal() throws {
    let (folder, _) = try CatalogFolder.filled()
    #expect(try folder.files == ["c.evodb"] && !isWAL(folder))
    let store = try folder.write()
    try store.write { _ = try $0.store(sequence: [100, 200]) }
    store.close()
    #expect(try folder.files == ["c.evodb"] && !isWAL(folder))
    _ = try folder.read().read { try $0.models() }
    #expect(try folder.files == ["c.evodb"])
  }

  @Test func aStoreThatIsLetGoClosesItself() throws {
    let (folder, _) = try CatalogFolder.filled()
    do {
      let store = try folder.write()
      try store.write { _ = try $0.store(sequence: [100, 200]) }
    }
    #expect(try folder.files == ["c.evodb"])
  }

  @Test func aReaderKeepsItsStateWhileAWriterCommits() throws {
    let (folder, _) = try CatalogFolder.filled()
    let writer = try folder.write()
    let reader = try folder.read()
    func count(_ transaction: CatalogTransaction) throws -> Int64? {
      try transaction.connection.integer("SELECT count(*) FROM sequence")
    }
    let before = try reader.read(count)
    try reader.read { (transaction) throws in
      #expect(try count(transaction) == before)
      for token in Int32(1000)..<1010 {
        try writer.write(durable: token % 2 == 0) { _ = try $0.store(sequence: [token, token]) }
        #expect(try count(transaction) == before)
      }
    }
    #expect(try reader.read(count) == before.map { $0 + 10 })
    writer.close()
  }

  @Test func aWriterClosesBesideAReaderAndTheNextOneTidiesUp() throws {
    let (folder, _) = try CatalogFolder.filled()
    do {
      let reader = try folder.read()
      let writer = try folder.write()
      try reader.read { (transaction) throws in
        _ = try transaction.models()
        try writer.write { _ = try $0.store(sequence: [100, 200]) }
        writer.close()
        #expect(!FileManager.default.fileExists(atPath: folder.path + "-lock"))
      }
      #expect(try reader.read { try $0.connection.integer("SELECT count(*) FROM sequence") } == 8)
    }
    let next = try folder.write()
    #expect(try next.read { try $0.connection.integer("SELECT count(*) FROM sequence") } == 8)
    next.close()
    #expect(try folder.files == ["c.evodb"])
  }

  @Test func whatAKilledWriterCommittedIsThere() throws {
    let (folder, _) = try CatalogFolder.filled()
    let writer = try folder.write()
    try writer.write { _ = try $0.store(sequence: [100, 200]) }
    // The files of this instant are what a killed process leaves.
    let copy = try CatalogFolder()
    for name in ["c.evodb", "c.evodb-wal"] {
      let source = folder.folder.url.appendingPathComponent(name)
      try FileManager.default.copyItem(at: source, to: copy.folder.url.appendingPathComponent(name))
    }
    writer.close()
    #expect(try copy.read().read { try $0.connection.integer("SELECT count(*) FROM sequence") } == 8)
    try copy.write().close()
    #expect(try copy.files == ["c.evodb"])
    #expect(try copy.read().read { try $0.connection.integer("SELECT count(*) FROM sequence") } == 8)
  }

  @Test func aThrownErrorTakesEverythingBackAndTheNextWriteWorks() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    let before = try store.read { try $0.sharedDigest(includingProvenance: true) }
    #expect(throws: Failure()) {
      try store.write { (transaction) throws in
        _ = try transaction.store(sequence: [100, 200])
        _ = try transaction.store(measure: MeasureRecord(name: "topk-kl", topK: 5, reference: "dense", revision: 1))
        throw Failure()
      }
    }
    #expect(try store.read { try $0.sharedDigest(includingProvenance: true) } == before)
    let ids = try store.write { (transaction) throws in
      [try transaction.store(sequence: [300, 400]).id, try transaction.store(sequence: [500, 600]).id]
    }
    #expect(Set(ids + contents.sequences.map(\.id)).count == 5)
    #expect(ids == [8, 9])
  }

  @Test func aRowThatBreaksARuleTakesEverythingBackAndIsToldInWords() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    let rule =
      "a row holds a value that its table does not take (token_count >= 2): another program wrote to it, or an"
      + " index is damaged; what was to be written was taken back"
    #expect(throws: CatalogError.damaged("\(folder.path): \(rule)")) {
      try store.write { (transaction) throws in
        _ = try transaction.store(sequence: [100, 200])
        _ = try transaction.store(sequence: [1])  // shorter than a sequence may be
      }
    }
    #expect(try store.read { try $0.connection.integer("SELECT count(*) FROM sequence") } == 7)
    #expect(!store.connection.isInTransaction)
  }

  @Test func anIdThatSomebodyElseGaveOutMeanwhileIsToldInWords() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    let next = try store.write { try $0.store(sequence: [100, 200]).id } + 1
    // A writer that knows of no lock.
    try folder.tamper(
      "INSERT INTO sequence (id, digest, token_count, token_ids, row_check) VALUES (\(next), zeroblob(32), 2, x'', 0)")
    let rule = "\(folder.path): sequence: two different rows have one id: another program wrote to it"
    let error = expectError(like: CatalogError.damaged(rule)) {
      try store.write { _ = try $0.store(sequence: [300, 400]) }
    }
    #expect(error?.description.contains("constraint failed") == false)
  }

  @Test func manyThreadsShareOneStore() async throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.write()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in Int32(0)..<8 {
        group.addTask {
          for index in Int32(0)..<20 {
            try store.write { _ = try $0.store(sequence: [1000 + worker, index]) }
            _ = try store.read { try $0.models() }
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(try store.read { try $0.connection.integer("SELECT count(*) FROM sequence") } == 167)
    store.close()
  }
}
