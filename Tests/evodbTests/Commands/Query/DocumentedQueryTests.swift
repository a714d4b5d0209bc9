import Catalog
import Foundation
import TestSupport
import Testing

/// `evodb query FILE @NAME`, and the documents that are written from the same text.
@Suite(.usualTimeLimit) struct DocumentedQueryTests {
  @Test(arguments: DocumentedQuery.all.map(\.name)) func everyQueryAnswersOnARealCatalog(name: String) throws {
    let catalog = try TinyCatalog(.searched)
    let result = try catalog.run("query", "@\(name)", "--format", "jsonl")
    #expect(result.exitCode == 0, "\(result.diagnostics)")
    let mayBeEmpty = [
      "voids", "void-rests", "progress", "error-misleads", "run-differences", "layer-differences", "paired-differences",
      "sensitivities", "sensitivity-errors",
    ]
    #expect(mayBeEmpty.contains(name) || !result.output.isEmpty, "\(name)")
    // An empty catalog has no answers, and that is no error.
    let empty = try TinyCatalog(.made).run("query", "@\(name)", "--format", "jsonl")
    #expect(empty.exitCode == 0 && empty.output.isEmpty, "\(empty.diagnostics)")
  }

  @Test func theListNamesEveryQueryOnce() throws {
    let catalog = try TinyCatalog(.made)
    let lines = try catalog.output("query", "--list", "--format", "jsonl").split(separator: "\n")
    let names = try lines.map { try JSONFields(String($0)).text("query") }
    #expect(names == DocumentedQuery.all.map { "@\($0.name)" })
    #expect(Set(names).count == names.count && names.count >= 12)
  }

  @Test func aParameterChoosesTheRun() throws {
    let catalog = try TinyCatalog(.searched)
    #expect(
      try catalog.output("query", "@convergence", "--param", "run=first", "--format", "jsonl").contains("fitness"))
    #expect(try catalog.output("query", "@convergence", "--param", "run=none", "--format", "jsonl").isEmpty)
    let wrong = try catalog.run("query", "@convergence", "--param", "rnu=first")
    #expect(wrong.exitCode == 64 && wrong.diagnostics.contains("did you mean run?"))
    let unknown = try catalog.run("query", "@convergance")
    #expect(unknown.exitCode == 64 && unknown.diagnostics.contains("did you mean @convergence?"))
  }

  @Test func theStatementOfAQueryCanBePrintedAndRunElsewhere() throws {
    let catalog = try TinyCatalog(.searched)
    let sql = try catalog.output("query", "@disk", "--sql")
    #expect(sql == (DocumentedQuery.named("disk")?.sql ?? "") + "\n")
    try sql.write(to: catalog.folder.appendingPathComponent("disk.sql"), atomically: true, encoding: .utf8)
    let direct = try catalog.output("query", "@disk")
    #expect(try catalog.output("query", "@./disk.sql") == direct)
    #expect(try catalog.runner.run(["query", catalog.path, "-"], input: sql).output == direct)
    #expect(try catalog.run("query", "@./none.sql").exitCode == 66)
  }

  /// The page without the answers, which are those of one catalog.
  private func withoutAnswers(_ page: String) -> [Substring] {
    var isAnswer = false
    return page.split(separator: "\n", omittingEmptySubsequences: false).filter { line in
      if line == "```" { isAnswer = false }
      defer { if line.hasPrefix("$ evodb query ") { isAnswer = true } }
      return !isAnswer && !line.hasPrefix("$ evodb query ")
    }
  }

  @Test func thePageOfTheQueriesIsWhatTheProgramWrites() throws {
    let page = try String(contentsOf: Fixtures.repositoryFile("docs/queries.md"), encoding: .utf8)
    let written = try TinyCatalog(.searched).output("query", "--document", "markdown")
    #expect(withoutAnswers(page) == withoutAnswers(written), "write it anew: evodb query my.evodb --document markdown")
    for query in DocumentedQuery.all { #expect(page.contains("$ evodb query my.evodb @\(query.name)\n")) }
  }

  @Test func theConfigurationOfDatasetteIsWhatTheProgramWrites() throws {
    let page = try String(contentsOf: Fixtures.repositoryFile("docs/datasette.yml"), encoding: .utf8)
    let catalog = try TinyCatalog(.made)
    try FileManager.default.moveItem(
      atPath: catalog.path, toPath: catalog.folder.appendingPathComponent("my.evodb").path)
    let written = try catalog.runner.run(["query", "my.evodb", "--document", "datasette"])
    #expect(written.output == page, "write it anew: evodb query my.evodb --document datasette > docs/datasette.yml")
  }
}
