import Foundation
import TestSupport
import Testing

/// `evodb query`: formats, parameters, limits, and what it refuses.
@Suite(.usualTimeLimit) struct QueryCommandTests {
  @Test func everyFormatHoldsTheSameRows() throws {
    let catalog = try TinyCatalog(.made)
    let sql = "SELECT 1 AS a, 'x,y' AS b, NULL AS c, 0.5 AS d UNION ALL SELECT 2, 'z', 'n', 1e300"
    #expect(
      try catalog.output("query", sql, "--format", "csv") == "a,b,c,d\r\n1,\"x,y\",,0.5\r\n2,z,n,1e+300\r\n")
    let lines = try catalog.output("query", sql, "--format", "jsonl").split(separator: "\n")
    #expect(lines.first == #"{"a":1,"b":"x,y","c":null,"d":0.5}"#)
    #expect(lines.count == 2)
    let array = try JSONSerialization.jsonObject(with: Data(catalog.output("query", sql, "--format", "json").utf8))
    #expect((array as? [Any])?.count == 2)
    let table = try catalog.output("query", sql)
    #expect(table.split(separator: "\n").count == 4)
    #expect(table.hasPrefix("a"))
  }

  @Test func parametersAreBoundByNameWithTheirType() throws {
    let catalog = try TinyCatalog(.made)
    let types = ["1": "integer", "1.5": "real", "x": "text", "": "text", "nan": "text", "a=b": "text"]
    for (value, type) in types.sorted(by: { $0.key < $1.key }) {
      let row = try catalog.output("query", "SELECT typeof(:v)", "--param", "v=\(value)", "--format", "csv")
      #expect(row.hasSuffix("\r\n\(type)\r\n"), "\(value): \(row)")
    }
    let explicit = ["text=7": "text", "integer=7": "integer", "real=7": "real", "null=": "null"]
    for (value, type) in explicit.sorted(by: { $0.key < $1.key }) {
      let row = try catalog.output("query", "SELECT typeof(:v)", "--param", "v:\(value)", "--format", "csv")
      #expect(row.hasSuffix("\r\n\(type)\r\n"), "\(value): \(row)")
    }
    for wrong in ["v", "=1", "v:integer=1.5", "v:real=nan", "v:null=0", "v:blob=1", "v:=1"] {
      #expect(try catalog.run("query", "SELECT :v", "--param", wrong).exitCode == 64, "\(wrong)")
    }
    let injection = "x'; DROP TABLE run; --"
    let text = try catalog.output("query", "SELECT :v AS v", "--param", "v=\(injection)", "--format", "jsonl")
    #expect(try JSONFields(text).text("v") == injection)
  }

  @Test func rowsBeyondTheLimitAreLeftOutAndThatIsSaid() throws {
    let catalog = try TinyCatalog()
    let sql = "SELECT layer FROM model_layer"
    let all = try catalog.run("query", sql, "--max-rows", "21", "--format", "jsonl")
    #expect(!all.diagnostics.contains("more"))
    let some = try catalog.run("query", sql, "--max-rows", "20", "--format", "jsonl")
    #expect(some.exitCode == 0)
    #expect(some.output.split(separator: "\n").count == 20)
    #expect(some.diagnostics.contains("20 rows"))
  }

  @Test(arguments: [
    "DELETE FROM run", "DROP TABLE run", "UPDATE run SET name = 'x'", "INSERT INTO catalog_property VALUES (1, 2, 3)",
    "PRAGMA user_version = 3", "PRAGMA journal_mode = WAL", "ATTACH 'other.db' AS other", "VACUUM INTO 'copy.db'",
    "SELECT load_extension('x')", "BEGIN", "SELECT 1; SELECT 2", "", "-- nothing", "SELECT nothing", "SELECT :x",
    "SELEC 1", "SELECT ?",
  ]) func whatDoesMoreThanReadOrIsWrongEndsWith64AndChangesNothing(sql: String) throws {
    let catalog = try TinyCatalog(.searched)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: catalog.path))
    let result = try catalog.run("query", sql)
    #expect(result.exitCode == 64, "\(sql): \(result.exitCode) \(result.diagnostics)")
    #expect(result.output.isEmpty)
    #expect(try Data(contentsOf: URL(fileURLWithPath: catalog.path)) == bytes)
    #expect(try catalog.files == ["tiny.evodb"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: catalog.folder.path).count == 3)
  }

  @Test func aSlowStatementIsStopped() throws {
    let catalog = try TinyCatalog(.made)
    let endless = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
    let result = try catalog.run("query", endless, "--timeout", "0.2")
    #expect(result.exitCode == 1)
    #expect(result.diagnostics.contains("--timeout"))
  }

  @Test func aQueryIsStoppedByTheFirstSignal() throws {
    let catalog = try TinyCatalog(.made)
    let endless = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
    let running = try catalog.runner.start(["query", catalog.path, endless, "--timeout", "600"])
    // It begins to count within a tenth of that.
    try running.sendWhenWatched(SIGTERM, afterComputing: 0.5)
    let result = try running.wait(timeout: 60)
    #expect(result.exitCode == 75, "\(result.diagnostics)")
  }

  @Test func terminalControlsAreMadeVisible() throws {
    let catalog = try TinyCatalog(.made)
    let table = try catalog.output("query", "SELECT char(27) || '[2Jhidden' AS x")
    #expect(!table.contains("\u{1B}"))
    #expect(table.contains("hidden"))
    let json = try catalog.output("query", "SELECT char(27) AS x", "--format", "json")
    #expect(!json.contains("\u{1B}") && json.contains("\\u001"))
  }

  @Test func aReaderThatGoesIsNoFailure() throws {
    let catalog = try TinyCatalog()
    let result = try catalog.runner.shell(
      "\"$EVODB_BINARY\" query tiny.evodb 'SELECT * FROM layer_error a, layer_error b' --format csv | head -n 2")
    #expect(result.exitCode == 0)
    #expect(result.diagnostics.isEmpty, "\(result.diagnostics)")
    #expect(result.output.split(whereSeparator: \.isNewline).count == 2)
  }
}
