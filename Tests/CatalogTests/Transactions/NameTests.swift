import TestSupport
import Testing

@testable import Catalog

/// Names of models, data sets and runs: who has them, and what is said when nobody or somebody else has.
@Suite struct NameTests {
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
    let error = #expect(throws: CatalogError.self) {
      try store.write {
        _ = try $0.store(
          dataSet: "text", sequences: [[77, 78]], tokenizerDigest: nil, textDigest: nil, options: "{}",
          droppedTokenCount: 0)
      }
    }
    guard case .nameTaken = error else {
      Issue.record("\(String(describing: error))")
      return
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
      for body: () throws -> Void in [
        { _ = try transaction.dataSet("nothing") }, { _ = try transaction.model("nothing") },
        { _ = try transaction.run("nothing") },
      ] {
        let error = #expect(throws: CatalogError.self) { try body() }
        #expect(error?.description.contains("known: ") == true)
      }
      #expect(throws: CatalogError.self) { _ = try transaction.dataSet(nil) }
      #expect(try transaction.dataSet("held-out") == contents.heldOut)
      #expect(try transaction.model(nil) == contents.model)
      #expect(try transaction.model(String(contents.model.digest.hex.prefix(8))) == contents.model)
      #expect(throws: CatalogError.self) { _ = try transaction.model(String(contents.model.digest.hex.prefix(7))) }
      #expect(try transaction.run(nil) == contents.run)
      #expect(try transaction.run(recipeDigest: contents.run.recipeDigest) == contents.run)
    }
  }

  @Test func anEmptyCatalogSaysHowToFillIt() throws {
    let folder = try CatalogFolder()
    let store = try folder.create()
    defer { store.close() }
    try store.read { (transaction) throws in
      let cases: [(body: () throws -> Void, remedy: Remedy)] = [
        ({ _ = try transaction.dataSet(nil) }, .addDataSet), ({ _ = try transaction.model(nil) }, .importModel),
        ({ _ = try transaction.run(nil) }, .startSearch),
      ]
      for (body, remedy) in cases {
        let error = #expect(throws: CatalogError.self) { try body() }
        #expect(error?.remedy == remedy)
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
    #expect(throws: CatalogError.self) {
      try store.write { _ = try ExampleContents.storeModel(in: $0, name: "small", seed: "other") }
    }
    let second = try store.write { try ExampleContents.storeModel(in: $0, name: "large", seed: "other") }
    #expect(second.id != renamed.id)
    #expect(throws: CatalogError.self) { try store.read { _ = try $0.model(nil) } }
  }

  @Test(arguments: ["", "a\u{1b}[31m", "two\nlines", "\u{9b}x", String(repeating: "x", count: 201)])
  func aNameThatATerminalWouldObeyIsRefused(name: String) throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    var run = contents.run
    run.name = name
    func refused(_ body: (CatalogTransaction) throws -> Void) {
      let error = #expect(throws: CatalogError.self) { try store.write(body) }
      guard case .invalidName = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
    refused { _ = try $0.begin(run: run) }
    refused {
      _ = try $0.store(
        dataSet: name, sequences: [[1, 2]], tokenizerDigest: nil, textDigest: nil, options: "{}", droppedTokenCount: 0)
    }
    refused { _ = try $0.store(task: name, items: []) }
  }
}
