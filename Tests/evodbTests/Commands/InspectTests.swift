import Foundation
import TestSupport
import Testing

@testable import evodb

/// `evodb ls`, `evodb show` of open runs, and the parts of `evodb compare`.
@Suite(.usualTimeLimit) struct InspectTests {
  @Test func everyListIsItsDocumentedQuery() throws {
    let catalog = try TinyCatalog(.searched)
    for kind in ListCommand.Kind.allCases {
      let listed = try catalog.output("ls", kind.rawValue, "--format", "jsonl")
      #expect(listed == (try catalog.output("query", "@\(kind.query)", "--format", "jsonl")))
      #expect(!listed.isEmpty, "\(kind)")
    }
    let names = try catalog.output("ls", "data", "--format", "jsonl")
    #expect(names.contains(#""data_set":"calibration""#) && names.contains(#""data_set":"validation""#))
    #expect(try catalog.output("ls", "variants").contains("gptq"))
    let runs = try JSONFields(try catalog.output("ls", "runs", "--format", "jsonl"))
    #expect(try runs.text("target") == "3bit")
    let all = try catalog.output("ls")
    for heading in ["models\n", "data\n", "variants\n", "runs\n"] { #expect(all.contains(heading), "\(all)") }
    #expect(try catalog.run("ls", "--format", "csv").exitCode == 64)
    #expect(try catalog.run("ls", "nothing").exitCode == 64)
  }

  @Test func listsOfAnEmptyCatalogAreEmpty() throws {
    let catalog = try TinyCatalog(.made)
    for kind in ListCommand.Kind.allCases {
      #expect(try catalog.output("ls", kind.rawValue, "--format", "jsonl").isEmpty, "\(kind)")
    }
    #expect(try catalog.run("ls").exitCode == 0)
  }

  @Test func twoRunsAreComparedInValuesRecipesAndLayers() throws {
    let catalog = try TinyCatalog(.searched)
    let second = TinyCatalog.recipe.map { $0 == "3" ? "2.5" : $0 }
    try catalog.output(["search"] + second + ["--data", "calibration", "--name", "second", "--seed", "5"])
    let text = try catalog.output("compare", "first", "second")
    #expect(
      text.contains("verdict") && text.contains("target_bits") && text.contains("seed") && text.contains("one_nmse"))
    let layers = try catalog.output("compare", "first", "second", "--part", "layers", "--format", "jsonl")
      .split(separator: "\n")
    let expected = try catalog.number(
      """
      SELECT count(*) FROM run_summary r JOIN run_summary s ON s.run = 'second'
      JOIN assignment_layer a ON a.assignment = r.found_assignment
      JOIN assignment_layer b ON b.assignment = s.found_assignment AND b.layer = a.layer
      WHERE r.run = 'first' AND a.level <> b.level
      """)
    #expect(Double(layers.count) == expected && expected > 0)
    let parameters = try catalog.output("compare", "first", "second", "--part", "recipes", "--format", "jsonl")
    #expect(parameters.contains(#"{"name":"seed","one":0,"other":5}"#))
    let digest = try #require(try catalog.rows("SELECT found_assignment AS a FROM run_summary").first).text("a")
    let same = ["first", String(digest.prefix(10)), "--part", "layers", "--format", "jsonl"]
    #expect(try catalog.output(["compare"] + same).isEmpty)
    #expect(try catalog.run("compare", "first", "ffffffff").exitCode == 66)
    #expect(try catalog.run("compare", "first", digest, "--part", "recipes").exitCode == 64)
    #expect(try catalog.run("compare", "first", "--part", "layers").exitCode == 64)
  }
}
