import Foundation
import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct VerifyTests {
  private func findings(_ folder: CatalogFolder) throws -> [IntegrityFinding] { try DamagedFile(folder).findings() }

  @Test func aWholeCatalogIsClean() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.read()
    defer { store.close() }
    let counts = try store.verify(onFinding: { Issue.record("\($0)") })
    #expect(counts.rowCount > 100 && counts.blobCount > 8 && counts.blobByteCount > 100)
  }

  @Test func aNewCatalogIsClean() throws {
    let folder = try CatalogFolder()
    try folder.create().close()
    #expect(try findings(folder).isEmpty)
  }

  @Test func itWorksBesideAWriter() throws {
    let (folder, _) = try CatalogFolder.filled()
    let writer = try folder.write()
    defer { writer.close() }
    _ = try writer.write { try $0.store(sequence: [1, 2, 3, 99]) }
    #expect(try findings(folder).isEmpty)
  }

  @Test func itNamesRowColumnAndTheValueBefore() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let id = contents.variants[1][0].id
    // 0.5 with its lowest exponent bit flipped.
    let nmse = contents.variants[1][0].nmse ?? 0
    let flipped = Double(bitPattern: nmse.bitPattern ^ 1 << 52)
    try folder.tamper("UPDATE variant SET nmse = \(flipped) WHERE id = \(id)")
    let found = try findings(folder)
    #expect(found.count == 1)
    #expect(found.first?.table == "variant" && found.first?.column == "nmse")
    #expect(found.first?.row == "variant \(id): model.layers.0.mlp.up_proj at bits=3 by gptq")
    #expect(found.first?.problem == "one bit is flipped; it was \(nmse)")
  }

  @Test func itNamesRowsOfTablesWithoutIDs() throws {
    let (folder, contents) = try CatalogFolder.filled()
    try folder.tamper(
      "UPDATE stage_result SET is_survivor = 1 WHERE generation_index = 1 AND stage_index = 0 AND candidate_index = 2")
    let found = try findings(folder)
    #expect(found.map(\.row) == ["run first, generation 1, stage 0, candidate 2"])
    #expect(found.first?.column == "is_survivor" && found.first?.problem == "one bit is flipped; it was 0")
    #expect(contents.run.name == "first")
  }

  @Test func itNamesWhatABlobHolds() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let variant = contents.variants[2][1]
    try folder.tamper(
      "UPDATE blob_chunk SET bytes = zeroblob(length(bytes)) WHERE blob_id = \(variant.blobID)")
    let found = try findings(folder)
    #expect(
      found.map(\.row) == [
        "blob \(variant.blobID), variant \(variant.id): model.layers.1.attention.q_proj at bits=4"
      ])
    #expect(found.first?.problem == "chunk 0 does not have the blob's SHA-256")
  }

  @Test func itFindsMissingRows() throws {
    let (folder, contents) = try CatalogFolder.filled()
    try folder.tamper(
      "PRAGMA foreign_keys = OFF; DELETE FROM blob_chunk WHERE blob_id = \(contents.variants[0][0].blobID);")
    #expect(try findings(folder).first?.problem == "has 0 chunks, not 1")
    try folder.tamper("PRAGMA foreign_keys = OFF; DELETE FROM weight WHERE id = \(contents.layers[3].weightID)")
    #expect(try findings(folder).contains { $0.table == "layer" && $0.problem.contains("row of weight") })
  }

  @Test func itFindsRowsThatContradictEachOther() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.write()
    try store.write { try $0.rows.update(.assignment, id: contents.low.id, ["variant_ids": .text("[1,null]")]) }
    store.close()
    let found = try findings(folder)
    #expect(found.contains { $0.table == "assignment" })
  }

  @Test func itFindsAChangedSchema() throws {
    let (folder, _) = try CatalogFolder.filled()
    try folder.tamper("DROP VIEW run_summary; CREATE VIEW more AS SELECT 1 AS one; DROP INDEX assignment_by_text")
    let found = try findings(folder).map { "\($0.row) \($0.problem)" }
    #expect(found.contains("view run_summary is missing"))
    #expect(found.contains("index assignment_by_text is missing"))
    #expect(found.contains("view more does not belong to a catalog"))
  }

  @Test func itEndsWhenAsked() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.read()
    defer { store.close() }
    #expect(throws: CancellationError.self) {
      _ = try store.verify(onFinding: { _ in }, isCancelled: { true })
    }
  }
}
