import Foundation
import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct SchemaTests {
  /// A `CREATE TABLE` of schema.sql: its name, the lines between its parentheses, and what follows them.
  private struct TableText {
    var name: String
    var lines: [String]
    var end: String
  }

  private func tables() throws -> [TableText] {
    var result: [TableText] = []
    var isInside = false
    for line in CatalogSchema.text.split(separator: "\n").map(String.init) {
      if line.hasPrefix("CREATE TABLE ") {
        let name = try #require(line.split(separator: " ").dropFirst(2).first)
        result.append(TableText(name: String(name), lines: [], end: ""))
        isInside = true
      } else if isInside, line.hasPrefix(")") {
        result[result.count - 1].end = line
        isInside = false
      } else if isInside {
        result[result.count - 1].lines.append(line)
      }
    }
    return result
  }

  @Test func theEmbeddedSchemaIsTheFile() throws {
    let file = try String(contentsOf: Fixtures.repositoryFile("schema.sql"), encoding: .utf8)
    #expect(CatalogSchema.text == file)
  }

  @Test func everyColumnOfEveryTableIsCommented() throws {
    let tables = try tables()
    #expect(tables.count > 25)
    for table in tables {
      for line in table.lines {
        let text = line.trimmingCharacters(in: .whitespaces)
        if text.hasPrefix("UNIQUE (") || text.hasPrefix("PRIMARY KEY (") { continue }
        let comment = text.range(of: " -- ").map { text[$0.upperBound...] } ?? ""
        #expect(!comment.isEmpty, "\(table.name): \(text)")
      }
    }
  }

  @Test func everyTableIsStrict() throws {
    for table in try tables() { #expect(table.end.contains("STRICT"), "\(table.name)") }
  }

  @Test func everyTableHasARowCheckExceptTheBytesOfBlobs() throws {
    for table in try tables() where table.name != "blob_chunk" {
      #expect(table.lines.contains { $0.hasPrefix("  row_check INTEGER NOT NULL") }, "\(table.name)")
    }
  }

  @Test func theDatabaseHoldsTheTablesOfTheText() throws {
    let folder = try CatalogFolder()
    try folder.create().close()
    let store = try folder.read()
    var names: [String] = []
    _ = try store.query(
      "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid", timeout: 60, maximumRows: 100,
      onColumns: { _ in }
    ) { if case .text(let name) = $0[0] { names.append(name) } }
    #expect(names == (try tables().map(\.name)))
  }

  @Test func aFilledCatalogPassesTheChecksOfSQLite() throws {
    let (folder, _) = try CatalogFolder.filled()
    let connection = try Connection(path: folder.path, access: .readOnly, busyTimeoutMilliseconds: 1000)
    #expect(try connection.integer("SELECT count(*) FROM pragma_foreign_key_check") == 0)
    #expect(try connection.text("PRAGMA integrity_check") == "ok")
  }

  @Test func theMarksOfTheFileAreThoseOfTheCode() throws {
    let folder = try CatalogFolder()
    try folder.create().close()
    let connection = try Connection(path: folder.path, access: .readOnly, busyTimeoutMilliseconds: 1000)
    #expect(try connection.integer("PRAGMA application_id") == CatalogSchema.applicationID)
    #expect(try connection.integer("PRAGMA user_version") == CatalogSchema.version)
  }

  @Test func everyViewCanBeRead() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.read()
    var views: [String] = []
    _ = try store.query(
      "SELECT name FROM sqlite_schema WHERE type = 'view'", timeout: 60, maximumRows: 100, onColumns: { _ in }
    ) { if case .text(let name) = $0[0] { views.append(name) } }
    #expect(views.count > 10)
    for view in views {
      let outcome = try store.query(
        "SELECT * FROM \(view)", timeout: 60, maximumRows: 1000, onColumns: { #expect(!$0.isEmpty) }, onRow: { _ in })
      #expect(outcome.rowCount > 0, "\(view)")
    }
  }
}
