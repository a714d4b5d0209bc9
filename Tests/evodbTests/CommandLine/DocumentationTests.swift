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
}
