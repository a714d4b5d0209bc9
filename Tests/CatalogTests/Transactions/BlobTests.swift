import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct BlobTests {
  @Test func bytesComeBack() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    for bytes: [UInt8] in [[], [0], Array(0...255), [UInt8](repeating: 7, count: 100_000)] {
      let id = try store.write { try $0.store(blob: bytes) }
      #expect(try store.read { try $0.blob(id) } == bytes)
    }
  }

  @Test func aBlobLongerThanAChunkComesBack() throws {
    let folder = try CatalogFolder()
    let store = try folder.create()
    defer { store.close() }
    let bytes = (0..<17 << 20).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
    let id = try store.write { try $0.store(blob: bytes) }
    let isEqual = try store.read { try $0.blob(id) } == bytes
    #expect(isEqual)
    let chunks = try store.read {
      try $0.connection.integer("SELECT count(*) FROM blob_chunk WHERE blob_id = ?", [.integer(id)])
    }
    #expect(chunks == 2)
  }

  @Test func theSameContentIsStoredOnce() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    let ids = try store.write { (transaction) throws in
      [
        try transaction.store(blob: [9, 9, 9]), try transaction.store(blob: [9, 9, 8]),
        try transaction.store(blob: [9, 9, 9]),
      ]
    }
    #expect(ids[0] == ids[2] && ids[0] != ids[1])
  }

  @Test(arguments: [
    "UPDATE blob_chunk SET bytes = x'0102030405' WHERE bytes = x'0102030400'", "DELETE FROM blob_chunk",
    "UPDATE blob SET byte_count = 1 << 60", "UPDATE blob SET byte_count = 4",
    "INSERT INTO blob_chunk SELECT id, 1, x'00' FROM blob",
  ])
  func aChangedBlobIsDamaged(change: String) throws {
    let folder = try CatalogFolder()
    let store = try folder.create()
    let id = try store.write { try $0.store(blob: [1, 2, 3, 4, 0]) }
    store.close()
    try folder.tamper(change)
    expectError(like: CatalogError.damaged("blob \(id) does not have its digest ")) {
      try folder.read().read { _ = try $0.blob(id) }
    }
  }

  @Test func aMissingBlobIsDamage() throws {
    let (folder, _) = try CatalogFolder.filled()
    #expect(throws: CatalogError.damaged("blob 4711 is missing")) { try folder.read().read { _ = try $0.blob(4711) } }
  }

  @Test func theDenseModelsStateIsCachedByNumerics() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.read()
    try store.read { (transaction) throws in
      let (model, sequence) = (contents.model.id, contents.sequences[0].id)
      #expect(
        try transaction.teacherState(modelID: model, sequenceID: sequence, numericsID: contents.here) == [1, 2, 3, 4])
      #expect(
        try transaction.teacherState(modelID: model, sequenceID: sequence, numericsID: contents.elsewhere) == nil)
    }
  }
}
