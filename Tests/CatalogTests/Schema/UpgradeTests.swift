import Foundation
import TestSupport
import Testing

@testable import Catalog

/// Upgrades with a version that does not exist yet.
@Suite struct UpgradeTests {
  /// The next version: a new column with a check over it, and a new table.
  private static var next: CatalogUpgrade { upgrade() }

  private static func upgrade(job: JobNote? = nil) -> CatalogUpgrade {
    var upgrade = CatalogUpgrade(job: job)
    let text = CatalogSchema.text
      .replacing(
        "PRAGMA user_version = \(CatalogSchema.version);", with: "PRAGMA user_version = \(CatalogSchema.version + 1);")
    upgrade.target = SchemaVersion(
      number: CatalogSchema.version + 1,
      text: text + "\nCREATE TABLE note (id INTEGER PRIMARY KEY, words TEXT NOT NULL) STRICT;\n")
    upgrade.migrations.append(
      Migration(from: CatalogSchema.version) { connection in
        try connection.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, words TEXT NOT NULL) STRICT")
        try connection.execute("INSERT INTO note SELECT id, name FROM run")
      })
    return upgrade
  }

  private func version(_ path: String) throws -> Int64? {
    try Connection(path: path, access: .readOnly, busyTimeoutMilliseconds: 1000).integer("PRAGMA user_version")
  }

  @Test func anUpgradeKeepsTheOldFileBesideTheNew() throws {
    let (folder, _) = try CatalogFolder.filled()
    let before = try folder.bytes
    let outcome = try Self.next.run(path: folder.path)
    let kept = "\(folder.path).v\(CatalogSchema.version).bak"
    #expect(outcome == .init(from: CatalogSchema.version, to: CatalogSchema.version + 1, keptAs: kept))
    #expect(try Data(contentsOf: URL(fileURLWithPath: kept)) == before)
    #expect(try version(folder.path) == CatalogSchema.version + 1)
    let connection = try Connection(path: folder.path, access: .readOnly, busyTimeoutMilliseconds: 1000)
    #expect(try connection.firstRow("SELECT words FROM note") { $0.text(0) } == "first")
    #expect(try connection.firstRow("PRAGMA integrity_check") { $0.text(0) } == "ok")
    #expect(try folder.files == ["c.evodb", "c.evodb.v\(CatalogSchema.version).bak"])
    #expect(try Self.next.run(path: folder.path).keptAs == nil, "twice changes nothing")
  }

  @Test func anUpgradeIsNotedInTheNewFile() throws {
    let (folder, _) = try CatalogFolder.filled()
    let jobs = "SELECT command, outcome, evodb_version, peak_memory_bytes FROM job ORDER BY id"
    let before = try folder.rows(jobs)
    let note = JobNote(
      command: "upgrade", version: "1.2.3",
      numerics: NumericsRecord(blasVersion: "9", blasCore: "Elsewhere", kernels: "none"),
      peakMemoryByteCount: { 12_345 })
    let outcome = try Self.upgrade(job: note).run(path: folder.path)
    #expect(
      try rows(folder.path, jobs) == before + [[.text("upgrade"), .text("done"), .text("1.2.3"), .integer(12_345)]])
    #expect(try rows(#require(outcome.keptAs), jobs) == before)
    #expect(try rows(folder.path, "SELECT count(*) FROM numerics WHERE blas_core = 'Elsewhere'") == [[.integer(0)]])
  }

  /// The files that `Scripts/make-catalog-fixture.sh` made of every version.
  private static var keptFiles: [URL] {
    let folder = Fixtures.url("catalogs")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasSuffix(".evodb") }.sorted().map { folder.appendingPathComponent($0) }
  }

  /// What `evodb digest` and `evodb digest --all` of the version that made a file say of it.
  private static let digests = [
    "v1.evodb": [
      "8eac70b615f804bb65f776e8bec28c2836eef43f74d23f3ce331d52e52d3a449",
      "270292e87a03796092e2834697a918402b681580c1844ac296b038d221b2ae14",
    ]
  ]

  @Test(arguments: keptFiles) func everyReleasedVersionCanBeUpgraded(file: URL) throws {
    let folder = try CatalogFolder()
    try FileManager.default.copyItem(atPath: file.path, toPath: folder.path)
    let observations = try Connection(path: folder.path, access: .readOnly, busyTimeoutMilliseconds: 0)
      .integer("SELECT count(*) FROM observation")
    _ = try CatalogUpgrade().run(path: folder.path)
    do {
      let store = try folder.read()
      defer { store.close() }
      _ = try store.verify(onFinding: { Issue.record("\($0)") })
      let digests = try [false, true].map { all in try store.read { try $0.sharedDigest(includingProvenance: all).hex }
      }
      #expect(digests == Self.digests[file.lastPathComponent], "what is shared is what the old version said it is")
    }
    _ = try Self.next.run(path: folder.path)
    let upgraded = try Connection(path: folder.path, access: .readOnly, busyTimeoutMilliseconds: 0)
    #expect(try upgraded.integer("PRAGMA user_version") == CatalogSchema.version + 1)
    #expect(try upgraded.integer("SELECT count(*) FROM observation") == observations)
  }

  private func rows(_ path: String, _ sql: String) throws -> [[SQLValue]] {
    let connection = try Connection(path: path, access: .readOnly, busyTimeoutMilliseconds: 0)
    var rows: [[SQLValue]] = []
    try connection.forEachRow(sql) { rows.append($0.values) }
    return rows
  }

  @Test func viewsOfVersion1GiveTheSameNumbersInVersion2() throws {
    let folder = try CatalogFolder()
    try FileManager.default.copyItem(atPath: Fixtures.url("catalogs/v1.evodb").path, toPath: folder.path)
    let questions = [
      "SELECT assignment, data_set, measure, value, standard_error FROM evaluation_summary ORDER BY 1, 2, 3",
      "SELECT data_set, measure, average_bits, assignment, value, standard_error FROM best_assignment ORDER BY 1, 2, 3",
      "SELECT * FROM run_result ORDER BY data_set, point, measure",
      "SELECT * FROM paired_difference ORDER BY data_set_id, measure, assignment_id, other_assignment_id",
    ]
    let before = try questions.map { try rows(folder.path, $0) }
    #expect(throws: CatalogError.olderSchema(path: folder.path, found: 1, supported: CatalogSchema.version)) {
      _ = try folder.read()
    }
    _ = try CatalogUpgrade().run(path: folder.path)
    #expect(before.allSatisfy { !$0.isEmpty })
    // Nothing repeats there: every number is the same to the bit.
    #expect(try questions.map { try rows(folder.path, $0) } == before)
    let new = try CatalogFolder()
    try new.create().close()
    let views = "SELECT name, sql FROM sqlite_schema WHERE type = 'view' ORDER BY name"
    #expect(try rows(folder.path, views) == rows(new.path, views))
  }

  @Test func findingsOnRepeatedSequencesAreLeftToBeMadeAnew() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.write()
    try store.write { tx in
      let twice = try tx.store(
        dataSet: "twice", sequences: ExampleContents.tokens + ExampleContents.tokens, tokenizerDigest: nil,
        textDigest: nil, options: "{}", droppedTokenCount: 0
      ).dataSet
      let finding = { (list: Int64) in
        MonotonicityFinding(
          sequenceListID: list, measureID: contents.kl.id, kind: "layer-error", assignmentCount: 2, pairCount: 1,
          violationCount: 1,
          pairs: [
            MonotonicityFinding.Pair(
              lighterID: contents.low.id, heavierID: contents.high.id, lighterError: 0.25, heavierError: 0.5,
              difference: 0.125, standardError: 0.0625)
          ])
      }
      try tx.replace(monotonicity: [finding(contents.dataSet.sequenceListID), finding(twice.sequenceListID)])
    }
    store.close()
    // Version 1 had the same tables.
    try folder.tamper("PRAGMA user_version = 1")
    #expect(try CatalogUpgrade().run(path: folder.path).from == 1)
    for table in ["monotonicity_count", "monotonicity_pair"] {
      #expect(
        try rows(folder.path, "SELECT sequence_list_id FROM \(table)")
          == [[.integer(contents.dataSet.sequenceListID)]])
    }
    #expect(try folder.read().read { try $0.dataSets().count } == 3)
  }

  @Test func anotherPersonsOlderFileIsRefusedWithTheCommand() throws {
    let (folder, _) = try CatalogFolder.filled()
    let other = Fixtures.url("catalogs/v1.evodb").path
    let store = try folder.write()
    defer { store.close() }
    let error = #expect(throws: CatalogError.olderSchema(path: other, found: 1, supported: CatalogSchema.version)) {
      _ = try ForeignCatalog(path: other)
    }
    #expect(error.map { "\($0)" }?.contains("evodb upgrade") == true)
  }

  @Test func aNewerFileIsRefusedAndNothingIsOverwritten() throws {
    let (folder, _) = try CatalogFolder.filled()
    try Data("mine".utf8).write(to: URL(fileURLWithPath: folder.path + ".v\(CatalogSchema.version).bak"))
    let before = try folder.bytes
    #expect(throws: CatalogError.exists(path: folder.path + ".v\(CatalogSchema.version).bak")) {
      _ = try Self.next.run(path: folder.path)
    }
    #expect(try folder.bytes == before)
    try folder.tamper("PRAGMA user_version = 999")
    #expect(
      throws: CatalogError.newerSchema(path: folder.path, found: 999, supported: CatalogSchema.version)
    ) { _ = try CatalogUpgrade().run(path: folder.path) }
  }

  @Test func aFailingStepLeavesTheOldFile() throws {
    let (folder, _) = try CatalogFolder.filled()
    let before = try folder.bytes
    var upgrade = Self.next
    upgrade.migrations = [Migration(from: CatalogSchema.version) { try $0.execute("DROP TABLE no_such_table") }]
    #expect(throws: (any Error).self) { _ = try upgrade.run(path: folder.path) }
    // A step that leaves something else than a new catalog of the version.
    upgrade.migrations = [Migration(from: CatalogSchema.version) { _ in }]
    #expect(throws: CatalogError.self) { _ = try upgrade.run(path: folder.path) }
    #expect(try folder.bytes == before && folder.files == ["c.evodb"])
  }

  @Test func anUpgradeKilledBeforeItsLastStepIsDoneAgain() throws {
    let (folder, _) = try CatalogFolder.filled()
    // The old file has its second name, the copy is half written.
    #expect(link(folder.path, "\(folder.path).v\(CatalogSchema.version).bak") == 0)
    try Data("half".utf8).write(to: URL(fileURLWithPath: folder.path + "-new"))
    #expect(try Self.next.run(path: folder.path).to == CatalogSchema.version + 1)
    #expect(try version(folder.path) == CatalogSchema.version + 1)
  }

  @Test func aFileInUseIsLeftAlone() throws {
    let (folder, _) = try CatalogFolder.filled()
    let writer = try folder.write()
    defer { writer.close() }
    #expect(throws: CatalogError.self) { _ = try Self.next.run(path: folder.path) }
  }
}
