import Foundation
import TestSupport
import Testing

@testable import Catalog

/// A log or journal of another file is never mixed into one, neither by `salvage` nor by opening.
@Suite(.usualTimeLimit) struct ForeignLogTests {
  /// The files of a killed writer, and their content.
  private struct Killed {
    /// With log and lock file.
    let folder: CatalogFolder
    /// The same file without its log.
    let alone: CatalogFolder
    /// Of everything that was written.
    let digest: Digest
  }

  /// A catalog of its own rows, killed after some commits of a second process.
  private func killed(_ name: String, reversed: Bool, using random: inout SplitMix64) throws -> Killed {
    let (live, _) = try CatalogFolder.filled(reversed: reversed)
    func add(_ count: Int, to store: CatalogStore, as set: String) throws {
      let sequences = (0..<count).map { _ in
        (0..<Int.random(in: 2...40, using: &random)).map { _ in Int32.random(in: 0...30_000, using: &random) }
      }
      _ = try store.write {
        try $0.store(
          dataSet: set, sequences: sequences, tokenizerDigest: nil, textDigest: nil, options: "{}",
          droppedTokenCount: 0)
      }
    }
    let first = try live.write()
    try add(Int.random(in: 60...200, using: &random), to: first, as: "\(name)-first")
    first.close()
    let writer = try live.write(command: "search")
    for number in 0..<Int.random(in: 1...4, using: &random) {
      try add(Int.random(in: 1...80, using: &random), to: writer, as: "\(name)-\(number)")
      // The log is begun anew under other salts.
      if Bool.random(using: &random) { _ = try writer.exclusively { try $0.checkpoint() } }
    }
    try add(60, to: writer, as: "\(name)-last")
    let (folder, alone) = (try CatalogFolder(), try CatalogFolder())
    for suffix in ["", "-wal", "-lock"] {
      try FileManager.default.copyItem(atPath: live.path + suffix, toPath: folder.path + suffix)
    }
    try FileManager.default.copyItem(atPath: live.path, toPath: alone.path)
    let text = try String(contentsOfFile: folder.path + "-lock", encoding: .utf8)
    #expect(text.contains("\"logIdentity\":\""))
    try text.replacing("\"pid\":\(getpid())", with: "\"pid\":999999").write(
      toFile: folder.path + "-lock", atomically: false, encoding: .utf8)
    let digest = try writer.read { try $0.sharedDigest(includingProvenance: true) }
    writer.close()
    return Killed(folder: folder, alone: alone, digest: digest)
  }

  private func salvage(_ folder: CatalogFolder) throws -> (report: CatalogSalvage.Report, saved: CatalogFolder) {
    let saved = try CatalogFolder()
    let report = try CatalogSalvage(path: folder.path, output: saved.path).run()
    #expect(try DamagedFile(saved).findings() == [])
    let again = try CatalogFolder()
    let second = try CatalogSalvage(path: saved.path, output: again.path).run()
    #expect(second.tables.map(\.savedCount) == report.tables.map(\.savedCount))
    #expect(try again.digest() == saved.digest())
    return (report, saved)
  }

  private func put(_ source: String, at target: String) throws {
    unlink(target)
    try FileManager.default.copyItem(atPath: source, toPath: target)
  }

  @Test(arguments: 0..<8) func exchangedLogsAreLeftAndOwnOnesTaken(round: Int) throws {
    var random = SplitMix64(property: 9200 + UInt64(round))
    let pair = [
      try killed("a", reversed: false, using: &random), try killed("b", reversed: round % 2 == 0, using: &random),
    ]
    let hasLocks = round % 4 < 2
    for (own, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
      let kept = try own.folder.copy()
      try put(own.folder.path + "-wal", at: kept.path + "-wal")
      if hasLocks { try put(own.folder.path + "-lock", at: kept.path + "-lock") }
      let (whole, all) = try salvage(kept)
      #expect(whole.notices == [])
      #expect(try all.digest() == own.digest)

      try put(other.folder.path + "-wal", at: kept.path + "-wal")
      let log = try Data(contentsOf: URL(fileURLWithPath: kept.path + "-wal"))
      let (report, saved) = try salvage(kept)
      #expect(report.notices.count == 1 && report.notices.allSatisfy { $0.contains("c.evodb-wal was not read") })
      #expect(try saved.digest() == salvage(own.alone).saved.digest())
      if hasLocks {
        let refusal = CatalogError.wrongLog(path: kept.path, detail: "is not the one that was written with it")
        for mode in [CatalogStore.Mode.read, .write] {
          expectError(like: refusal) { try CatalogStore(path: kept.path, mode: mode).close() }
        }
        expectError(like: refusal) { try CatalogFolder.empty().merge([kept]) }
      }
      #expect(try Data(contentsOf: URL(fileURLWithPath: kept.path + "-wal")) == log)
    }
    // With its own log it is opened as after any kill.
    #expect(try pair[0].folder.digest() == pair[0].digest)
  }

  @Test(arguments: 0..<12) func damageOfTheFileDoesNotHideItsLog(round: Int) throws {
    var random = SplitMix64(property: 9300 + UInt64(round))
    let whole = try killed("a", reversed: false, using: &random).folder
    if round % 2 == 0 { unlink(whole.path + "-lock") }
    var bytes = [UInt8](try whole.bytes)
    for _ in 0..<3 {
      // Any page but the first.
      let page = Int.random(in: 1..<bytes.count / 4096, using: &random) * 4096
      bytes.replaceSubrange(page..<page + 4096, with: [UInt8](repeating: 0, count: 4096))
    }
    try Data(bytes).write(to: URL(fileURLWithPath: whole.path))
    let (report, saved) = try salvage(whole)
    #expect(report.notices == [])
    #expect(try saved.rows("SELECT 1 FROM data_set WHERE name = 'a-last'").count <= 1)
  }

  @Test func besideAFileAtRestNoLogIsTaken() throws {
    var random = SplitMix64(property: 9400)
    let other = try killed("b", reversed: true, using: &random)
    let (rest, _) = try CatalogFolder.filled()
    let digest = try rest.digest()
    try put(other.folder.path + "-wal", at: rest.path + "-wal")
    // Even if the lock file names it.
    for hasLock in [false, true] {
      if hasLock { try put(other.folder.path + "-lock", at: rest.path + "-lock") }
      let (report, saved) = try salvage(rest)
      #expect(report.notices.count == 1 && report.notices.allSatisfy { $0.contains("at rest") })
      #expect(try saved.digest() == digest)
    }
  }

  @Test func aLogWithADamagedBeginningIsNamed() throws {
    var random = SplitMix64(property: 9500)
    let (folder, alone) = try { ($0.folder, $0.alone) }(killed("a", reversed: false, using: &random))
    var log = try Data(contentsOf: URL(fileURLWithPath: folder.path + "-wal"))
    log[17] ^= 1
    try log.write(to: URL(fileURLWithPath: folder.path + "-wal"))
    let (report, saved) = try salvage(folder)
    #expect(report.notices.count == 1 && report.notices.allSatisfy { $0.contains("beginning is damaged") })
    #expect(try saved.digest() == salvage(alone).saved.digest())
  }

  /// SQLite would cut the file to the size that the journal names, and write the other file's pages into it.
  @Test func aJournalOfAnotherFileIsLeft() throws {
    var random = SplitMix64(property: 9600)
    let (rest, _) = try CatalogFolder.filled()
    let digest = try rest.digest()
    let other = try killed("b", reversed: true, using: &random).alone
    do {
      let writer = try Connection(path: other.path, access: .readWrite, busyTimeoutMilliseconds: 0)
      try writer.execute("PRAGMA journal_mode = DELETE")
      try writer.execute(
        "PRAGMA cache_size = 2; PRAGMA synchronous = FULL; BEGIN IMMEDIATE; UPDATE sequence SET row_check = row_check + 1"
      )
      try put(other.path + "-journal", at: rest.path + "-journal")
      try writer.execute("ROLLBACK")
    }
    let (report, saved) = try salvage(rest)
    #expect(report.notices.count == 1 && report.notices.allSatisfy { $0.contains("c.evodb-journal was not read") })
    #expect(try saved.digest() == digest)
  }
}
