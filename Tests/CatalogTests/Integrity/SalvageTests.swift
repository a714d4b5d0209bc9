import Foundation
import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct SalvageTests {
  private func salvage(_ folder: CatalogFolder) throws -> (tables: [CatalogSalvage.Table], saved: CatalogStore) {
    let output = folder.folder.url.appendingPathComponent("saved.evodb").path
    try? FileManager.default.removeItem(atPath: output)
    let tables = try CatalogSalvage(path: folder.path, output: output).run().tables
    return (tables, try CatalogStore(path: output, mode: .read))
  }

  private func isClean(_ store: CatalogStore) throws -> Bool {
    var findings: [IntegrityFinding] = []
    _ = try store.verify(onFinding: { findings.append($0) })
    if !findings.isEmpty { Issue.record("\(findings)") }
    return findings.isEmpty
  }

  @Test func ofAWholeCatalogEverythingIsSaved() throws {
    let (folder, _) = try CatalogFolder.filled()
    let before = try folder.bytes
    let digest = try folder.read().read { try $0.sharedDigest(includingProvenance: true) }
    let (tables, saved) = try salvage(folder)
    #expect(try isClean(saved))
    #expect(try saved.read { try $0.sharedDigest(includingProvenance: true) } == digest)
    #expect(tables.allSatisfy { $0.lostCount == 0 && $0.gapCount == 0 && $0.emptiedCount == 0 })
    #expect(try folder.bytes == before)
    #expect(try folder.files == ["c.evodb", "saved.evodb"])
  }

  @Test func aDamagedRowAndWhatStandsOnItAreLeftOut() throws {
    let (folder, contents) = try CatalogFolder.filled()
    try folder.tamper("UPDATE assignment SET code_bits = code_bits + 1 WHERE id = \(contents.low.id)")
    let (tables, saved) = try salvage(folder)
    #expect(try isClean(saved))
    func lost(_ table: String) -> Int64? { tables.first { $0.name == table }?.lostCount }
    #expect(lost("assignment") == 1)
    #expect(lost("observation") == 6)
    #expect(try saved.read { try $0.assignment(digestPrefix: contents.high.digest.short) } != nil)
    #expect(try saved.read { try $0.assignment(digestPrefix: contents.low.digest.short) } == nil)
  }

  @Test func aBlobWithDamagedBytesKeepsItsVariantAndEvaluations() throws {
    let (folder, contents) = try CatalogFolder.filled()
    try folder.tamper(
      "UPDATE blob_chunk SET bytes = zeroblob(3) WHERE blob_id = \(contents.variants[0][0].blobID)")
    let (tables, saved) = try salvage(folder)
    #expect(try isClean(saved))
    #expect(tables.first { $0.name == "blob" }?.emptiedCount == 1)
    #expect(tables.allSatisfy { $0.lostCount == 0 })
  }

  /// As two writers leave it who gave out the same ids: each row is what was written, and what it points to is there.
  @Test func aVariantGetsBackTheBytesThatItsContentKeyNames() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let (one, other) = (contents.variants[0][0], contents.variants[2][1])
    let digest = try folder.digest()
    try folder.change { transaction in
      try transaction.rows.update(.variant, id: one.id, ["blob_id": .integer(other.blobID)])
      #expect(try transaction.variant(recipeKey: one.recipeKey) == nil)
      expectError(like: CatalogError.damaged("does not have the packed bytes that its content key names")) {
        try transaction.packedWeights(of: transaction.variant(id: one.id))
      }
    }
    #expect(
      try DamagedFile(folder).findings().contains {
        $0.table == "variant" && $0.problem == "its packed bytes are not what its content key says"
      })
    let (tables, saved) = try salvage(folder)
    #expect(try isClean(saved))
    #expect(tables.allSatisfy { $0.lostCount == 0 && $0.emptiedCount == 0 })
    #expect(try saved.read { try $0.sharedDigest(includingProvenance: true) } == digest)
    #expect(try saved.read { try $0.packedWeights(of: $0.variant(id: one.id)).count } == Int(one.storedBits) / 8)
  }

  @Test func aVariantWhoseBytesAreNowhereKeepsItsDigest() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let id = contents.variants[0][0].blobID
    try folder.tamper("PRAGMA foreign_keys = OFF; UPDATE blob SET row_check = 1 WHERE id = \(id)")
    let (tables, saved) = try salvage(folder)
    #expect(try isClean(saved))
    #expect(tables.first { $0.name == "blob" }.map { [$0.lostCount, $0.emptiedCount] } == [1, 1])
    #expect(tables.filter { $0.name != "blob" }.allSatisfy { $0.lostCount == 0 })
    #expect(try saved.read { try $0.variant(recipeKey: contents.variants[0][0].recipeKey) } == nil)
  }

  @Test func answersStayWhenItIsLostWhoGaveThem() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let digest = try folder.digest()
    try folder.tamper("UPDATE job SET row_check = 1 WHERE id = \(contents.job.id)")
    let (tables, saved) = try salvage(folder)
    #expect(try isClean(saved))
    #expect(tables.filter { $0.name != "job" }.allSatisfy { $0.lostCount == 0 })
    #expect(try saved.read { try $0.sharedDigest(includingProvenance: true) } == digest)
    let message = try saved.read { try $0.connection.text("SELECT message FROM job") }
    #expect(message == "its row was damaged and could not be saved; this one was put in its place")
  }

  @Test func aStatisticKeepsOnlyWhatIsItsOwn() throws {
    let (folder, contents) = try CatalogFolder.filled()
    try folder.change { transaction in
      try transaction.rows.update(
        .statistic, id: 1,
        [
          "matrix_blob_id": .integer(contents.variants[0][0].blobID),
          "diagonal_blob_id": .integer(contents.variants[0][0].blobID),
        ])
    }
    let problems = try DamagedFile(folder).findings().map(\.problem)
    #expect(problems.contains("its matrix is not what its content key says"))
    #expect(problems.contains { $0.hasPrefix("its diagonal has ") })
    let (tables, saved) = try salvage(folder)
    #expect(try isClean(saved))
    #expect(tables.allSatisfy { $0.lostCount == 0 })
  }

  @Test func aDiagonalOfAnotherMatrixIsFound() throws {
    let (folder, _) = try CatalogFolder.filled()
    let triangle: [UInt8] = (1...40).map { UInt8($0) }
    let diagonal: [UInt8] = Array(triangle[0..<4] + triangle[8..<12] + triangle[20..<24] + triangle[36..<40])
    for (bytes, isWhole) in [(diagonal, true), (diagonal.reversed(), false)] {
      let copy = try folder.copy()
      try copy.change { transaction in
        let (matrix, other) = (try transaction.store(blob: triangle), try transaction.store(blob: bytes))
        try transaction.rows.update(
          .statistic, id: 1,
          [
            "content_key": .digest(SHA256.digest(of: triangle)), "matrix_blob_id": .integer(matrix),
            "diagonal_blob_id": .integer(other),
          ])
      }
      let found = try DamagedFile(copy).findings()
      #expect(found.isEmpty == isWhole, "\(found)")
      #expect(isWhole || found.first?.problem == "its diagonal is not that of its matrix")
      #expect(try isClean(try salvage(copy).saved))
    }
  }

  @Test func partsOfAGenerationThatIsNotThereAreFoundAndLeftOut() throws {
    let (folder, _) = try CatalogFolder.filled()
    try folder.change { transaction in
      try transaction.rows.insert(
        .stage,
        [
          "run_id": .integer(Int64(1)), "generation_index": .integer(Int64(9)), "stage_index": .integer(Int64(0)),
          "minibatch_id": .integer(Int64(1)),
        ])
    }
    #expect(try DamagedFile(folder).findings().map(\.problem) == ["its generation 9 is missing"])
    #expect(try isClean(try salvage(folder).saved))
  }

  @Test func aRunThatLostItsEndIsOpenAgain() throws {
    let (folder, contents) = try CatalogFolder.filled()
    try folder.tamper("UPDATE generation SET row_check = 1 WHERE generation_index = 1")
    let (_, saved) = try salvage(folder)
    #expect(try isClean(saved))
    let run = try #require(try saved.read { try $0.runs().first })
    #expect(!run.isFinished && run.foundAssignmentID == nil && run.startAssignmentID == contents.run.startAssignmentID)
    #expect(try saved.read { try $0.lastGeneration(ofRun: run.id) }?.index == 0)
  }

  @Test func aCutListIsNotTakenForAWholeOne() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let list = contents.dataSet.sequenceListID
    try folder.tamper("UPDATE sequence_list_item SET row_check = 1 WHERE sequence_list_id = \(list) AND position = 1")
    let (_, saved) = try salvage(folder)
    #expect(try isClean(saved))
    #expect(try saved.read { try $0.dataSets().map(\.name) } == ["held-out"])
  }

  @Test func ofAFileCutAnywhereTheRestIsSaved() throws {
    let (folder, _) = try CatalogFolder.filled()
    let file = try DamagedFile(folder)
    var random = SplitMix64(property: 4)
    var savedCounts: Set<Int64> = []
    var refusals = 0
    for _ in 0..<30 {
      let length = Int.random(in: 0..<file.bytes.count, using: &random)
      try file.write(Array(file.bytes[..<length]))
      do {
        let (tables, saved) = try salvage(folder)
        #expect(try isClean(saved), "\(length)")
        savedCounts.insert(tables.reduce(0) { $0 + $1.savedCount })
      } catch CatalogError.notACatalog {
        refusals += 1
      }
      #expect(try [UInt8](folder.bytes).count == length)
    }
    #expect(savedCounts.count > 5 && refusals < 20)
    #expect(try folder.files.allSatisfy { ["c.evodb", "saved.evodb"].contains($0) })
  }

  @Test func ofAFileWithFlippedBitsTheRestIsSaved() throws {
    let (folder, _) = try CatalogFolder.filled()
    let file = try DamagedFile(folder)
    var random = SplitMix64(property: 5)
    let whole = try salvage(folder).tables.reduce(0) { $0 + $1.savedCount }
    for round in 0..<40 {
      var damaged = file.bytes
      // Half of them in the first pages, where header and schema lie.
      let range = round % 2 == 0 ? 0..<8192 : 0..<file.bytes.count
      damaged[Int.random(in: range, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      try file.write(damaged)
      do {
        let (tables, saved) = try salvage(folder)
        #expect(try isClean(saved))
        #expect(tables.reduce(0) { $0 + $1.savedCount } <= whole)
      } catch CatalogError.notACatalog {
        // A flip in the first page can hide the whole schema.
        #expect(round % 2 == 0)
      }
    }
  }

  @Test func aLogThatAKilledWriterLeftIsTakenToo() throws {
    let (folder, _) = try CatalogFolder.filled()
    let writer = try folder.write()
    _ = try writer.write {
      try $0.store(
        dataSet: "late", sequences: [[9, 9, 9]], tokenizerDigest: nil, textDigest: nil, options: "{}",
        droppedTokenCount: 0)
    }
    // As if it were killed now: the files are copied away from under it.
    let other = try CatalogFolder()
    for suffix in ["", "-wal"] {
      try FileManager.default.copyItem(atPath: folder.path + suffix, toPath: other.path + suffix)
    }
    writer.close()
    let (_, saved) = try salvage(other)
    #expect(try isClean(saved))
    #expect(try saved.read { try $0.dataSet("late").sequenceCount } == 1)
  }

  @Test func itNeverOverwritesAndRefusesAFileInUse() throws {
    let (folder, _) = try CatalogFolder.filled()
    let mine = try folder.folder.write("mine", to: "mine").path
    #expect(throws: CatalogError.exists(path: mine)) {
      _ = try CatalogSalvage(path: folder.path, output: mine).run()
    }
    let writer = try folder.write()
    defer { writer.close() }
    expectError(like: CatalogError.locked(path: folder.path, owner: "process \(getpid())")) {
      try CatalogSalvage(path: folder.path, output: folder.path + "2").run()
    }
  }

  @Test func otherFilesAreRefused() throws {
    let folder = try CatalogFolder()
    try folder.folder.write(String(repeating: "no database at all ", count: 500), to: "c.evodb")
    expectError(
      like: CatalogError.notACatalog(path: "saved.evodb", reason: "nothing of a catalog can be found in it")
    ) { try salvage(folder) }
    #expect(try folder.files == ["c.evodb"])
  }
}
