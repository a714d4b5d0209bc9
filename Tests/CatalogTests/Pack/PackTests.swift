import Foundation
import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct PackTests {
  /// A pack of the catalog in a folder of its own.
  private func pack(_ source: CatalogFolder, _ contents: CatalogPack.Contents, runs: [String] = []) throws -> (
    folder: CatalogFolder, report: CatalogPack.Report
  ) {
    let folder = try CatalogFolder()
    let report = try CatalogPack(contents: contents, runs: runs).run(from: source.path, to: folder.path)
    #expect(try folder.files == ["c.evodb"])
    #expect(try folder.defects() == [])
    #expect(try folder.rows("PRAGMA integrity_check") == [[.text("ok")]])
    #expect(try folder.rows("PRAGMA journal_mode") == [[.text("delete")]])
    #expect(try folder.rows("SELECT count(*) FROM pragma_foreign_key_check") == [[.integer(0)]])
    return (folder, report)
  }

  @Test func aPackHoldsAllThatIsSharedWhateverComesAlong() throws {
    let (source, _) = try CatalogFolder.filled()
    for (contents, warm) in [(CatalogPack.Contents.results, 0), (.variants, 8), (.all, 8)] {
      let (folder, report) = try pack(source, contents)
      #expect(try folder.digest() == source.digest(), "\(contents)")
      #expect(report.variantCount == 8 && report.warmVariantCount == warm && report.runCount == 1)
    }
    let chunks = try CatalogPack.Contents.allCases.map { contents in
      try pack(source, contents).folder.rows("SELECT count(*) FROM blob_chunk")[0][0]
    }
    // The Hessian's diagonal comes with all alone; what the dense model said and streams never do.
    #expect(chunks == [.integer(0), .integer(8), .integer(9)])
  }

  @Test func weightsThatAreNotHereAreNoVariantsToSearchWith() throws {
    let (source, contents) = try CatalogFolder.filled()
    let (folder, _) = try pack(source, .results)
    let store = try folder.write()
    defer { store.close() }
    let variant = contents.variants[0][0]
    let weight = try store.read { try #require(try $0.id(of: contents.layers[0].weightDigest, in: .weight)) }
    try store.read { (transaction) throws in
      #expect(try transaction.variant(recipeKey: variant.recipeKey) == nil)
      #expect(try transaction.variants(ofWeight: weight).isEmpty)
      let stored = try #require(try transaction.connection.integer("SELECT blob_id FROM variant LIMIT 1"))
      expectError(like: CatalogError.notFound("are not in this file, which was packed without them")) {
        try transaction.blob(stored)
      }
      let statistic = try #require(
        try transaction.statistic(recipeKey: variant.statisticRecipeKey ?? variant.recipeKey, preferring: 1))
      #expect(statistic.matrixBlobID == nil)
    }
    // Built again with the same bytes they are the same variants.
    let original = try source.read()
    defer { original.close() }
    let bytes = try original.read { try $0.blob(variant.blobID) }
    try store.write { (transaction) throws in
      #expect(!(try transaction.store(variant: variant, packed: bytes)).recipeKey.hex.isEmpty)
      #expect(try transaction.variant(recipeKey: variant.recipeKey)?.contentKey == variant.contentKey)
      #expect(try transaction.variants(ofWeight: weight).count == 1)
    }
    #expect(try folder.digest() == source.digest())
  }

  @Test func aPackOfARunHoldsNothingElse() throws {
    let (source, contents) = try CatalogFolder.filled()
    let alone = try source.digest()
    try source.change { (transaction) throws in
      _ = try ExampleContents.storeModel(in: transaction, name: "other", seed: "other")
      _ = try transaction.store(
        dataSet: "unused", sequences: [[9, 9], [8, 8]], tokenizerDigest: nil, textDigest: nil, options: "{}",
        droppedTokenCount: 0)
      var run = contents.run
      run.name = "second"
      run.foundAssignmentID = nil
      run.isFinished = false
      run = try transaction.begin(run: run)
      try transaction.rows.update(.job, id: 1, ["run_id": .integer(run.id)])
    }
    #expect(try source.digest() != alone)
    let (folder, report) = try pack(source, .variants, runs: ["first"])
    #expect(report.runCount == 1 && report.warmVariantCount == 8)
    #expect(try folder.rows("SELECT name FROM model") == [[.text("tiny")]])
    #expect(try folder.rows("SELECT name FROM data_set ORDER BY name") == [[.text("held-out")], [.text("text")]])
    #expect(try folder.rows("SELECT name FROM run") == [[.text("first")]])
    #expect(try folder.rows("SELECT count(*) FROM observation") == source.rows("SELECT count(*) FROM observation"))
    // All of the example belongs to the first run but one assignment's… of none: the pack is the catalog as it was.
    #expect(try folder.digest() == alone)
    #expect(throws: CatalogError.notFound("no run called third; known: first, second")) {
      try pack(source, .results, runs: ["third"])
    }
  }

  @Test func aPackOfABranchBringsTheRunItCameFrom() throws {
    let (source, contents) = try CatalogFolder.filled()
    try source.change { (transaction) throws in
      var run = contents.run
      run.name = "branch"
      run.foundAssignmentID = nil
      run.isFinished = false
      run = try transaction.begin(run: run)
      try transaction.rows.update(
        .run, id: run.id, ["origin_run_id": .integer(contents.run.id), "origin_generation": .integer(0)])
    }
    #expect(try pack(source, .results, runs: ["branch"]).report.runCount == 2)
    #expect(try pack(source, .results, runs: ["first"]).report.runCount == 1)
  }

  @Test func anExistingFileIsNeverOverwritten() throws {
    let (source, _) = try CatalogFolder.filled()
    let folder = try CatalogFolder()
    try Data([1]).write(to: URL(fileURLWithPath: folder.path))
    #expect(throws: CatalogError.exists(path: folder.path)) {
      try CatalogPack(contents: .all).run(from: source.path, to: folder.path)
    }
    #expect(try folder.bytes == Data([1]))
    #expect(throws: CatalogError.exists(path: source.path)) {
      try CatalogPack(contents: .all).run(from: source.path, to: source.path)
    }
  }

  @Test func aStopLeavesNoFile() throws {
    let (source, _) = try CatalogFolder.filled()
    for patience in [0, 2, 10] {
      let folder = try CatalogFolder()
      var looks = 0
      let pack = CatalogPack(contents: .all, progress: { _ in looks += 1 }, wantsToStop: { looks > patience })
      #expect(throws: CatalogError.interrupted("stopped; nothing was changed: run the same command again")) {
        try pack.run(from: source.path, to: folder.path)
      }
      #expect(try folder.files == [])
    }
  }
}
