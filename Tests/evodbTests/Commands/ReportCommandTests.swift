import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import evodb

/// `evodb report`, as a user and a browser meet it.
@Suite(.usualTimeLimit) struct ReportCommandTests {
  private func page(_ catalog: TinyCatalog, _ rest: String..., name: String = "report.html") throws -> String {
    let result = try catalog.run("report", rest + ["-o", name])
    try #require(result.exitCode == 0, "\(result.diagnostics)")
    #expect(result.output.isEmpty)
    return try String(contentsOf: catalog.folder.appendingPathComponent(name), encoding: .utf8)
  }

  /// The CSV that a page holds for a query.
  private func csv(_ page: String, _ query: String) throws -> String {
    let start = try #require(page.range(of: "<a download=\"\(query).csv\" href=\""), "no \(query)")
    let link = page[start.upperBound...].prefix { $0 != "\"" }
    let head = "data:text/csv;charset=utf-8,"
    try #require(link.hasPrefix(head))
    return try #require(String(link.dropFirst(head.count)).removingPercentEncoding)
  }

  /// The cells of the first table that a page has for a query.
  private func cells(_ page: String, _ query: String) throws -> [[String]] {
    let question = try #require(DocumentedQuery.named(query)).question
    let start = try #require(page.range(of: "<caption>\(Markup.escaped(question))</caption>"), "no \(query)")
    let table = try #require(page[start.upperBound...].range(of: "</table>")).lowerBound
    return page[start.upperBound..<table].matches(of: /<tr>(.*?)<\/tr>/).dropFirst().map { row in
      row.1.matches(of: /<td[^>]*>(.*?)<\/td>/).map { String($0.1) }
    }
  }

  /// The SVG drawings of a page.
  private func drawings(_ page: String) -> [Substring] {
    page.matches(of: /(?s)<svg .*?<\/svg>/).map { $0.0 }
  }

  @Test func aPageNeedsNothingElse() throws {
    let page = try page(TinyCatalog(.searched))
    #expect(page.hasPrefix("<!DOCTYPE html>"))
    for word in ["<script", "http://", "https://", "@import", "url(", "<link", "<img", " src="] {
      #expect(!page.contains(word), "\(word)")
    }
    #expect(page.contains("prefers-color-scheme:dark") && page.contains("@media print"))
    for section in ReportSectionName.allCases { #expect(page.contains("<section id=\"\(section.rawValue)\"")) }
    #expect(page.utf8.count < 1_000_000)
  }

  @Test func everyChartHasTitleDescriptionTableStatementAndCSV() throws {
    let page = try page(TinyCatalog(.searched))
    let drawings = drawings(page)
    #expect(drawings.count >= 10)
    var ids: Set<Substring> = []
    for drawing in drawings {
      #expect(isWellFormed(drawing.replacing("<svg ", with: "<svg xmlns=\"http://www.w3.org/2000/svg\" ")))
      let labelled = try #require(drawing.firstMatch(of: /role="img" aria-labelledby="([^" ]+)-t ([^" ]+)-d"/))
      #expect(ids.insert(labelled.1).inserted)
      #expect(drawing.contains("<title id=\"\(labelled.1)-t\">") && drawing.contains("<desc id=\"\(labelled.2)-d\">"))
      #expect(!drawing.contains("<desc id=\"\(labelled.2)-d\"></desc>"))
    }
    for section in page.matches(of: /(?s)<section .*?<\/section>/).map({ $0.0 }) where section.contains("<svg") {
      for part in ["<table>", "<pre>", "<a download="] { #expect(section.contains(part)) }
    }
  }

  @Test(arguments: [
    ("results", ["run=first"]), ("models", []), ("front", ["points=400"]), ("assignment-layers", ["assignment=first"]),
    ("stage-fitness", ["run=first"]), ("parent-values", ["run=first"]), ("layer-errors", []), ("runs", []),
    ("jobs", []),
  ])
  func numbersAreThoseOfTheQueries(query: String, parameters: [String]) throws {
    let catalog = try TinyCatalog(.searched)
    let page = try page(catalog, "first", "--quiet")
    let options = parameters.flatMap { ["--param", $0] }
    let expected = try catalog.output(["query", "@\(query)"] + options + ["--format", "csv"])
    let shown = try csv(page, query)
    // One picture more follows: that of the reference.
    #expect(query == "assignment-layers" ? shown.hasPrefix(expected) : shown == expected)
    #expect(expected.split(separator: "\r\n").count > 1)
    let table = try catalog.output(["query", "@\(query)"] + options).split(separator: "\n")
    let rows = try cells(page, query)
    #expect(rows.count >= table.count - 2)
    for (row, line) in zip(rows, table.dropFirst(2)) {
      #expect(row.joined(separator: " ").split(separator: " ") == Markup.escaped(String(line)).split(separator: " "))
    }
    #expect(page.contains(Markup.escapedLines(try #require(DocumentedQuery.named(query)).sql)))
  }

  @Test func theSameCatalogGivesTheSameBytes() throws {
    let catalog = try TinyCatalog(.searched)
    #expect(try page(catalog) == page(catalog, name: "again.html"))
    #expect(try catalog.files == ["tiny.evodb"])
  }

  @Test func theHeadSaysWhatTheReportOfTheRunSays() throws {
    let catalog = try TinyCatalog(.searched)
    let result = try catalog.json("show", "first")
    let page = try page(catalog)
    #expect(page.contains(try result.text("assignment").prefix(12)))
    #expect(page.contains(HumanFormat.number(try result.number("kl"), significantDigits: 4)))
    #expect(page.contains(HumanFormat.bytes(Int64(try result.integer("stored_bytes")))))
  }

  @Test(arguments: ReportSectionName.allCases) func aSectionIsWrittenInEveryForm(section: ReportSectionName) throws {
    let catalog = try TinyCatalog(.searched)
    let svg = try catalog.output("report", "--section", section.rawValue, "--format", "svg")
    #expect(svg.hasPrefix("<?xml") && isWellFormed(svg) && svg.contains("<style>") && !svg.contains("var("))
    let html = try catalog.output("report", "--section", section.rawValue)
    #expect(html.contains("<section id=\"\(section.rawValue)\"") && html.matches(of: /<section\s/).count == 1)
    let csv = try catalog.output("report", "--section", section.rawValue, "--format", "csv")
    #expect(csv.contains(",") && csv.hasSuffix("\r\n"))
  }

  @Test func wrongRequestsAreRefused() throws {
    let catalog = try TinyCatalog(.searched)
    let cases: [(arguments: [String], code: Int32, words: String)] = [
      (["frist", "-o", "a.html"], 66, "no run called frist; known: first"),
      (["--section", "fornt"], 64, "head, front, assignments"), (["--format", "svg"], 64, "--section"),
      (["--format", "pdf"], 64, "html, svg, csv"), (["--open"], 64, "--output"),
      (["-o", "calibration.safetensors"], 73, "calibration.safetensors"),
      (["-o", "none/a.html"], 66, "no such folder"), (["-o", ""], 64, "empty"),
    ]
    for (arguments, code, words) in cases {
      let result = try catalog.run("report", arguments)
      #expect(result.exitCode == code && result.diagnostics.contains(words), "\(arguments): \(result.diagnostics)")
      #expect(result.output.isEmpty)
    }
    let before = try FileManager.default.contentsOfDirectory(atPath: catalog.folder.path)
    #expect(!before.contains("a.html"))
    for state in [TinyCatalog.State.made, .built] {
      let result = try TinyCatalog(state).run("report", "-o", "a.html")
      #expect(
        result.exitCode == 66 && result.diagnostics.contains("the catalog holds no run; start one with: evodb search"))
    }
    #expect(try TinyCatalog(.missing).run("report", "-o", "a.html").exitCode == 66)
  }

  @Test func anOpenRunHasAPageToo() throws {
    let catalog = try TinyCatalog(.searched)
    let connection = try Connection(path: catalog.path, access: .readWrite, busyTimeoutMilliseconds: 1000)
    try connection.execute("UPDATE run SET state = 'open', found_assignment_id = NULL, recommendation = NULL")
    let page = try page(catalog)
    #expect(page.contains("first (evolution, target 3bit) of llama-gqa has no result yet."))
    #expect(page.contains("One run is open and has no result yet."))
  }

  @Test func hostileNamesAreText() throws {
    let catalog = try TinyCatalog(.searched)
    let connection = try Connection(path: catalog.path, access: .readWrite, busyTimeoutMilliseconds: 1000)
    let names = [
      ("run", "name", "</title><script>alert(1)</script>"),
      ("model", "name", "\u{1B}]0;x\u{7}\"><img src=x onerror=alert(1)>"),
      ("data_set", "name", "]]>--><style>*{display:none}</style>\u{202E}'&" + String(repeating: "long ", count: 400)),
      ("layer", "role", "</svg>" + "\u{0}\r\n"), ("layer", "name", "<td>" + "\u{FFFF}"),
      ("job", "command", "<b>\u{9B}31m"),
      ("job", "user_name", "=cmd|' /C calc'!A0"), ("run", "strategy", "<i>"),
    ]
    for (table, column, name) in names {
      let digits = name.utf8.map { String(format: "%02x", $0) }.joined()
      let unique = column == "name" ? " || CASE WHEN id = (SELECT min(id) FROM \(table)) THEN '' ELSE id END" : ""
      try connection.execute("UPDATE \(table) SET \(column) = CAST(x'\(digits)' AS TEXT)\(unique)")
    }
    let page = try page(catalog)
    for word in ["<script", "<img", "<i>", "<b>", "<style>*"] { #expect(!page.contains(word), "\(word)") }
    for scalar in page.unicodeScalars where scalar != "\n" { #expect(!TerminalText.isHarmful(scalar)) }
    for drawing in drawings(page) {
      #expect(isWellFormed(drawing.replacing("<svg ", with: "<svg xmlns=\"http://www.w3.org/2000/svg\" ")))
    }
    #expect(page.matches(of: /<section\s/).count == ReportSectionName.allCases.count)
    #expect(page.utf8.count < 1_000_000)
    for section in ReportSectionName.allCases {
      #expect(isWellFormed(try catalog.output("report", "--section", section.rawValue, "--format", "svg")))
    }
  }

  @Test func manyAssignmentsAreSampledWithANote() throws {
    let catalog = try TinyCatalog(.searched)
    let connection = try Connection(path: catalog.path, access: .readWrite, busyTimeoutMilliseconds: 1000)
    try connection.execute(
      """
      CREATE TEMP TABLE base AS SELECT max(id) AS last FROM assignment;
      WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000)
      INSERT INTO assignment (digest, setting_digest, model_id, variant_ids, dropped_subblocks, code_bits, stored_bits, row_check)
      SELECT CAST(printf('%032d', n) AS BLOB), CAST(printf('%032d', n) AS BLOB), a.model_id, a.variant_ids, a.dropped_subblocks,
        a.code_bits + n % 7919, a.stored_bits + n % 7919, 0
      FROM c, run r, assignment a
      WHERE a.id = CASE n % 2 WHEN 0 THEN r.found_assignment_id ELSE (SELECT min(assignment_id) FROM uniform_assignment) END;
      INSERT INTO set_fitness SELECT a.id, f.measure_id, f.data_set_id, f.distinct_sequence_count, f.prediction_count,
        f.sum * (1 + a.id % 977 / 977.0), f.residual_square_sum, 0
      FROM assignment a, (SELECT * FROM set_fitness WHERE assignment_id = (SELECT found_assignment_id FROM run)
        AND data_set_id = (SELECT validation_set_id FROM run)) f
      WHERE a.id > (SELECT last FROM base);
      """)
    let page = try page(catalog)
    #expect(page.utf8.count < 1_000_000)
    let note = try #require(page.firstMatch(of: /([0-9,]+) of ([0-9,]+) assignments are shown/))
    let shown = try #require(Int(note.1.replacing(",", with: "")))
    let all = try catalog.number(
      "SELECT count(*) FROM evaluation_summary WHERE data_set = 'validation' AND measure = 'kl'")
    #expect((400...1300).contains(shown) && Double(note.2.replacing(",", with: "")) == all && all > 100_000)
    // The page keeps the first rows of what it draws.
    let rows = try catalog.output("query", "@front", "--param", "points=400", "--format", "csv")
    #expect(try rows.hasPrefix(csv(page, "front")))
    // The work: a look is a thousand instructions of SQLite, and what an assignment costs does not grow with the others.
    var looks = 0
    let store = try CatalogStore(path: catalog.path, mode: .read)
    defer { store.close() }
    let query = try #require(DocumentedQuery.named("front"))
    var parameters = Dictionary(uniqueKeysWithValues: query.parameters.map { ($0.name, SQLValue.null) })
    parameters["points"] = .integer(400)
    try store.query(
      query.sql, parameters: parameters, timeout: 600, maximumRows: .max,
      shouldStop: {
        looks += 1
        return false
      }, onColumns: { _ in }, onRow: { _ in })
    #expect((10_000...120_000).contains(looks))
    // What has a name is there.
    for kind in ["dense", "uniform", "first"] { #expect(rows.contains(",\(kind),"), "\(kind)") }
  }

  @Test func openShowsTheFile() throws {
    let catalog = try TinyCatalog(.searched)
    let script = catalog.folder.appendingPathComponent("xdg-open")
    try "#!/bin/sh\nprintf %s \"$1\" > \(catalog.folder.path)/shown\n".write(
      to: script, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script.path)
    try FileManager.default.copyItem(at: script, to: catalog.folder.appendingPathComponent("open"))
    var runner = catalog.runner
    runner.environment["PATH"] = "\(catalog.folder.path):/usr/bin:/bin"
    #expect(try runner.run(["report", catalog.path, "-o", "a b.html", "--open"]).exitCode == 0)
    let shown = try String(contentsOf: catalog.folder.appendingPathComponent("shown"), encoding: .utf8)
    #expect(shown.hasSuffix("/a b.html") && FileManager.default.fileExists(atPath: shown))
    // Without such a program the page is there all the same.
    runner.environment["PATH"] = "/none"
    let result = try runner.run(["report", catalog.path, "-o", "c.html", "--open"])
    #expect(result.exitCode == 1 && result.diagnostics.contains("open it with a browser"))
    #expect(FileManager.default.fileExists(atPath: catalog.folder.appendingPathComponent("c.html").path))
  }
}
