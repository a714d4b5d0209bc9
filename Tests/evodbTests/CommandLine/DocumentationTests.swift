import Foundation
import TestSupport
import Testing

@testable import evodb

@Suite struct DocumentationTests {
  @Test func theCommandLineReferenceIsWhatTheProgramPrints() throws {
    let context = CommandContext()
    #expect(Evodb.registry.run(["help", "--markdown"], in: context) == .success)
    let page = try String(contentsOf: Fixtures.repositoryFile("docs/cli.md"), encoding: .utf8)
    #expect(context.output.captured == page, "write it anew: evodb help --markdown > docs/cli.md")
  }

  @Test func theReadmeNamesOnlyVerbsThatExist() throws {
    let page = try String(contentsOf: Fixtures.repositoryFile("README.md"), encoding: .utf8)
    let verbs = Set(Evodb.registry.commands.map { $0.name } + ["help"])
    for line in page.split(separator: "\n") where line.hasPrefix("    $ evodb ") {
      let verb = line.dropFirst("    $ evodb ".count).prefix { $0 != " " }
      #expect(verbs.contains(String(verb)), "README.md shows evodb \(verb)")
    }
  }

  /// The file of every step is there, under its own module.
  @Test func toursLeadThroughFilesThatExist() throws {
    let page = try String(contentsOf: Fixtures.repositoryFile("ARCHITECTURE.md"), encoding: .utf8)
    let tours = try #require(page.split(separator: "## Tours").last?.split(separator: "\n## ").first)
    let files = tours.split(separator: "\n").filter { $0.hasPrefix("| `") }.map { $0.split(separator: "`")[1] }
    #expect(files.count > 15)
    for file in files {
      let path = Fixtures.repositoryFile("Sources/\(file)").path
      #expect(FileManager.default.fileExists(atPath: path), "a tour names \(file)")
    }
  }
}
