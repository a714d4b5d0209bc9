import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct RowCheckTests {
  /// The rows of the file whose stored check is not that of their stored values, as `table/first column`.
  private func wrongRows(_ folder: CatalogFolder) throws -> (tables: Set<String>, rowCount: Int) {
    let connection = try Connection(path: folder.path, access: .readOnly, busyTimeoutMilliseconds: 1000)
    let names = try connection.texts(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'blob_chunk'")
    var wrong: Set<String> = []
    var rowCount = 0
    for name in names {
      let columns = try connection.texts("SELECT name FROM pragma_table_info(?) ORDER BY cid", [.text(name)])
      let place = try #require(columns.firstIndex(of: "row_check"))
      var isEmpty = true
      try connection.forEachRow("SELECT \(columns.joined(separator: ", ")) FROM \(name)") { row in
        isEmpty = false
        rowCount += 1
        var values = row.values
        let stored = values.remove(at: place)
        if stored != .integer(RowWriter.check(values)) { wrong.insert(name) }
      }
      #expect(!isEmpty, "\(name) has no row to check")
    }
    return (wrong, rowCount)
  }

  @Test func everyRowWrittenThroughTheCatalogVerifies() throws {
    let (folder, _) = try CatalogFolder.filled()
    let found = try wrongRows(folder)
    #expect(found.tables.isEmpty)
    #expect(found.rowCount > 100)
  }

  @Test(arguments: [
    ("observation", "sum = sum + 1e-9 WHERE sum = 1.75"), ("assignment", "code_bits = code_bits + 1"),
    ("model", "name = 'Tiny'"), ("sequence", "token_ids = x'0100000002000000' WHERE id = 1"),
    ("variant", "trouble = NULL WHERE trouble IS NOT NULL"), ("stage_result", "is_survivor = 1 - is_survivor"),
    ("weight", "row_check = row_check + 1"),
  ])
  func aChangedValueIsNoticed(table: String, change: String) throws {
    let (folder, _) = try CatalogFolder.filled()
    try folder.tamper("UPDATE \(table) SET \(change)")
    #expect(try wrongRows(folder).tables == [table])
  }

  @Test func valuesThatSQLiteStoresOtherwiseHaveTheCheckOfWhatIsStored() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.write()
    try store.write { (transaction) throws in
      let sequence = try transaction.store(sequence: [1, 1])
      try transaction.store(
        observation: Observation(sum: -0.0, predictionCount: 1), assignmentID: contents.low.id,
        measureID: contents.kl.id, sequenceID: sequence.id, numericsID: contents.here, jobID: contents.job.id)
      try transaction.store(
        observation: Observation(sum: 3, predictionCount: 1), assignmentID: contents.high.id,
        measureID: contents.kl.id, sequenceID: sequence.id, numericsID: contents.here, jobID: contents.job.id)
      try transaction.store(
        observation: Observation(sum: .nan, predictionCount: 1), assignmentID: contents.mixed.id,
        measureID: contents.kl.id, sequenceID: sequence.id, numericsID: contents.here, jobID: contents.job.id)
      _ = try transaction.store(
        dataSet: "naïve", sequences: [[5, 6]], tokenizerDigest: nil, textDigest: nil, options: "{\u{0}}",
        droppedTokenCount: 0)
    }
    store.close()
    #expect(try wrongRows(folder).tables.isEmpty)
  }

  @Test func valuesOfOtherTypesAndOtherBoundariesHaveOtherChecks() {
    let rows: [[SQLValue]] = [
      [.null], [.integer(0)], [.real(0)], [.text("")], [.blob([])], [.integer(1)], [.real(1)], [.text("1")],
      [.blob(Array("1".utf8))], [.text("ab"), .text("c")], [.text("a"), .text("bc")], [.null, .null], [],
    ]
    #expect(Set(rows.map(RowWriter.check)).count == rows.count)
    #expect(RowWriter.check([.real(-0.0)]) == RowWriter.check([.real(0.0)]))
  }
}
