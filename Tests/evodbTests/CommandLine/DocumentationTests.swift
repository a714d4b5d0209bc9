import Foundation
import TestSupport
import Testing

@testable import evodb

@Suite(.usualTimeLimit) struct DocumentationTests {
  @Test func theCommandLineReferenceIsWhatTheProgramPrints() throws {
    // The program itself: this process may know methods of other tests.
    let printed = try CommandLineRunner().run(["help", "--markdown"])
    let page = try String(contentsOf: Fixtures.repositoryFile("docs/cli.md"), encoding: .utf8)
    #expect(printed.output == page, "write it anew: evodb help --markdown > docs/cli.md")
  }

  private static func pages() throws -> [(path: String, text: String)] {
    let folder = Fixtures.repositoryFile("docs")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".md") }.sorted()
    return try (["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"] + names.map { "docs/\($0)" }).map {
      ($0, try String(contentsOf: Fixtures.repositoryFile($0), encoding: .utf8))
    }
  }

  @Test func pagesNameOnlyVerbsThatExist() throws {
    let verbs = Set(Evodb.registry.commands.map { $0.name } + ["help"])
    var count = 0
    for page in try Self.pages() {
      // A command line in a block, or the beginning of one in a sentence.
      for match in page.text.matches(of: /(?:\$ |`)evodb ([a-z][a-z-]*)/) {
        count += 1
        #expect(verbs.contains(String(match.1)), "\(page.path) shows evodb \(match.1)")
      }
    }
    #expect(count > 50)
  }

  @Test func everyDecisionHasItsHeadings() throws {
    let folder = Fixtures.repositoryFile("docs/decisions")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".md") }.sorted()
    #expect(names.count >= 12)
    for (index, name) in names.enumerated() {
      let page = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
      let lines = page.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines[0].hasPrefix("# \(index + 1). ") && lines[2].hasPrefix("Status: "), "\(name)")
      let headings = lines.filter { $0.hasPrefix("## ") }
      #expect(headings == ["## Context", "## Decision", "## Turned down", "## Consequences"], "\(name)")
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
