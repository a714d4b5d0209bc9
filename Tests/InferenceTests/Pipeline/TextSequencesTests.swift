import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

@Suite(.usualTimeLimit) struct TextSequencesTests {
  private let catalog: TestCatalog
  private let example: ModelRecord

  init() throws {
    catalog = try TestCatalog()
    example = try catalog.importModel(Fixtures.example("prose-10m"))
  }

  private func store(
    _ files: [URL], as name: String, length: Int = 256, limit: Int? = nil,
    beginning: TextSequences.BeginningOfSequence = .none, documents: TextSequences.Documents = .join
  ) throws -> DataSetRecord {
    try TextSequences(sequenceLength: length, tokenLimit: limit, beginning: beginning, documents: documents)
      .store(files.map { InputFile($0) }, as: name, model: example, job: catalog.job).dataSet
  }

  private func refusal(_ body: () throws -> Void) -> String {
    do {
      try body()
      return ""
    } catch { return "\(error)" }
  }

  @Test func theExampleTextsGiveTheKnownSequences() throws {
    let tokenizer = try Tokenizer(contentsOf: Fixtures.example("prose-10m/tokenizer.json"))
    for (name, count) in [("calibration", 92), ("validation", 42)] {
      let file = Fixtures.example("prose-10m/\(name).txt")
      let dataSet = try store([file], as: name)
      #expect(dataSet.sequenceCount == count && dataSet.tokenCount == count * 256)
      let ids = try tokenizer.encode(String(contentsOf: file, encoding: .utf8), addingSpecialTokens: false)
      #expect(dataSet.droppedTokenCount == ids.count - count * 256)
      #expect(try catalog.sequences(dataSet).flatMap(\.tokenIDs) == Array(ids[..<(count * 256)]))
      #expect(dataSet.tokenizerDigest == (try ModelImport.fileDigest(Fixtures.example("prose-10m/tokenizer.json"))))
      #expect(try store([file], as: name).id == dataSet.id, "the same again is found")
    }
    let text = Fixtures.example("prose-10m/validation.txt")
    #expect(try store([text], as: "some", limit: 1000).sequenceCount == 3)
    #expect(refusal { _ = try store([text], as: "some", limit: 2000) }.contains("some"))
  }

  @Test func documentsAreJoinedOrCutApart() throws {
    let words = String(repeating: "the people of the town were there ", count: 8)
    let files = try ["a.txt", "b.txt"].map { try catalog.folder.write(words, to: $0) }
    let count = try Tokenizer(contentsOf: Fixtures.example("prose-10m/tokenizer.json"))
      .encode(words, addingSpecialTokens: false).count
    let length = count * 2 / 3
    let joined = try store(files, as: "joined", length: length)
    #expect(joined.sequenceCount == 3 || joined.sequenceCount == 2)
    let separate = try store(files, as: "separate", length: length, documents: .separate)
    #expect(separate.sequenceCount == 2)
    #expect(separate.droppedTokenCount == 2 * (count - length))
  }

  @Test func aBeginningTokenCountsInTheLength() throws {
    let file = Fixtures.example("prose-10m/validation.txt")
    let plain = try catalog.sequences(store([file], as: "plain", length: 32, limit: 320))
    let marked = try catalog.sequences(store([file], as: "marked", length: 32, limit: 320, beginning: .eachSequence))
    #expect(plain.count == 10 && marked.count == 10)
    #expect(marked.allSatisfy { $0.tokenIDs.count == 32 && $0.tokenIDs[0] == 0 })
    #expect(marked.flatMap { $0.tokenIDs.dropFirst() } == Array(plain.flatMap(\.tokenIDs)[..<310]))
  }

  @Test func unusableTextsAreRefusedWithTheReason() throws {
    let folder = catalog.folder
    let bad = try folder.write(Array("sch\u{f6}n und gut, ".utf8) + [0xff, 0x41], to: "bad.txt")
    #expect(refusal { _ = try store([bad], as: "x") }.contains("is not UTF-8 text (byte 16)"))
    let cut = try folder.write(Array(String(repeating: "\u{20ac}", count: 50).utf8.dropLast()), to: "cut.txt")
    #expect(refusal { _ = try store([cut], as: "x") }.contains("(byte 147)"))
    let empty = try folder.write("", to: "empty.txt")
    #expect(refusal { _ = try store([empty], as: "x") }.contains("is empty"))
    let short = try folder.write("Too short.", to: "short.txt")
    #expect(refusal { _ = try store([short], as: "x") }.contains("less than one sequence of 256"))
    #expect(refusal { _ = try store([short], as: "x", length: 1) }.contains("at least 2 tokens"))
    #expect(refusal { _ = try store([short], as: "x", length: 16, limit: 15) }.contains("15 tokens is less"))
    #expect(refusal { _ = try store([folder.url.appendingPathComponent("no.txt")], as: "x") }.contains("no such file"))
    #expect(try catalog.store.read { try $0.dataSets() }.isEmpty)
  }

  @Test func tokenIDsAreTakenAsTheyAre() throws {
    let tiny = try TestCatalog()
    try tiny.importModel()
    let dataSet = try tiny.storeTokens(sequenceCount: 3)
    #expect(dataSet.sequenceCount == 3 && dataSet.tokenCount == 120 && dataSet.tokenizerDigest == nil)
    #expect(try tiny.sequences(dataSet).flatMap(\.tokenIDs) == randomTokens(120, vocabulary: 96, seed: 1))
    let model = try tiny.store.read { try $0.model(nil) }
    for (ids, shape, reason) in [
      ([0, 96], [1, 2], "outside the vocabulary"), ([0, -1], [1, 2], "-1 is no token id"),
      ([1, 2], [2, 1], "at least 2 tokens"), ([1, 2], [2], "must be [sequences, tokens]"),
    ] as [([Int32], [Int], String)] {
      let file = try tiny.folder.write(TestCatalog.tokenFile(ids, shape: shape), to: "ids.safetensors")
      let text = refusal {
        _ = try TextSequences.store(tokenIDs: InputFile(file), as: "x", model: model, job: tiny.job)
      }
      #expect(text.contains(reason), "\(text)")
    }
    // A model without tokenizer takes no text.
    let text = Fixtures.example("prose-10m/validation.txt")
    let plan = TextSequences(sequenceLength: 8, tokenLimit: nil, beginning: .none, documents: .join)
    let answer = refusal { _ = try plan.store([InputFile(text)], as: "x", model: model, job: tiny.job) }
    #expect(answer.contains("token ids"))
  }
}
