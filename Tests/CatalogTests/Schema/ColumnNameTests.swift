import Foundation
import TestSupport
import Testing

@testable import Catalog

/// The rule for names of columns in docs/catalog-format.md, in both directions: a name says what the values are, and such values
/// have such a name.
@Suite(.usualTimeLimit) struct ColumnNameTests {
  /// The rule that a value breaks whose column has this name; nil: none, or the name has no rule.
  private static func problem(_ column: String, _ value: SQLValue, isView: Bool) -> String? {
    if value == .null { return nil }
    func isInteger(_ range: ClosedRange<Int64>) -> Bool {
      if case .integer(let number) = value { range.contains(number) } else { false }
    }
    if column.hasPrefix("is_") { return isInteger(0...1) ? nil : "no truth value" }
    if column.hasSuffix("_count") { return isInteger(0...Int64.max) ? nil : "no count" }
    if column.hasSuffix("_index") { return isInteger(0...Int64.max) ? nil : "no index" }
    if column == "id" || column.hasSuffix("_id") { return isInteger(1...Int64.max) ? nil : "no local id" }
    // The names of lm-evaluation-harness for accuracies: not sizes.
    if column == "acc_bytes" { return nil }
    if column.hasSuffix("_bytes") { return isInteger(Int64.min...Int64.max) ? nil : "no number of bytes" }
    if column.hasSuffix("_at") {
      guard case .text(let text) = value else { return "no time" }
      return text.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/) == nil ? "no time" : nil
    }
    if column == "digest" || column.hasSuffix("_digest") || column.hasSuffix("_key") {
      switch value {
      case .blob(let bytes): return !isView && bytes.count == 32 ? nil : "no digest"
      case .text(let text): return isView && text.wholeMatch(of: /[0-9a-f]{64}/) != nil ? nil : "no digest"
      default: return "no digest"
      }
    }
    return nil
  }

  private func objects(_ connection: Connection) throws -> [(type: String, name: String, sql: String)] {
    var result: [(type: String, name: String, sql: String)] = []
    try connection.forEachRow("SELECT type, name, sql FROM sqlite_schema WHERE type IN ('table', 'view')") {
      result.append(($0.text("type"), $0.text("name"), $0.text("sql")))
    }
    return result
  }

  @Test func aNameSaysWhatTheValuesAre() throws {
    let (folder, _) = try CatalogFolder.filled()
    let connection = try Connection(path: folder.path, access: .readOnly, busyTimeoutMilliseconds: 1000)
    var columnCount = 0
    for object in try objects(connection) {
      let names = try connection.texts("SELECT name FROM pragma_table_info(?) ORDER BY cid", [.text(object.name)])
      columnCount += names.count
      var rowCount = 0
      try connection.forEachRow("SELECT * FROM \(object.name)") { row in
        rowCount += 1
        for (name, value) in zip(names, row.values) {
          let problem = Self.problem(name, value, isView: object.type == "view")
          #expect(problem == nil, "\(object.name).\(name): \(value)")
        }
      }
      #expect(rowCount > 0, "\(object.name)")
    }
    #expect(columnCount > 400)
  }

  @Test func everyTruthValueOfATableIsCalledOne() throws {
    let (folder, _) = try CatalogFolder.filled()
    let connection = try Connection(path: folder.path, access: .readOnly, busyTimeoutMilliseconds: 1000)
    var found = 0
    for object in try objects(connection) where object.type == "table" {
      for line in object.sql.split(separator: "\n") where line.contains("IN (0, 1)") {
        let name = line.split(separator: " ").first ?? ""
        #expect(name.hasPrefix("is_"), "\(object.name).\(name)")
        found += 1
      }
    }
    #expect(found == 3)
  }

  /// The expressions of a view's columns, where its text names them: `EXPRESSION AS NAME`, each from the comma before.
  private func expressions(_ sql: String) -> [(expression: String, name: String)] {
    var result: [(expression: String, name: String)] = []
    let text = sql.split(separator: "\n").map { $0.prefix { $0 != ";" } }.map { line in
      line.range(of: "-- ").map { line[..<$0.lowerBound] } ?? line
    }.joined(separator: " ")
    for match in text.matches(of: #/\ AS\ ([a-z_]+)/#) {
      // Back to the comma, the parenthesis or the SELECT that the expression follows, over whole parentheses.
      var depth = 0
      var expression = ""
      for character in text[..<match.range.lowerBound].reversed() {
        if character == ")" { depth += 1 }
        if character == "(" { depth -= 1 }
        if depth < 0 || (depth == 0 && character == ",") { break }
        expression.append(character)
        if depth == 0, expression.hasSuffix("TCELES") {
          expression.removeLast(6)
          break
        }
      }
      result.append((String(expression.reversed()).trimmingCharacters(in: .whitespaces), String(match.1)))
    }
    return result
  }

  /// The expression without parts in parentheses and between CASE and END.
  private func outside(_ expression: String) -> String {
    var result = ""
    var depth = 0
    for character in expression {
      if character == "(" { depth += 1 }
      if depth == 0 { result.append(character) }
      if character == ")" { depth -= 1 }
    }
    return result.replacing(#/CASE\ .*\ END/#, with: "")
  }

  @Test func everyTruthValueAndCountOfAViewIsCalledOne() throws {
    let (folder, _) = try CatalogFolder.filled()
    let connection = try Connection(path: folder.path, access: .readOnly, busyTimeoutMilliseconds: 1000)
    var (truths, counts): (Set<String>, Set<String>) = ([], [])
    for object in try objects(connection) where object.type == "view" {
      for (expression, name) in expressions(object.sql) {
        let plain = outside(expression)
        if expression.hasPrefix("EXISTS") || plain.contains(#/\ (=|<>|<|>|<=|>=|AND|OR|LIKE|IN|IS)\ /#) {
          #expect(name.hasPrefix("is_"), "\(object.name).\(name): \(expression)")
          truths.insert(name)
        }
        if plain.hasPrefix("count"), !plain.contains("/") || expression.hasPrefix("(SELECT count(") {
          #expect(name.hasSuffix("_count"), "\(object.name).\(name): \(expression)")
          counts.insert(name)
        }
      }
    }
    #expect(truths.isSuperset(of: ["is_complete", "is_dropped", "is_parent_changed", "is_based_on_void"]), "\(truths)")
    #expect(counts.isSuperset(of: ["occurrence_count", "choice_count"]), "\(counts)")
  }

  @Test func theRuleIsWrittenDown() throws {
    let text = try String(contentsOf: Fixtures.repositoryFile("docs/catalog-format.md"), encoding: .utf8)
    let section = try #require(text.range(of: "## Names of columns")).upperBound
    for name in ["is_…", "…_count", "…_index", "…_id", "…_bytes", "…_at", "…_digest"] {
      #expect(text[section...].contains("| `\(name)`"), "\(name)")
    }
  }
}
