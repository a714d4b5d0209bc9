import Foundation
import TestSupport
import Testing

@testable import Catalog

/// The rows that merge, pack, salvage and upgrade write into the job table of their file.
@Suite(.usualTimeLimit) struct JobNoteTests {
  /// Of a machine that no example catalog knows.
  private static let elsewhere = NumericsRecord(blasVersion: "9", blasCore: "Elsewhere", kernels: "none")

  private func note(_ command: String, numerics: NumericsRecord = elsewhere) -> JobNote {
    JobNote(command: command, version: "1.2.3", numerics: numerics, peakMemoryByteCount: { 12_345 })
  }

  private func jobs(_ folder: CatalogFolder) throws -> [[SQLValue]] {
    try folder.rows("SELECT command, outcome, evodb_version, peak_memory_bytes, message FROM job ORDER BY id")
  }

  private func expectNote(
    _ command: String, _ folder: CatalogFolder, beside others: Int, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let jobs = try jobs(folder)
    #expect(jobs.count == others + 1, sourceLocation: sourceLocation)
    #expect(
      jobs.last == [.text(command), .text("done"), .text("1.2.3"), .integer(12_345), .null],
      sourceLocation: sourceLocation)
    let odd = try folder.rows(
      """
      SELECT uuid FROM job WHERE started_at > updated_at OR length(uuid) <> 36 OR elapsed_seconds < 0
        OR host_name = '' OR user_name = ''
      """)
    #expect(odd.isEmpty, sourceLocation: sourceLocation)
    let store = try folder.read()
    defer { store.close() }
    _ = try store.verify(onFinding: { Issue.record("\($0)", sourceLocation: sourceLocation) })
  }

  private func merge(_ others: [CatalogFolder], into folder: CatalogFolder, isRehearsal: Bool = false) throws {
    let store = try folder.write(command: "merge")
    defer { store.close() }
    _ = try CatalogMerge(into: store, job: note("merge")).run(others.map(\.path), isRehearsal: isRehearsal)
  }

  @Test func aMergeIsNotedAndDigestsDoNotTellWhoMerged() throws {
    let (first, _) = try CatalogFolder.filled()
    let second = try first.copy()
    try second.change { _ = try $0.store(sequence: [4, 5, 6]) }
    try first.change { _ = try $0.store(sequence: [7, 8]) }
    let (one, other) = (try first.copy(), try second.copy())
    let before = try jobs(one).count
    try merge([second], into: one)
    try merge([first], into: other)
    try expectNote("merge", one, beside: before)
    try expectNote("merge", other, beside: before)
    #expect(try one.digest() == other.digest())
    #expect(try one.rows("SELECT count(*) FROM numerics") == first.rows("SELECT count(*) FROM numerics"))
    // The notes travel, and everybody ends with the same catalog.
    let digest = try one.digest()
    try merge([other], into: one)
    try merge([one], into: other)
    #expect(try one.digest() == digest && other.digest() == digest)
    #expect(try jobs(one).count == before + 3 && jobs(other).count == before + 4)
  }

  @Test func whatChangesNothingIsNotNoted() throws {
    let (folder, _) = try CatalogFolder.filled()
    let (other, before) = (try folder.copy(), try jobs(folder))
    try merge([other], into: folder, isRehearsal: true)
    #expect(try jobs(folder) == before)
    try other.tamper("UPDATE sequence SET token_count = token_count + 1 WHERE id = 1")
    expectError(like: CatalogError.untrusted(path: other.path, detail: "sequence")) { try merge([other], into: folder) }
    #expect(try jobs(folder) == before)
    let bytes = try folder.bytes
    #expect(try CatalogUpgrade(job: note("upgrade")).run(path: folder.path).keptAs == nil)
    #expect(try folder.bytes == bytes)
  }

  @Test(arguments: [[], ["first"]]) func aPackIsNotedInTheNewFileAlone(_ runs: [String]) throws {
    let (source, _) = try CatalogFolder.filled()
    let bytes = try source.bytes
    let folder = try CatalogFolder()
    _ = try CatalogPack(contents: .results, runs: runs, job: note("pack")).run(from: source.path, to: folder.path)
    let times = try source.rows("SELECT max(updated_at), max(updated_at) FROM job")
    #expect(
      try jobs(folder) == jobs(source) + [[.text("pack"), .text("done"), .text("1.2.3"), .integer(0), .null]])
    #expect(try folder.rows("SELECT started_at, updated_at FROM job ORDER BY id DESC LIMIT 1") == times)
    #expect(try folder.defects().isEmpty)
    #expect(try folder.digest() == source.digest())
    #expect(try source.bytes == bytes)
  }

  /// The time of a pack is that of what it packs: packing again gives the same file.
  @Test func packsOfTheSameStateAreTheSameFile() throws {
    let (source, contents) = try CatalogFolder.filled()
    func pack(_ contents: CatalogPack.Contents = .results, _ runs: [String] = []) throws -> CatalogFolder {
      let folder = try CatalogFolder()
      _ = try CatalogPack(contents: contents, runs: runs, job: note("pack")).run(from: source.path, to: folder.path)
      return folder
    }
    func uuid(_ folder: CatalogFolder) throws -> [SQLValue] {
      try folder.rows("SELECT uuid FROM job WHERE command = 'pack'").joined().map { $0 }
    }
    let first = try pack()
    #expect(try pack().bytes == first.bytes)
    #expect(try pack(.variants, ["first"]).bytes == pack(.variants, ["first"]).bytes)
    // What is packed otherwise, or later, is another job.
    var uuids = try [first, pack(.all), pack(.results, ["first"])].flatMap { try uuid($0) }
    try source.change { try $0.update(job: contents.job, outcome: .done, at: "2100-01-01T00:00:00.000Z") }
    uuids += try uuid(try pack())
    #expect(uuids.count == 4 && Set(uuids.map { "\($0)" }).count == 4)
    // Everybody who merges both has both.
    let other = try CatalogFolder.empty()
    try merge([first, try pack()], into: other)
    #expect(try other.rows("SELECT count(*) FROM job WHERE command = 'pack'") == [[.integer(2)]])
  }

  @Test func aSalvageIsNotedInTheNewFileAlone() throws {
    let (source, _) = try CatalogFolder.filled()
    let bytes = try source.bytes
    let folder = try CatalogFolder()
    let tables = try CatalogSalvage(path: source.path, output: folder.path, job: note("salvage")).run().tables
    try expectNote("salvage", folder, beside: try jobs(source).count)
    let saved = tables.first { $0.name == "job" }?.savedCount
    #expect(saved == Int64(try jobs(source).count), "its own row was not saved from anything")
    #expect(try folder.digest() == source.digest())
    #expect(try source.bytes == bytes)
  }

  /// Also where nothing is left that it could point to.
  @Test func aSalvageOfNothingIsNoted() throws {
    let source = try CatalogFolder.empty()
    let folder = try CatalogFolder()
    _ = try CatalogSalvage(path: source.path, output: folder.path, job: note("salvage")).run()
    try expectNote("salvage", folder, beside: 0)
    #expect(try folder.rows("SELECT blas_core FROM numerics") == [[.text("Elsewhere")]])
  }

  @Test func theArithmeticIsThatOfTheProcessWhereTheFileKnowsIt() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let known = try folder.rows(
      "SELECT blas_version, blas_core, kernels, id FROM numerics ORDER BY id DESC LIMIT 1")[0]
    let texts = known.compactMap { value -> String? in
      if case .text(let text) = value { return text }
      return nil
    }
    #expect(texts.count == 3 && known[3] != .integer(1), "the example has several")
    let numerics = NumericsRecord(blasVersion: texts[0], blasCore: texts[1], kernels: texts[2])
    try folder.change { try $0.note(note("merge", numerics: numerics)) }
    #expect(try folder.rows("SELECT numerics_id FROM job ORDER BY id DESC LIMIT 1") == [[known[3]]])
    #expect(contents.job.id == 1)
  }
}
