import TestSupport
import Testing

@testable import Catalog

/// Names of models, data sets and runs: who has them, and what is said when nobody or somebody else has.
@Suite(.usualTimeLimit) struct NameTests {
  @Test func aDataSetOfTheSameContentIsFoundAgain() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    let again = try store.write {
      try $0.store(
        dataSet: "text", sequences: ExampleContents.tokens, tokenizerDigest: nil, textDigest: nil, options: "{}",
        droppedTokenCount: 0)
    }
    #expect(!again.isNew && again.dataSet == contents.dataSet)
    #expect(again.dataSet.sequenceCount == 3 && again.dataSet.tokenCount == 13)
    #expect(again.dataSet.droppedTokenCount == 3)
  }

  @Test func aDataSetsNameIsNotGivenToOtherContent() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    let before = try store.read { try $0.sharedDigest(includingProvenance: true) }
    #expect(throws: CatalogError.nameTaken("a data set called text has other content; choose another name")) {
      try store.write {
        _ = try $0.store(
          dataSet: "text", sequences: [[77, 78]], tokenizerDigest: nil, textDigest: nil, options: "{}",
          droppedTokenCount: 0)
      }
    }
    #expect(try store.read { try $0.sharedDigest(includingProvenance: true) } == before)
  }

  @Test func theSameContentMayHaveTwoNames() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    let other = try store.write {
      try $0.store(
        dataSet: "copy", sequences: ExampleContents.tokens, tokenizerDigest: nil, textDigest: nil, options: "{}",
        droppedTokenCount: 0)
    }
    #expect(other.isNew && other.dataSet.sequenceListID == contents.dataSet.sequenceListID)
  }

  @Test func sequencesComeBackInOrderAndRepeated() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    let order = [2, 0, 2, 1].map { contents.sequences[$0] }
    let list = try store.write { try $0.store(sequenceList: order) }
    #expect(try store.read { try $0.sequences(ofList: list.id) }.map(\.tokenIDs) == order.map(\.tokenIDs))
  }

  @Test func aNameThatIsMissingIsAnsweredWithTheKnownOnes() throws {
    let (folder, contents) = try CatalogFolder.filled()
    try folder.read().read { (transaction) throws in
      #expect(throws: CatalogError.notFound("no data set called nothing; known: text, held-out")) {
        try transaction.dataSet("nothing")
      }
      #expect(throws: CatalogError.notFound("no model called nothing; known: tiny")) {
        try transaction.model("nothing")
      }
      #expect(throws: CatalogError.notFound("no run called nothing; known: first")) { try transaction.run("nothing") }
      expectError(like: CatalogError.notFound("the catalog holds several data sets")) { try transaction.dataSet(nil) }
      #expect(try transaction.dataSet("held-out") == contents.heldOut)
      #expect(try transaction.model(nil) == contents.model)
      #expect(try transaction.model(String(contents.model.digest.hex.prefix(8))) == contents.model)
      let short = String(contents.model.digest.hex.prefix(7))
      #expect(throws: CatalogError.notFound("no model called \(short); known: tiny")) { try transaction.model(short) }
      #expect(try transaction.run(nil) == contents.run)
      #expect(try transaction.run(recipeDigest: contents.run.recipeDigest) == contents.run)
    }
  }

  @Test func anEmptyCatalogSaysHowToFillIt() throws {
    let folder = try CatalogFolder()
    let store = try folder.create()
    defer { store.close() }
    try store.read { (transaction) throws in
      let cases: [(missing: String, body: () throws -> Void, remedy: Remedy)] = [
        ("data set", { _ = try transaction.dataSet(nil) }, .addDataSet),
        ("model", { _ = try transaction.model(nil) }, .importModel),
        ("run", { _ = try transaction.run(nil) }, .startSearch),
      ]
      for (missing, body, remedy) in cases {
        expectError(
          like: CatalogError.notFound("the catalog holds no \(missing)", remedy: remedy), performing: body)
      }
    }
  }

  @Test func aModelIsStoredOnceAndMayBeRenamed() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    let renamed = try store.write { try ExampleContents.storeModel(in: $0, name: "small") }
    #expect(renamed.id == contents.model.id)
    #expect(try store.read { try $0.models().map(\.name) } == ["small"])
    #expect(try store.read { try $0.layers(ofModel: renamed.id) } == contents.layers)
    expectError(like: CatalogError.nameTaken("another model is called small")) {
      try store.write { _ = try ExampleContents.storeModel(in: $0, name: "small", seed: "other") }
    }
    let second = try store.write { try ExampleContents.storeModel(in: $0, name: "large", seed: "other") }
    #expect(second.id != renamed.id)
    expectError(like: CatalogError.notFound("the catalog holds several models")) {
      try store.read { _ = try $0.model(nil) }
    }
  }

  @Test(arguments: ["", "a\u{1b}[31m", "two\nlines", "\u{9b}x", String(repeating: "x", count: 201)])
  func aNameThatATerminalWouldObeyIsRefused(name: String) throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    var run = contents.run
    run.name = name
    func refused(_ kind: String, _ body: (CatalogTransaction) throws -> Void) {
      let rule = "the name of a \(kind) must have 1 to 200 bytes and no control characters"
      #expect(throws: CatalogError.invalidName(rule)) { try store.write(body) }
    }
    refused("run") { _ = try $0.begin(run: run) }
    refused("data set") {
      _ = try $0.store(
        dataSet: name, sequences: [[1, 2]], tokenizerDigest: nil, textDigest: nil, options: "{}", droppedTokenCount: 0)
    }
    refused("task") { _ = try $0.store(task: name, items: []) }
  }
}
