import TestSupport
import Testing

@testable import Catalog

/// The form of `queries.sql`.
@Suite(.usualTimeLimit) struct DocumentedQueryTextTests {
  @Test func everyQueryHasItsParts() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.read()
    let tables = try store.read { try $0.tableNames() }
    for query in DocumentedQuery.all {
      #expect(query.name.allSatisfy { $0.isLowercase || $0 == "-" } && query.question.hasSuffix("?"), "\(query.name)")
      #expect(!query.sql.contains(";") && !query.sql.contains("--"), "\(query.name)")
      for parameter in query.parameters {
        #expect(["text", "integer", "real"].contains(parameter.type) && !parameter.meaning.isEmpty, "\(query.name)")
      }
      // Views only: tables may change.
      let words = Set(query.sql.split { !$0.isLetter && $0 != "_" }.map { String($0) })
      let spoken: Set = [
        "run", "measure", "model", "stage", "layer", "generation", "candidate", "sequence", "method",
        "assignment", "numerics", "job", "data_set", "variant", "site", "space",
      ]
      #expect(words.intersection(tables).subtracting(spoken).isEmpty, "\(query.name)")
      for word in spoken { #expect(!query.sql.contains("FROM \(word) ") && !query.sql.contains("JOIN \(word) ")) }
      let values = Dictionary(uniqueKeysWithValues: query.parameters.map { ($0.name, SQLValue.null) })
      var rows = 0
      _ = try store.query(
        query.sql, parameters: values, timeout: 60, maximumRows: 1000, onColumns: { _ in }, onRow: { _ in rows += 1 })
      #expect(
        rows > 0
          || [
            "progress", "error-misleads", "sensitivity-errors", "run-differences", "layer-differences",
            "paired-differences", "void-rests",
          ]
          .contains(
            query.name),
        "\(query.name)")
    }
  }

  @Test func commentsBecomeQuestionParametersAndDescription() throws {
    let queries = DocumentedQuery.parse(
      """
      -- A file.
      -- @one: What: is it?
      -- :run (text): which
      -- It says
      -- this.
      SELECT 1,
        2;

      -- @two: And?
      SELECT 3;
      """)
    #expect(queries.count == 2)
    #expect(
      queries[0].name == "one" && queries[0].question == "What: is it?" && queries[0].description == "It says this.")
    #expect(queries[0].parameters == [DocumentedQuery.Parameter(name: "run", type: "text", meaning: "which")])
    #expect(queries[0].sql == "SELECT 1,\n  2" && queries[1].sql == "SELECT 3")
  }

  @Test func everyViewHasADescriptionAndUnitsByName() throws {
    let (folder, _) = try CatalogFolder.filled()
    let views = try folder.read().read { try $0.viewDescriptions() }
    #expect(views.count >= 15)
    for view in views { #expect(!view.description.isEmpty && !view.columns.isEmpty, "\(view.name)") }
    let sizes = try #require(views.first { $0.name == "assignment_summary" })
    #expect(
      sizes.units.map { "\($0.column) \($0.unit)" } == [
        "average_bits bit", "average_stored_bits bit", "stored_bytes B",
      ])
  }
}
