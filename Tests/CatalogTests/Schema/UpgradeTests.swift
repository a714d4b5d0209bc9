import Foundation
import TestSupport
import Testing

@testable import Catalog

/// Upgrades with a version that does not exist yet.
@Suite(.usualTimeLimit) struct UpgradeTests {
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
    #expect(try connection.text("SELECT words FROM note") == "first")
    #expect(try connection.text("PRAGMA integrity_check") == "ok")
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

  /// The output of `evodb digest` and `evodb digest --all` by the version that made a file.
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

  /// Values to the last bit, what is computed from residuals to twelve digits.
  private func expectEqual(_ found: [[SQLValue]], _ before: [[SQLValue]], exactColumns: Int, _ sql: String) {
    #expect(found.count == before.count, "\(sql)")
    for (row, old) in zip(found, before) {
      for (place, pair) in zip(row, old).enumerated() where pair.0 != pair.1 {
        guard place >= exactColumns, case .real(let a) = pair.0, case .real(let b) = pair.1 else {
          Issue.record("\(row) was \(old) in: \(sql)")
          continue
        }
        // A standard error of a difference that ought to be 0 is what rounding leaves of numbers up to 10.
        #expect(abs(a - b) <= 1e-12 * abs(b) + 1e-15, "\(a) was \(b) in: \(sql)")
      }
    }
  }

  @Test func viewsOfVersion1GiveTheSameNumbersInVersion2() throws {
    let folder = try CatalogFolder()
    try FileManager.default.copyItem(atPath: Fixtures.url("catalogs/v1.evodb").path, toPath: folder.path)
    let questions: [(sql: String, exactColumns: Int)] = [
      (
        "SELECT assignment, data_set, measure, value, standard_error FROM evaluation_summary WHERE value IS NOT NULL "
          + "ORDER BY 1, 2, 3", 4
      ),
      (
        "SELECT data_set, measure, average_bits, assignment, value, standard_error FROM best_assignment ORDER BY 1, 2, 3",
        5
      ),
      (
        """
        SELECT run, point, data_set, data_set_role, measure, average_bits, average_stored_bits, stored_bytes, sparsity,
          dropped_subblock_count, assignment, value, difference, standard_error, difference_standard_error FROM run_result
        ORDER BY data_set, point, measure
        """, 13
      ),
      (
        """
        SELECT data_set, measure, assignment_id, other_assignment_id, difference, standard_error FROM paired_difference
        ORDER BY 1, 2, 3, 4
        """, 5
      ),
      ("SELECT * FROM layer_error ORDER BY variant_id", 99), ("SELECT * FROM model_layer ORDER BY layer_index", 99),
      ("SELECT * FROM assignment_summary ORDER BY assignment_id", 99),
      ("SELECT * FROM evaluation ORDER BY 1, 2, 3", 99),
      ("SELECT assignment, layer, level, nmse, stored_bytes FROM assignment_layer ORDER BY 1, 2", 99),
      ("SELECT run, generation, stage, candidate, fitness, minibatch FROM candidate_result ORDER BY 1, 2, 3, 4", 99),
    ]
    let before = try questions.map { try rows(folder.path, $0.sql) }
    #expect(throws: CatalogError.olderSchema(path: folder.path, found: 1, supported: CatalogSchema.version)) {
      _ = try folder.read()
    }
    _ = try CatalogUpgrade().run(path: folder.path)
    for ((sql, exactColumns), old) in zip(questions, before) {
      #expect(!old.isEmpty, "\(sql)")
      expectEqual(try rows(folder.path, sql), old, exactColumns: exactColumns, sql)
    }
    let new = try CatalogFolder()
    try new.create().close()
    let objects = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"
    #expect(try rows(folder.path, objects) == rows(new.path, objects))
  }

  /// The output of `evodb digest` and `evodb digest --all` by version 0.1.0 for `v1.evodb`.
  private static let keptDigest = "8eac70b615f804bb65f776e8bec28c2836eef43f74d23f3ce331d52e52d3a449"
  private static let keptDigestOfAll = "270292e87a03796092e2834697a918402b681580c1844ac296b038d221b2ae14"

  private func digest(_ folder: CatalogFolder, withProvenance: Bool = false) throws -> String {
    try folder.read().read { try $0.sharedDigest(includingProvenance: withProvenance).hex }
  }

  private func merge(_ paths: [String], into folder: CatalogFolder) throws {
    let store = try folder.write()
    defer { store.close() }
    _ = try CatalogMerge(into: store).run(paths)
  }

  @Test func anUpgradedFileMergesLikeOneOfThisVersion() throws {
    let upgraded = try CatalogFolder()
    try FileManager.default.copyItem(atPath: Fixtures.url("catalogs/v1.evodb").path, toPath: upgraded.path)
    _ = try CatalogUpgrade().run(path: upgraded.path)
    #expect(try digest(upgraded) == Self.keptDigest)
    #expect(try digest(upgraded, withProvenance: true) == Self.keptDigestOfAll)
    // An empty catalog that takes it in is the same, row for row made by this version.
    let copied = try CatalogFolder()
    try copied.create().close()
    try merge([upgraded.path], into: copied)
    #expect(try digest(copied) == Self.keptDigest)
    #expect(try digest(copied, withProvenance: true) == Self.keptDigestOfAll)
    // And with a fresh one in either direction.
    let (fresh, _) = try CatalogFolder.filled()
    let both = try CatalogFolder()
    try both.create().close()
    try merge([fresh.path, upgraded.path], into: both)
    let expected = (contents: try digest(both), all: try digest(both, withProvenance: true))
    #expect(try expected.contents != digest(fresh) && expected.contents != Self.keptDigest)
    let (first, second) = (try CatalogFolder(), try CatalogFolder())
    for (folder, source) in [(first, fresh), (second, upgraded)] {
      try FileManager.default.copyItem(atPath: source.path, toPath: folder.path)
    }
    try merge([upgraded.path], into: first)
    try merge([fresh.path], into: second)
    for folder in [first, second] {
      #expect(try digest(folder) == expected.contents && digest(folder, withProvenance: true) == expected.all)
      try merge([upgraded.path, fresh.path, both.path], into: folder)
      #expect(try digest(folder) == expected.contents)
      _ = try folder.read().verify(onFinding: { Issue.record("\($0)") })
    }
  }

  @Test func findingsOnRepeatedSequencesAreLeftToBeMadeAnew() throws {
    let folder = try CatalogFolder()
    try FileManager.default.copyItem(atPath: Fixtures.url("catalogs/v1.evodb").path, toPath: folder.path)
    let plain: Int64
    do {
      let connection = try Connection(path: folder.path, access: .readWrite, busyTimeoutMilliseconds: 1000)
      plain = try #require(try connection.integer("SELECT sequence_list_id FROM data_set WHERE name = 'calibration'"))
      let sequence = try connection.firstRow(
        "SELECT s.id, s.digest, s.token_count FROM sequence s ORDER BY s.id LIMIT 1"
      ) { (id: $0.integer("id"), digest: try $0.value("digest") as Digest, count: $0.integer("token_count")) }
      let (id, digest, count) = try #require(sequence)
      let measure = try #require(try connection.integer("SELECT min(id) FROM measure"))
      let rows = RowWriter(connection)
      let list = try rows.insert(
        .sequenceList,
        [
          "digest": .digest(SequenceListRecord.digest(of: [digest, digest])), "sequence_count": .integer(2),
          "token_count": .integer(2 * count), "prediction_count": .integer(2 * count - 2),
        ])
      for position in 0..<2 {
        try rows.insert(
          .sequenceListItem,
          ["sequence_list_id": .integer(list), "position": .integer(position), "sequence_id": .integer(id)])
      }
      try rows.insert(
        .dataSet,
        [
          "name": .text("twice"), "sequence_list_id": .integer(list), "options": .text("{}"),
          "dropped_token_count": .integer(0), "created_at": .text("2026-01-01T00:00:00.000Z"),
        ])
      for list in [plain, list] {
        let key: [String: SQLValue] = [
          "sequence_list_id": .integer(list), "measure_id": .integer(measure), "kind": .text("layer-error"),
        ]
        try rows.insert(
          .monotonicityCount,
          key.merging([
            "assignment_count": .integer(2), "pair_count": .integer(1), "violation_count": .integer(1),
          ]) { $1 })
        try rows.insert(
          .monotonicityPair,
          key.merging([
            "lighter_assignment_id": .integer(1), "heavier_assignment_id": .integer(2), "lighter_error": .real(0.25),
            "heavier_error": .real(0.5), "difference": .real(0.125), "standard_error": .real(0.0625),
          ]) { $1 })
      }
    }
    #expect(try CatalogUpgrade().run(path: folder.path).from == 1)
    for table in ["monotonicity_count", "monotonicity_pair"] {
      #expect(try rows(folder.path, "SELECT sequence_list_id FROM \(table)") == [[.integer(plain)]])
    }
    let store = try folder.read()
    #expect(try store.read { try $0.dataSets().count } == 3)
    _ = try store.verify(onFinding: { Issue.record("\($0)") })
    // The sequence counts once: there is no standard error.
    #expect(
      try rows(folder.path, "SELECT DISTINCT standard_error FROM evaluation_summary WHERE data_set = 'twice'")
        == [[.null]])
  }

  @Test func anotherPersonsOlderFileIsRefusedWithTheCommand() throws {
    let (folder, _) = try CatalogFolder.filled()
    let other = Fixtures.url("catalogs/v1.evodb").path
    let store = try folder.write()
    defer { store.close() }
    let error = #expect(throws: CatalogError.olderSchema(path: other, found: 1, supported: CatalogSchema.version)) {
      _ = try ForeignCatalog(path: other)
    }
    #expect(error?.remedy == .upgradeCatalog(path: other))
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
    #expect {
      try upgrade.run(path: folder.path)
    } throws: {
      ($0 as? SQLiteError)?.message == "no such table: no_such_table"
    }
    // A step that leaves something else than a new catalog of the version.
    upgrade.migrations = [Migration(from: CatalogSchema.version) { _ in }]
    let rule = "\(folder.path): after its upgrade it would differ from a new catalog in "
    expectError(like: CatalogError.damaged(rule)) { try upgrade.run(path: folder.path) }
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
    expectError(like: CatalogError.locked(path: folder.path, owner: "process \(getpid())")) {
      try Self.next.run(path: folder.path)
    }
  }

  /// An upgrade that was killed after its last step leaves nothing but its lock, which the next one takes away.
  @Test func takesAwayTheLockOfAnUpgradeThatWasKilledAtItsEnd() throws {
    let (folder, _) = try CatalogFolder.filled()
    func leaveLock(of command: String) throws {
      let owner =
        #"{"bootID":"b","command":"\#(command)","host":"\#(WriterLock.hostName)","pid":1,"since":"2026-01-01T00:00:00Z"}"#
      try owner.write(toFile: folder.path + "-lock", atomically: false, encoding: .utf8)
    }
    try leaveLock(of: "upgrade")
    let outcome = try CatalogUpgrade().run(path: folder.path)
    #expect(outcome.from == outcome.to && outcome.keptAs == nil)
    #expect(try folder.files == ["c.evodb"])
    // Of another command there may be more to mend, which is for the next writer to do.
    try leaveLock(of: "search")
    _ = try CatalogUpgrade().run(path: folder.path)
    #expect(try folder.files == ["c.evodb", "c.evodb-lock"])
  }
}
