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

  /// Files of the repository that a Markdown page links to, without anchors, by their path from the repository's top.
  private static func links(of page: (path: String, text: String)) -> [(target: String, anchor: String?)] {
    let base = URL(fileURLWithPath: "/" + page.path).deletingLastPathComponent()
    return page.text.matches(of: /\]\(([^()\s]+)\)/).compactMap { match in
      let target = String(match.1)
      guard !target.contains("://"), !target.hasPrefix("mailto:") else { return nil }
      let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let path = parts[0].isEmpty ? "/" + page.path : base.appendingPathComponent(parts[0]).standardized.path
      return (String(path.dropFirst()), parts.count == 2 ? parts[1] : nil)
    }
  }

  private static func allPages() throws -> [(path: String, text: String)] {
    let folder = Fixtures.repositoryFile("docs/decisions")
    let decisions = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".md") }
    return try pages()
      + (decisions.sorted().map { "docs/decisions/\($0)" } + ["CHANGELOG.md", "Python/README.md"]).map {
        ($0, try String(contentsOf: Fixtures.repositoryFile($0), encoding: .utf8))
      }
  }

  @Test func everyPageIsReachableFromTheIndex() throws {
    let pages = try Self.allPages()
    var reached: Set<String> = []
    var waiting = ["docs/README.md"]
    while let path = waiting.popLast() {
      guard reached.insert(path).inserted else { continue }
      // A link to a folder shows what is in it.
      waiting += pages.map(\.path).filter { $0.hasPrefix(path + "/") }
      if let page = pages.first(where: { $0.path == path }) { waiting += Self.links(of: page).map(\.target) }
    }
    for page in pages { #expect(reached.contains(page.path), "no way leads from docs/README.md to \(page.path)") }
    let readme = try #require(pages.first { $0.path == "README.md" })
    #expect(Self.links(of: readme).contains { $0.target == "docs/README.md" })
  }

  /// The anchors that GitHub makes of the headings of a page: lower case, without punctuation, dashes for spaces.
  private static func anchors(of text: String) -> Set<String> {
    var counts: [String: Int] = [:]
    return Set(
      text.split(separator: "\n").filter { $0.hasPrefix("#") }.map { line in
        let title = line.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
        let name = String(
          title.compactMap { $0 == " " ? "-" : $0.isLetter || $0.isNumber || "-_".contains($0) ? $0 : nil })
        let count = counts[name, default: 0]
        counts[name] = count + 1
        return count == 0 ? name : "\(name)-\(count)"
      })
  }

  @Test func everyLinkLeadsSomewhere() throws {
    var count = 0
    for page in try Self.allPages() {
      for link in Self.links(of: page) {
        count += 1
        let file = Fixtures.repositoryFile(link.target)
        let isThere = FileManager.default.fileExists(atPath: file.path)
        #expect(isThere, "\(page.path) links to \(link.target)")
        guard isThere, let anchor = link.anchor, link.target.hasSuffix(".md") else { continue }
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(Self.anchors(of: text).contains(anchor), "\(page.path) links to \(link.target)#\(anchor)")
      }
    }
    #expect(count > 100)
  }

  /// The command lines that a page shows: lines of blocks that begin with `evodb` or `$ evodb`, a statement in quotes over several
  /// lines being one of them.
  private static func commandLines(of text: String) -> [String] {
    var found: [String] = []
    var open: String?
    var isFenced = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
      if let begun = open {
        let all = begun.hasSuffix("\\") ? begun.dropLast() + line : begun + "\n" + line
        open = isOpen(all) ? all : nil
        if open == nil { found.append(all) }
        continue
      }
      if line.hasPrefix("```") { isFenced.toggle() }
      guard isFenced || line.hasPrefix("    ") else { continue }
      let content = line.drop { $0 == " " }
      let command = content.hasPrefix("$ ") ? content.dropFirst(2) : content
      // A message begins with `evodb gc: …`, a drawing with what is no verb, and a usage line has brackets.
      guard command.prefixMatch(of: /evodb [a-z][a-z-]*( |$)/) != nil, !command.contains(" ["), !command.contains("…")
      else { continue }
      if isOpen(String(command)) { open = String(command) } else { found.append(String(command)) }
    }
    return found
  }

  private static func isOpen(_ line: String) -> Bool {
    line.hasSuffix("\\") || TypedLine(line).words.last?.quote != TypedLine.Quote.none
  }

  /// The words before a pipe, a redirection, a comment or the next command; a substituted process is a file.
  private static func words(of line: String) -> [String] {
    var words: [String] = []
    for word in TypedLine(line.replacing(/<\([^)]*\)/, with: "file")).words.map(\.text) where !word.isEmpty {
      if ["|", ">", "<", "#", "&&", ";", "&"].contains(word) || word.hasPrefix("2>") { break }
      words.append(word)
    }
    return words
  }

  @Test func everyCommandThatAPageShowsIsOneThatTheProgramTakes() throws {
    var count = 0
    for page in try Self.allPages() {
      for line in Self.commandLines(of: page.text) {
        let words = Self.words(of: line)
        guard words.count > 1, !["help", "--version"].contains(words[1]) else { continue }
        count += 1
        guard let type = Evodb.registry.command(named: words[1]) else {
          Issue.record("\(page.path): \(line)")
          continue
        }
        let command = type.init()
        #expect(throws: Never.self, "\(page.path): \(line)") {
          try ArgumentSet(of: command).parse(Array(words.dropFirst(2)))
          try command.validate()
        }
      }
    }
    #expect(count > 150, "\(count)")
  }

  /// A message that was worded anew would be found no more by whoever looks for it.
  @Test func theMessagesOfTheQuestionsAndAnswersAreThoseOfTheSources() throws {
    let folder = Fixtures.repositoryFile("Sources")
    let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
    // Literals that go on in the next line are one message.
    let sources = try files.map { path in
      try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8).split(separator: "\n")
        .map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: " ")
    }.joined(separator: "\n").replacingOccurrences(of: "\" + \"", with: "")
    let page = try String(contentsOf: Fixtures.repositoryFile("docs/faq.md"), encoding: .utf8)
    let quotes = page.split(separator: "\n").filter { $0.hasPrefix("> ") }.map { $0.dropFirst(2) }
    #expect(quotes.count > 12)
    for quote in quotes {
      for part in quote.split(separator: "…").map({ $0.drop { $0 == " " } }) where part.count > 4 {
        #expect(sources.contains(part), "docs/faq.md quotes ‘\(part)’, which no source says")
      }
    }
  }

  @Test func aMachineWithoutSwiftIsToldWhatToInstall() throws {
    let folder = try TemporaryFolder()
    let script = Fixtures.repositoryFile("Scripts/install-dependencies.sh").path
    let result = try CommandLineRunner(workingDirectory: folder.url).shell(
      """
      mkdir tools
      for tool in bash uname sed head env; do ln -s "$(command -v $tool)" tools/; done
      PATH=$PWD/tools bash '\(script)'
      """)
    #expect(result.exitCode == 1)
    #expect(
      result.diagnostics.hasPrefix("install-dependencies: there is no Swift on the PATH; evodb is built with Swift 6"))
    #expect(result.diagnostics.contains("swift.org") || result.diagnostics.contains("Xcode"))
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
