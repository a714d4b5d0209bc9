import Foundation
import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct MergeTests {
  @Test func mergingIntoAnEmptyCatalogCopiesAllThatIsShared() throws {
    let (source, _) = try CatalogFolder.filled()
    let target = try CatalogFolder.empty()
    let report = try target.merge([source])
    #expect(try target.digest() == source.digest())
    #expect(report.equalCount == 0 && report.conflictCount == 0 && report.newCount > 100)
    #expect(try target.defects() == [])
    #expect(try target.rows("SELECT count(*) FROM pragma_foreign_key_check") == [[.integer(0)]])
    #expect(report.variantCount == 8 && report.warmVariantCount == 8)
    #expect(report.disagreeingCount == 1)
    for local in ["model_source", "teacher_state", "calibration_stream"] {
      #expect(try target.rows("SELECT count(*) FROM \(local)") == [[.integer(0)]])
    }
  }

  @Test func mergingTwiceChangesNothing() throws {
    let (one, other) = try CatalogFolder.twins()
    let before = try one.digest()
    let report = try one.merge([other, other])
    #expect(report.newCount == 0 && report.conflictCount == 0 && report.equalCount > 0)
    #expect(try one.digest() == before)
    #expect(try one.merge([other]).newCount == 0)
  }

  @Test func aRehearsalCountsAndChangesNothing() throws {
    let (source, _) = try CatalogFolder.filled()
    let target = try CatalogFolder.empty()
    let before = try target.digest()
    let rehearsed = try target.merge([source], isRehearsal: true)
    #expect(try target.digest() == before)
    #expect(rehearsed == (try target.merge([source])))
  }

  /// Random parts of one file, merged in random orders and trees.
  @Test(arguments: [2, 3, 4, 7, 11, 16])
  func partsOfARunMakeTheRunInAnyOrder(count: Int) throws {
    var random = SplitMix64(property: UInt64(count))
    let twins = try CatalogFolder.twins()
    let whole = try twins.0.digest()
    #expect(try twins.1.digest() == whole)
    for _ in 0..<2 {
      var parts = try (0..<count).map { part in
        try Self.part(part, of: count, from: part % 2 == 0 ? twins.0 : twins.1, seed: random.next())
      }
      while parts.count > 1 {
        parts.shuffle(using: &random)
        let taken = parts.removeLast()
        let target = Int.random(in: parts.indices, using: &random)
        try parts[target].merge([taken])
      }
      #expect(try parts[0].digest() == whole)
      #expect(try parts[0].defects() == [])
    }
  }

  /// A part of a catalog, as a colleague may have it: each observation is in its owner's part and sometimes in others;
  /// the first part has the whole run, the others a beginning of it, or nothing.
  static func part(_ part: Int, of count: Int, from source: CatalogFolder, seed: UInt64) throws -> CatalogFolder {
    let folder = try source.copy()
    var random = SplitMix64(property: seed)
    let rows = try folder.rows(
      """
      SELECT assignment_id, measure_id, sequence_id, numerics_id FROM observation o
      JOIN assignment a ON a.id = assignment_id JOIN measure m ON m.id = measure_id JOIN sequence s ON s.id = sequence_id
      JOIN numerics n ON n.id = numerics_id ORDER BY a.digest, m.digest, s.digest, n.digest
      """)
    try folder.change { transaction in
      for (index, row) in rows.enumerated() where index % count != part && Int.random(in: 0..<3, using: &random) > 0 {
        try transaction.connection.run(
          "DELETE FROM observation WHERE assignment_id = ? AND measure_id = ? AND sequence_id = ? AND numerics_id = ?",
          row)
      }
      guard part > 0 else { return }
      let kept = Int.random(in: 0...2, using: &random)
      for table in ["stage_result", "stage", "candidate", "generation"] {
        try transaction.connection.run("DELETE FROM \(table) WHERE generation_index >= ?", [.integer(kept)])
      }
      if kept < 2 {
        var changes: [String: SQLValue] = [
          "state": .text("open"), "found_assignment_id": .null, "recommendation": .null,
        ]
        if kept == 0 { changes["start_assignment_id"] = .null }
        try transaction.rows.update(.run, id: 1, changes)
      }
      if kept == 0, part % 3 == 0 {
        try transaction.rows.update(.job, id: 1, ["run_id": .null])
        try transaction.connection.run("DELETE FROM run")
        for table in ["space_member", "space_level", "space_unit", "space"] {
          try transaction.connection.run("DELETE FROM \(table)")
        }
      }
    }
    return folder
  }

  @Test func theSameQuestionAnsweredDifferentlyByTheSameArithmeticKeepsTheSmallerAnswerInEitherOrder() throws {
    let (one, other) = try CatalogFolder.twins()
    try other.tamper(
      "UPDATE observation SET sum = 1.5 WHERE sum = 1.75; UPDATE observation SET sum = 12 WHERE sum = 11.5")
    try other.forgeChecks()
    let (a, b) = (try one.copy(), try other.copy())
    #expect(try a.merge([other]).conflictCount == 2)
    try b.merge([one])
    #expect(try a.digest() == b.digest())
    #expect(try a.rows("SELECT count(*) FROM observation WHERE sum IN (1.5, 11.5)") == [[.integer(2)]])
    #expect(try a.defects() == [])
  }

  @Test func otherFiguresOfTheSameVariantEndInTheSameOneInEitherOrder() throws {
    let (one, other) = try CatalogFolder.twins()
    try other.tamper("UPDATE variant SET nmse = nmse * 1.0000001, trouble = NULL")
    try other.forgeChecks()
    let (a, b) = (try one.copy(), try other.copy())
    #expect(try a.merge([other]).conflictCount == 8)
    try b.merge([one])
    #expect(try a.digest() == b.digest())
  }

  @Test func blobsThatAreNotHereAreFilledByAFileThatHasThem() throws {
    let (one, other) = try CatalogFolder.twins()
    try one.change { transaction in
      try transaction.connection.run("DELETE FROM blob_chunk")
      for id in try transaction.connection.integers("SELECT id FROM blob") {
        try transaction.rows.update(.blob, id: id, ["chunk_count": .integer(0)])
      }
    }
    let target = try CatalogFolder.empty()
    #expect(try target.merge([one]).warmVariantCount == 0)
    #expect(try target.merge([other]).warmVariantCount == 8)
    #expect(try target.rows("SELECT count(*) FROM blob WHERE chunk_count = 0") == [[.integer(0)]])
    #expect(try target.defects() == [])
    // And what is here stays when a file without bytes is merged.
    try target.merge([one])
    #expect(try target.rows("SELECT count(*) FROM blob WHERE chunk_count = 0") == [[.integer(0)]])
  }

  @Test func aFileMergedIntoItselfIsRefused() throws {
    let (source, _) = try CatalogFolder.filled()
    let reason = "\(source.path) is the catalog to merge into: there is nothing to take from it"
    #expect(throws: CatalogError.notFound(reason)) { try source.merge([source]) }
  }

  @Test func aFileInUseIsReadAsItIs() throws {
    let (source, contents) = try CatalogFolder.filled()
    let writer = try source.write()
    defer { writer.close() }
    try writer.write { transaction in
      let sequence = try transaction.store(sequence: [1, 1])
      try transaction.store(
        observation: Observation(sum: 33, predictionCount: 1), assignmentID: contents.low.id, measureID: contents.kl.id,
        sequenceID: sequence.id, numericsID: contents.here, jobID: contents.job.id)
    }
    let target = try CatalogFolder.empty()
    try target.merge([source])
    #expect(try target.rows("SELECT count(*) FROM observation WHERE sum = 33") == [[.integer(1)]])
  }

  @Test func aStopLeavesTheCatalogAsItWas() throws {
    let (source, _) = try CatalogFolder.filled()
    let target = try CatalogFolder.empty()
    let before = try target.digest()
    for patience in [0, 1, 3, 10, 20] {
      let store = try target.write()
      var looks = 0
      let merge = CatalogMerge(into: store, progress: { _ in looks += 1 }, wantsToStop: { looks > patience })
      #expect(throws: CatalogError.interrupted("stopped; nothing was changed: run the same command again")) {
        try merge.run([source.path])
      }
      store.close()
      #expect(try target.digest() == before)
    }
  }
}
