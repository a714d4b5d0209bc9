import Foundation
import TestSupport
import Testing

@testable import evodb

@Suite(.usualTimeLimit) struct ResultTableTests {
  private let table = ResultTable(
    [
      ResultColumn("layer"), ResultColumn("bits", .bits), ResultColumn("size_bytes", .bytes),
      ResultColumn("kl", .real(significantDigits: 3)),
      ResultColumn("key", .text),
    ],
    rows: [
      [.text("q_proj"), .real(3), .integer(2048), .real(0.041234), .blob([0x00, 0xAB])],
      [.text("漢字"), .null, .integer(12), .real(.nan), .text("a\u{1B}[2J,\"b\"\n")],
    ])

  private func rendered(_ table: ResultTable, as format: OutputFormat, terminalWidth: Int? = nil) throws -> String {
    let writer = OutputWriter.capturing()
    let environment = TerminalEnvironment(outputIsTerminal: terminalWidth != nil, width: { terminalWidth ?? 80 })
    try table.write(to: writer, as: format, environment: environment)
    return writer.captured
  }

  @Test func tablesAlignByDisplayWidthAndShowControls() throws {
    #expect(
      try rendered(table, as: .table) == """
        layer   bits  size_bytes      kl  key
        ------  ----  ----------  ------  --------------
        q_proj  3.00    2.00 KiB  0.0412  00ab
        漢字       -        12 B     nan  a\\x1B[2J,"b"\\n

        """)
  }

  @Test func aNarrowTerminalGetsFewerColumns() {
    let lesser = ["key", "nothing", "kl", "size_bytes"]
    #expect(table.fitting(48, leavingOut: lesser) == table)
    #expect(table.fitting(47, leavingOut: lesser).columns.map(\.name) == ["layer", "bits", "size_bytes", "kl"])
    #expect(table.fitting(31, leavingOut: lesser).columns.map(\.name) == ["layer", "bits", "size_bytes"])
    let narrowest = table.fitting(1, leavingOut: lesser)
    #expect(narrowest.columns.map(\.name) == ["layer", "bits"] && narrowest.rows[0] == [.text("q_proj"), .real(3)])
  }

  @Test(arguments: [
    ("seconds", ResultKind.seconds), ("elapsed_seconds", .seconds), ("z_score", .real(significantDigits: 3)),
    ("sparsity", .percent), ("target_sparsity", .percent), ("change", .percent), ("change_standard_error", .percent),
    ("difference_standard_error", .real(significantDigits: 3)), ("largest_nmse", .real(significantDigits: 5)),
    ("stored_bytes", .bytes), ("layer_count", .count), ("average_bits", .bits), ("seed", .text), ("x", .text),
  ])
  func namesCarryTheUnits(column: String, kind: ResultKind) {
    #expect(CatalogQuery.kind(of: column) == kind)
  }

  @Test func tablesAreCutToTheTerminalAndOnlyThere() throws {
    let long = ResultTable(
      [ResultColumn("name"), ResultColumn("n", .integer)],
      rows: [[.text(String(repeating: "x", count: 100)), .integer(12345)]])
    let onTerminal = try rendered(long, as: .table, terminalWidth: 40)
    for line in onTerminal.split(separator: "\n") { #expect(TerminalText.width(String(line)) <= 40) }
    #expect(onTerminal.contains("…"))
    #expect(onTerminal.contains("12345"))
    #expect(try rendered(long, as: .table).contains(String(repeating: "x", count: 100)))
  }

  @Test func csvFollowsRFC4180() throws {
    #expect(
      try rendered(table, as: .csv)
        == "layer,bits,size_bytes,kl,key\r\nq_proj,3.0,2048,0.041234,00ab\r\n漢字,,12,,\"a\u{1B}[2J,\"\"b\"\"\n\"\r\n")
    #expect(CSVRecord.line([.text(""), .null, .text(" x"), .text("\r\n")]) == "\"\",,\" x\",\"\r\n\"\r\n")
  }

  @Test func csvOnATerminalIsHarmless() throws {
    #expect(!(try rendered(table, as: .csv, terminalWidth: 80)).contains("\u{1B}"))
  }

  @Test func jsonReadsBackToTheSameValues() throws {
    let rows = try #require(
      try JSONSerialization.jsonObject(with: Data(rendered(table, as: .json).utf8)) as? [[String: Any]])
    #expect(rows.count == 2)
    #expect(rows[0]["layer"] as? String == "q_proj")
    #expect(rows[0]["kl"] as? Double == 0.041234)
    #expect(rows[0]["key"] as? String == "00ab")
    #expect(rows[1]["key"] as? String == "a\u{1B}[2J,\"b\"\n")
    #expect(rows[1]["kl"] is NSNull)
    #expect(rows[1]["bits"] is NSNull)
  }

  @Test func jsonLinesHoldOneObjectEach() throws {
    let lines = try rendered(table, as: .jsonl).split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines[0] == #"{"layer":"q_proj","bits":3.0,"size_bytes":2048,"kl":0.041234,"key":"00ab"}"#)
  }

  @Test func emptyResultsAreStillDocuments() throws {
    let empty = ResultTable([ResultColumn("a"), ResultColumn("b")])
    #expect(try rendered(empty, as: .json) == "[]\n")
    #expect(try rendered(empty, as: .jsonl) == "")
    #expect(try rendered(empty, as: .csv) == "a,b\r\n")
    #expect(try rendered(empty, as: .table) == "a  b\n-  -\n")
  }

  @Test func columnsOfTheSameNameStayApartInJSON() throws {
    let twins = ResultTable([ResultColumn("n"), ResultColumn("n")], rows: [[.integer(1), .integer(2)]])
    #expect(try rendered(twins, as: .jsonl) == "{\"n\":1,\"n_2\":2}\n")
  }
}
