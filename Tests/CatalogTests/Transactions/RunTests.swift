import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct RunTests {
  @Test func aRunComesBackAsItStands() throws {
    let (folder, contents) = try CatalogFolder.filled()
    try folder.read().read { (transaction) throws in
      #expect(try transaction.runs() == [contents.run])
      #expect(contents.run.isFinished && contents.run.recommendation == .found)
    }
  }

  @Test func aRunsNameIsTakenOnce() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    var other = contents.run
    other.recipeDigest = SHA256.digest(of: [9])
    expectError(like: CatalogError.nameTaken("a run called \(other.name) has another recipe")) {
      try store.write { try $0.begin(run: other) }
    }
  }

  @Test func theLastGenerationIsWhereToGoOn() throws {
    let (folder, contents) = try CatalogFolder.filled()
    try folder.read().read { (transaction) throws in
      let last = try transaction.lastGeneration(ofRun: contents.run.id)
      #expect(last?.index == 1 && last?.parent == contents.high)
      #expect(try transaction.lastGeneration(ofRun: 4711) == nil)
    }
  }

  @Test func aSpaceComesBackWithItsDigest() throws {
    let (folder, contents) = try CatalogFolder.filled()
    try folder.read().read { (transaction) throws in
      let space = try transaction.space(id: contents.run.spaceID)
      #expect(space.units.count == 4 && space.units.allSatisfy { $0.levels.count == 2 })
      #expect(space.units[1].levels.map(\.label) == ["bits=4", "bits=3"])
      let digest = try transaction.connection.firstRow(
        "SELECT digest FROM space WHERE id = ?", [.integer(space.id)]
      ) { try $0.value("digest") as Digest }
      #expect(digest == space.digest)
    }
  }

  @Test func tiedLayersComeBackInTheOrderOfTheModel() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    let members = [2, 0].map { index in
      SpaceRecord.Member(
        layerID: contents.layers[index].id, layerName: contents.layers[index].name, layerIndex: index, variantID: nil,
        contentKey: nil, isDropped: false)
    }
    let unit = SpaceRecord.Unit(
      name: "tied", sizeGroup: "32", nameGroup: "q_proj", weightCount: 32,
      levels: [SpaceRecord.Level(cost: 512, label: "dense", members: members)])
    let space = SpaceRecord(
      modelID: contents.model.id, modelDigest: contents.model.digest, cost: "codes", units: [unit])
    let id = try store.write { try $0.store(space: space).id }
    let found = try store.read { try $0.space(id: id) }
    #expect(found.units[0].levels[0].members.map(\.layerIndex) == [0, 2])
    #expect(found.digest == space.digest)
  }

  @Test func aVariantComesBackAndIsStoredOnce() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    let variant = contents.variants[3][1]
    try store.write { (transaction) throws in
      let again = try transaction.store(variant: variant, packed: [])
      #expect(again.id == variant.id && again.blobID == variant.blobID)
      let found = try transaction.variant(id: variant.id)
      #expect(found.contentKey == variant.contentKey && found.nmse == variant.nmse && found.trouble == variant.trouble)
      #expect(try transaction.variant(recipeKey: variant.recipeKey)?.id == variant.id)
      #expect(SHA256.digest(of: try transaction.blob(variant.blobID)) == variant.contentKey)
      #expect(try transaction.variants(ofWeight: variant.weightID).map(\.level).sorted() == ["bits=3", "bits=4"])
    }
  }

  @Test func ofTwoRealisationsTheOneWithMostObservationsIsTaken() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    let known = contents.variants[0][0]
    try store.write { (transaction) throws in
      for seed in 0..<4 {
        var other = known
        other.contentKey = SHA256.digest(of: "realisation \(seed)".utf8)
        #expect(try transaction.store(variant: other, packed: [UInt8(seed)]).id != known.id)
      }
      #expect(try transaction.variant(recipeKey: known.recipeKey)?.id == known.id)
      #expect(try transaction.variants(ofWeight: known.weightID).map(\.level).sorted() == ["bits=3", "bits=4"])
    }
  }

  @Test func aStatisticGainsWhatItLacked() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    try store.write { (transaction) throws in
      let key = try #require(contents.variants[0][0].statisticRecipeKey)
      let before = try #require(try transaction.statistic(recipeKey: key, preferring: contents.here))
      #expect(before.matrixBlobID == nil)
      let matrix = Array("matrix".utf8)
      let id = try transaction.store(statistic: before, diagonal: nil, matrix: matrix)
      let after = try #require(try transaction.statistic(recipeKey: key, preferring: contents.here))
      #expect(id == before.id && after.id == id)
      #expect(try transaction.blob(try #require(after.matrixBlobID)) == matrix)
      // Bytes that are not what was accumulated do not count.
      let other = try transaction.store(blob: [1, 2, 3, 4])
      try transaction.rows.update(.statistic, id: id, ["matrix_blob_id": .integer(other)])
      #expect(try transaction.statistic(recipeKey: key, preferring: contents.here)?.matrixBlobID == nil)
    }
  }
}
