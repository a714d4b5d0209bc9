import TestSupport
import Testing

@testable import Catalog

/// No statement of the engine walks through a table that grows with the work.
@Suite struct QueryPlanTests {
  /// Tables and subqueries that stay small, by name or alias: models, data sets, measures and runs are few.
  private static let small: Set<String> = [
    "run", "r", "model", "m", "data_set", "d", "ds", "measure", "me", "method", "numerics", "n", "json_each", "j",
    "calibration_stream", "pragma_table_info", "CONSTANT", "v", "g", "t", "w", "wanted", "(subquery-1)",
  ]

  /// The steps of a statement's plan that walk through something that is not small.
  private func scans(_ connection: Connection, _ sql: String) throws -> [String] {
    var result: [String] = []
    try connection.forEachRow("EXPLAIN QUERY PLAN \(sql)") { row in
      let words = row.text(3).split(separator: " ").map { String($0) }
      guard words.first == "SCAN", words.count > 1, !Self.small.contains(words[1]) else { return }
      result.append("\(row.text(3)) in: \(sql)")
    }
    return result
  }

  @Test func noHotStatementWalksThroughALargeTable() throws {
    let folder = try CatalogFolder()
    let store = try folder.create()
    defer { store.close() }
    let contents = try store.write { try ExampleContents(in: $0) }
    try store.read { tx in
      let assignment = contents.mixed
      _ = try tx.observation(
        assignmentID: assignment.id, measureID: contents.kl.id, sequenceID: contents.sequences[0].id,
        preferring: contents.here)
      _ = try tx.assignment(id: assignment.id)
      _ = try tx.assignment(digestPrefix: assignment.digest.short)
      _ = try tx.variant(recipeKey: contents.variants[0][0].recipeKey)
      _ = try tx.variants(ofWeight: contents.layers[0].weightID)
      _ = try tx.blob(contents.variants[0][0].blobID)
      _ = try tx.statistic(recipeKey: SHA256.digest(of: [1]), preferring: contents.here)
      _ = try tx.teacherState(
        modelID: contents.model.id, sequenceID: contents.sequences[0].id, numericsID: contents.here)
      _ = try tx.sequences(ofList: contents.dataSet.sequenceListID)
      _ = try tx.space(id: contents.run.spaceID)
      _ = try tx.lastGeneration(ofRun: contents.run.id)
      _ = try tx.uniformSetting(ofAssignment: assignment.id)
      _ = try tx.evaluationSummaries(ofAssignment: assignment.id, dataSetID: contents.dataSet.id)
      _ = try tx.results(ofRun: "first")
      _ = try tx.run(recipeDigest: contents.run.recipeDigest)
    }
    // Writing sees the same connection; a plan is asked of a reader's.
    let reader = try Connection(path: folder.path, access: .readOnly, busyTimeoutMilliseconds: 1000)
    let statements = store.connection.statementTexts.filter {
      // To void all that one arithmetic computed is to look at all there is, once; and a table is emptied whole.
      !$0.hasPrefix("PRAGMA") && !$0.hasPrefix("EXPLAIN") && !$0.contains("WHERE o.numerics_id = ?")
        && !$0.hasPrefix("DELETE FROM monotonicity_")
    }
    #expect(statements.count > 40)
    for sql in statements {
      let found = try scans(reader, sql)
      #expect(found.isEmpty, "\(found)")
    }
  }

  @Test(arguments: [
    "SELECT * FROM run_result WHERE run = 'a'", "SELECT * FROM run_summary",
    "SELECT * FROM run_progress WHERE run = 'a'",
    "SELECT * FROM evaluation_summary WHERE assignment_id = 1 AND data_set_id = 1",
    "SELECT * FROM assignment_layer WHERE assignment_id = 1",
    "SELECT * FROM assignment_summary WHERE assignment_id = 1",
    "SELECT * FROM complete_candidate WHERE assignment_id = 1",
  ])
  func theReportsViewsLookUpWhatTheyNeed(sql: String) throws {
    let (folder, _) = try CatalogFolder.filled()
    let reader = try Connection(path: folder.path, access: .readOnly, busyTimeoutMilliseconds: 1000)
    // Data sets, their sequences and what a view makes of them do not grow with the evaluations.
    let few = ["SCAN c ", "SCAN e", "SCAN d", "SCAN w"]
    #expect(try scans(reader, sql).filter { scan in !few.contains { scan.contains($0) } } == [])
  }
}
