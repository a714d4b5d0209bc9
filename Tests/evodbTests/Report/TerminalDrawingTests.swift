import Catalog
import Foundation
import TestSupport
import Testing

@testable import evodb

/// Drawings in characters: `show`, `log` and `query --chart`.
@Suite(.usualTimeLimit) struct TerminalDrawingTests {
  @Test(
    arguments: [
      ([], ""), ([1], "▁"), ([1, 1, 1], "▁▁▁"), ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"), ([7, 0], "█▁"),
      ([.nan, 2, .infinity], "▁"),
    ] as [([Double], String)])
  func barsRiseWithTheValues(values: [Double], text: String) {
    #expect(Sparkline.text(values, usesUnicode: true) == text)
  }

  @Test func manyValuesAreJoined() {
    let values = (0..<1000).map { Double($0) }
    let text = Sparkline.text(values, usesUnicode: false)
    #expect(text.count == Sparkline.longest && text == String(text.sorted()) && text.first == "0" && text.last == "7")
  }

  private func scalars(_ lines: [String]) -> [Unicode.Scalar] { lines.flatMap { Array($0.unicodeScalars) } }

  /// How many dots of braille are set.
  private func dotCount(_ lines: [String]) -> Int {
    scalars(lines).filter { (0x2800...0x28FF).contains($0.value) }.reduce(0) { $0 + ($1.value & 0xFF).nonzeroBitCount }
  }

  @Test func everyPointIsADot() {
    let points = (0..<10).map { (x: Double($0), y: Double($0 * $0 % 7)) }
    let plot = CharacterPlot(xName: "generation", yName: "fitness", points: points)
    let lines = plot.lines(width: 60, usesUnicode: true)
    #expect(dotCount(lines) == 10)
    #expect(lines.first == "fitness" && lines.last?.hasSuffix("generation") == true)
    #expect(lines.allSatisfy { TerminalText.width($0) <= 60 })
    let line = CharacterPlot(xName: "x", yName: "y", points: points, isLine: true).lines(width: 60, usesUnicode: true)
    #expect(dotCount(line) > 40)
    let plain = plot.lines(width: 60, usesUnicode: false)
    #expect(scalars(plain).allSatisfy(\.isASCII) || plain.contains { $0.contains("−") })
    #expect(plain.joined().filter { $0 == "*" }.count == 10)
  }

  @Test(
    arguments: [
      [], [(.nan, 1)], [(1, .infinity)], [(0, 0)], [(1e300, -1e300), (-1e300, 1e300)], [(1, 1), (1, 1)],
      [(1e-300, 1e300), (1, 1)],
    ] as [[(Double, Double)]])
  func anyNumbersGiveADrawingOrNone(points: [(Double, Double)]) {
    let points = points.map { (x: $0.0, y: $0.1) }
    for width in [20, 80, 1000] {
      let lines = CharacterPlot(xName: "\u{1B}[2J", yName: "y", points: points, isLine: true).lines(
        width: width, usesUnicode: true)
      let isShown = points.contains { $0.x.isFinite && $0.y.isFinite }
      #expect(lines.isEmpty == !isShown)
      #expect(scalars(lines).allSatisfy { !TerminalText.isHarmful($0) })
    }
  }

  @Test(arguments: [
    ("a,b", "a", "b", false), ("stored_bytes,value:line", "stored_bytes", "value", true),
  ])
  func twoColumnsAreNamed(text: String, x: String, y: String, isLine: Bool) throws {
    let columns = try #require(ChartColumns(argument: text))
    #expect(columns.x == x && columns.y == y && columns.isLine == isLine && columns.argumentText == text)
  }

  @Test(arguments: ["", "a", "a,", ",b", "a,b,c", "a:line"]) func oneColumnIsNoChart(text: String) {
    #expect(ChartColumns(argument: text) == nil)
  }

  @Test func aQueryIsDrawn() throws {
    let catalog = try TinyCatalog(.searched)
    var runner = catalog.runner
    runner.environment["LC_ALL"] = "C"
    let drawing = try runner.run(
      ["query", catalog.path, "@convergence", "--chart", "generation,fitness:line"]
    ).output
    #expect(drawing.hasPrefix("fitness\n") && drawing.contains("*") && drawing.hasSuffix("generation\n"), "\(drawing)")
    runner.environment["LC_ALL"] = "C.UTF-8"
    let braille = try runner.run(["query", catalog.path, "@stage-fitness", "--chart", "generation,fitness"])
    #expect(braille.exitCode == 0 && dotCount([braille.output]) > 0 && !braille.output.contains("\u{1B}"))
    let cases: [(arguments: [String], words: String)] = [
      (["@convergence", "--chart", "generation,fitnes"], "did you mean fitness?"),
      (["@convergence", "--chart", "generation"], "two names of columns"),
      (["@models", "--chart", "model,layer_count"], "no row has numbers in both model and layer_count"),
      (["@convergence", "--chart", "generation,fitness", "--format", "csv"], "without it"),
      (["--list", "--chart", "a,b"], "give SQL"),
    ]
    for (arguments, words) in cases {
      let result = try catalog.run("query", arguments)
      #expect(result.exitCode == 64 && result.diagnostics.contains(words), "\(arguments): \(result.diagnostics)")
      #expect(result.output.isEmpty)
    }
  }

  @Test func showEndsWithAMapOfTheLayers() throws {
    let catalog = try TinyCatalog(.searched)
    let digest = try catalog.json("show", "first").text("assignment")
    for name in ["first", digest] {
      let lines = try catalog.output("show", name).split(separator: "\n", omittingEmptySubsequences: false)
      var levels: [String: String] = [:]
      let layers = try catalog.rows(
        "SELECT role, bits FROM assignment_layer WHERE assignment = '\(digest)' ORDER BY layer_index")
      for layer in layers { levels[try layer.text("role"), default: ""] += String(try layer.integer("bits")) }
      #expect(levels.count == 7)
      for (role, bits) in levels {
        #expect(lines.contains { $0.hasPrefix(role + " ") && $0.hasSuffix("  " + bits) }, "\(role) \(bits)")
      }
      #expect(lines.dropLast().last?.contains(" bits (") == true)
      #expect(!lines.joined().contains("\u{1B}"))
    }
    #expect(try !catalog.output("show", digest, "--format", "csv").contains(" bits ("))
  }

  @Test func coloursAreForTerminalsAlone() throws {
    let catalog = try TinyCatalog(.searched)
    let store = try CatalogStore(path: catalog.path, mode: .read)
    defer { store.close() }
    let map = AssignmentMap(try ReportData("assignment-layers", ["assignment": .text("first")], store: store))
    let plain = map.lines(width: nil, isColoured: false, usesUnicode: false)
    #expect(plain.count == 9 && plain[0].hasSuffix("0"))
    let coloured = map.lines(width: nil, isColoured: true, usesUnicode: true)
    #expect(coloured[1].contains("\u{1B}[48;5;") && coloured[1].hasSuffix("\u{1B}[0m"))
    let shown = coloured.map { $0.replacing(/\u{1B}\[[0-9;]*m/, with: "") }
    #expect(shown == plain)
    #expect(TerminalEnvironment(variables: ["TERM": "xterm"], outputIsTerminal: true).colorsOutput)
    for variables in [["NO_COLOR": "1"], ["TERM": "dumb"]] {
      #expect(!TerminalEnvironment(variables: variables, outputIsTerminal: true).colorsOutput)
    }
    #expect(!TerminalEnvironment(variables: ["TERM": "xterm"]).colorsOutput)
  }

  @Test func theLogShowsTheCourseOfEveryRun() throws {
    let catalog = try TinyCatalog(.searched)
    var runner = catalog.runner
    runner.environment["LC_ALL"] = "C"
    let lines = try runner.run(["log", catalog.path]).output.split(separator: "\n")
    #expect(lines[0].hasSuffix("course") && lines.count == 3)
    let fitness = try catalog.rows(
      "SELECT parent_stage_fitness AS f FROM run_progress WHERE parent_stage_fitness IS NOT NULL"
    )
    .map { try $0.number("f") }
    let course = Sparkline.text(fitness, usesUnicode: false)
    #expect(course.count >= 4 && lines[2].hasSuffix("  " + course))
    #expect(try !catalog.output("log", "--format", "csv").contains("course"))
  }
}
