import Catalog
import Foundation

/// The documented queries in other forms than SQL; both stand in docs/, and tests hold them in step with `queries.sql`.
struct QueryDocument {
  /// The output format.
  enum Form: String, ArgumentChoice {
    /// docs/queries.md: every query with the answer of this catalog.
    case markdown
    /// docs/datasette.yml: titles, units and canned queries.
    case datasette
  }

  let form: Form
  let path: String
  let store: CatalogStore

  func write(to context: CommandContext) throws {
    try context.output.write(form == .markdown ? markdown() : datasette())
  }

  // MARK: The page

  private static let head = """
    # Questions that a catalog answers

    `evodb query FILE --list` lists these queries, `evodb query FILE @NAME` runs one, with `--param name=value` for its
    parameters, all of which may be left out, and `--sql` prints its SQL. They read the documented views only (`evodb schema`),
    so they work as they are in sqlite3, Python and Datasette too ([other tools](tools.md)). The answers below are those of the
    catalog that the [five minutes](../README.md#five-minutes) of the front page make, their first rows.

    This page is written by `evodb query my.evodb --document markdown` (`Scripts/queries-page.sh` makes the catalog); the queries stand in
    [Sources/Catalog/Queries/queries.sql](../Sources/Catalog/Queries/queries.sql).

    """

  private func markdown() throws -> String {
    var page = Self.head
    let fileName = URL(fileURLWithPath: path).lastPathComponent
    for query in DocumentedQuery.all {
      page += "\n## \(query.question)\n\n"
      if !query.description.isEmpty { page += HelpPage.wrap(query.description, width: 100) + "\n" }
      if !query.parameters.isEmpty {
        page += "| parameter | type | |\n|---|---|---|\n"
        for parameter in query.parameters {
          page += "| `\(parameter.name)` | \(parameter.type) | \(parameter.meaning) |\n"
        }
        page += "\n"
      }
      let answer = try self.answer(query)
      page += "```\n$ \(ShellCommand("query", fileName, "@\(query.name)"))\n\(answer)```\n\n"
      page += "<details><summary>SQL</summary>\n\n```sql\n\(query.sql)\n```\n\n</details>\n"
    }
    return page
  }

  /// Rows of an answer on the page.
  private static let mostRows = 14

  private func answer(_ query: DocumentedQuery) throws -> String {
    let output = OutputWriter.capturing()
    let cut = try CatalogQuery.print(
      query.sql, parameters: try QueryText("@\(query.name)").values([]), store: store, maximumRows: Self.mostRows,
      as: .table, in: CommandContext(output: output))
    return output.captured + (cut == nil ? "" : "…\n")
  }

  // MARK: Datasette

  /// YAML; every text is a JSON string, which is YAML too.
  private func datasette() throws -> String {
    let (views, tables) = try store.read { (try $0.viewDescriptions(), try $0.tableNames()) }
    let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    var text = """
      # For Datasette (datasette.io): datasette \(ShellWord.quoted("\(name).evodb")) -m datasette.yml
      # Written by: \(ShellCommand("query", "\(name).evodb", options: [("--document", "datasette")]))
      title: \(JSONWriter.quoted("evodb: \(name)"))
      description: "Non-uniform compression of language models: everything that was computed, and what it was worth."
      databases:
        \(JSONWriter.quoted(name)):
          queries:

      """
    for query in DocumentedQuery.all {
      text += "      \(JSONWriter.quoted(query.name)):\n        title: \(JSONWriter.quoted(query.question))\n"
      let parameters = query.parameters.map { "\($0.name): \($0.meaning)." }.joined(separator: " ")
      let description = [query.description, parameters].filter { !$0.isEmpty }.joined(separator: " ")
      if !description.isEmpty { text += "        description: \(JSONWriter.quoted(description))\n" }
      if !query.parameters.isEmpty {
        text += "        params: [\(query.parameters.map { JSONWriter.quoted($0.name) }.joined(separator: ", "))]\n"
      }
      text += "        hide_sql: true\n        sql: |-\n"
      for line in query.sql.split(separator: "\n") { text += "          \(line)\n" }
    }
    text += "    tables:\n"
    for view in views {
      text += "      \(view.name):\n        description: \(JSONWriter.quoted(view.description))\n"
      if !view.units.isEmpty {
        let units = view.units.map { "\($0.column): \($0.unit)" }.joined(separator: ", ")
        text += "        units: {\(units)}\n"
      }
    }
    for table in tables { text += "      \(table): {hidden: true}\n" }
    return text
  }
}
