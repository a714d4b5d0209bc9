import TestSupport
import Testing

@testable import Catalog

/// No statement of the engine, no documented query and no view about one thing walks through a table that grows with the work.
@Suite(.usualTimeLimit) struct QueryPlanTests {
  /// Tables that any statement may walk through, and why.
  private static let small: [String: String] = [
    "model": "a few", "model_source": "one a model", "data_set": "a few", "measure": "a few", "method": "a few",
    "numerics": "one a machine", "task": "a few", "catalog_property": "two rows", "calibration_stream": "one row",
    "run": "one a search", "set_fitness": "complete evaluations: some tens a search",
    "monotonicity_count": "one a data set and measure",
    "monotonicity_pair": "as many as evodb monotonicity was asked for",
  ]

  /// Statements whose work is to look at a whole table.
  private static let whole: [(beginning: String, reason: String)] = [
    (
      "SELECT o.assignment_id, o.measure_id, o.sequence_id, o.numerics_id, o.attempt",
      "to void all that one arithmetic computed is to look at all there is, once"
    ),
    (
      "SELECT assignment_id, measure_id, count(*) AS count FROM observation",
      "a new data set may be complete for any assignment"
    ),
    ("SELECT max(id) FROM", "the last row is the first that is looked at, and the only one"),
  ]

  /// Documented queries that list all there is, by table.
  private static let listing: [String: (tables: Set<String>, reason: String)] = [
    "variants": (["layer"], "it adds up the variants of all layers"),
    "assignments": (["assignment"], "they are its answer"),
    "front": (["assignment"], "any may have one level in all layers"),
    "jobs": (["job"], "they are its answer"),
    "progress": (["job"], "one row a command"),
    "results": (["job"], "it adds up the jobs of all runs"),
    "sensitivities": (["unit_change"], "they are its answer"),
    "sensitivity-errors": (["unit_change", "layer"], "it sets them beside the errors of all layers"),
    "disk": (["layer"], "it adds up the variants of all layers"),
    "voids": (["observation_void"], "they are its answer"),
    "void-rests": (["stage_result"], "any candidate may rest on a void answer"),
  ]

  /// The tables whose rows a statement walks through from end to end, as its bytecode says: no alias hides one.
  private func scannedTables(_ connection: Connection, _ sql: String) throws -> Set<String> {
    var tables: [Int64: String] = [:]
    try connection.forEachRow("SELECT rootpage, tbl_name FROM sqlite_schema WHERE rootpage > 0") {
      tables[$0.integer("rootpage")] = $0.text("tbl_name")
    }
    var (cursors, rewound, advanced): ([Int64: String], Set<Int64>, Set<Int64>) = ([:], [], [])
    var counted: Set<Int64> = []
    try connection.forEachRow("EXPLAIN \(sql)") { row in
      let operand = row.integer("p1")
      switch row.text("opcode") {
      // Of database 0, the file; temporary tables are other cursors.
      case "OpenRead", "OpenWrite", "ReopenIdx":
        if row.integer("p3") == 0 { cursors[operand] = tables[row.integer("p2")] }
      case "Rewind", "Last": rewound.insert(operand)
      case "Next", "Prev": advanced.insert(operand)
      case "Count": counted.insert(operand)
      default: break
      }
    }
    return Set(rewound.intersection(advanced).union(counted).compactMap { cursors[$0] })
  }

  private func largeScans(_ connection: Connection, _ sql: String) throws -> Set<String> {
    try scannedTables(connection, sql).filter { Self.small[$0] == nil }
  }

  @Test func aWalkIsSeenUnderAnyAlias() throws {
    let (folder, _) = try CatalogFolder.filled()
    let reader = try Connection(path: folder.path, access: .readOnly, busyTimeoutMilliseconds: 1000)
    let cases: [(sql: String, tables: Set<String>)] = [
      ("SELECT v.nmse FROM variant v", ["variant"]), ("SELECT m.nmse FROM variant m", ["variant"]),
      ("SELECT run.closed_at FROM generation run", ["generation"]),
      ("SELECT count(*) FROM observation", ["observation"]),
      ("SELECT nmse FROM variant WHERE id = 3", []),
      ("SELECT sum FROM observation WHERE assignment_id = 1", []),
      ("SELECT setting_digest FROM assignment WHERE lower(hex(digest)) = 'a'", []),
      ("SELECT setting_digest FROM assignment WHERE hex(digest) = 'a'", ["assignment"]),
      ("SELECT * FROM (SELECT * FROM candidate d) d", ["candidate"]),
    ]
    for (sql, tables) in cases { #expect(try scannedTables(reader, sql) == tables, "\(sql)") }
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
    let statements = store.connection.statementTexts.filter { !$0.hasPrefix("PRAGMA") && !$0.hasPrefix("EXPLAIN") }
    #expect(statements.count > 40)
    for sql in statements where !Self.whole.contains(where: { sql.hasPrefix($0.beginning) }) {
      let found = try largeScans(reader, sql)
      #expect(found.isEmpty, "\(found.sorted()) in: \(sql)")
    }
    for (beginning, reason) in Self.whole {
      let exempted = statements.first { $0.hasPrefix(beginning) }
      #expect(
        try exempted.map { try !largeScans(reader, $0).isEmpty } == true, "no exemption is needed because \(reason)")
    }
  }

  @Test(arguments: [
    "run_result WHERE run = 'a'", "run_summary", "run_progress WHERE run = 'a'", "run_lineage WHERE run = 'a'",
    "candidate_result WHERE run = 'a'", "run_parameter WHERE run = 'a'", "space_choice WHERE space_id = 1",
    "evaluation_summary WHERE assignment_id = 1", "assignment_layer WHERE assignment_id = 1",
    "assignment_summary WHERE assignment_id = 1", "sequence_result WHERE assignment_id = 1",
    "evaluation_coverage WHERE assignment_id = 1", "paired_difference WHERE assignment_id = 1",
    "candidate_result WHERE assignment_id = 1", "void_summary WHERE assignment_id = 1",
    "task_item_result WHERE assignment_id = 1",
    "evaluation_summary WHERE assignment = 'a'", "assignment_layer WHERE assignment = 'a'",
    "assignment_summary WHERE assignment = 'a'", "sequence_result WHERE assignment = 'a'",
    "evaluation_coverage WHERE assignment = 'a'", "paired_difference WHERE assignment = 'a'",
    "paired_difference WHERE assignment = 'a' AND other_assignment = 'b'", "candidate_result WHERE assignment = 'a'",
    "void_summary WHERE assignment = 'a'", "task_item_result WHERE assignment = 'a'", "best_assignment",
    "unit_sensitivity WHERE base_assignment_id = 1", "evaluation_summary", "data_set_summary",
    "data_set_sequence", "model_summary",
  ])
  func aViewAboutOneThingLooksUpWhatItNeeds(view: String) throws {
    let (folder, _) = try CatalogFolder.filled()
    let reader = try Connection(path: folder.path, access: .readOnly, busyTimeoutMilliseconds: 1000)
    #expect(try largeScans(reader, "SELECT * FROM \(view)") == [])
  }

  @Test(arguments: DocumentedQuery.all) func aDocumentedQueryWalksThroughWhatItAnswersAlone(query: DocumentedQuery)
    throws
  {
    let (folder, _) = try CatalogFolder.filled()
    let reader = try Connection(path: folder.path, access: .readOnly, busyTimeoutMilliseconds: 1000)
    let allowed = Self.listing[query.name]?.tables ?? []
    let found = try largeScans(reader, query.sql)
    #expect(found.subtracting(allowed) == [], "\(query.name)")
    #expect(found.isSuperset(of: allowed), "\(query.name) needs no exemption for \(allowed.subtracting(found))")
  }
}
