import Foundation
import TestSupport
import Testing

/// Rules that the sources of all tests keep.
@Suite(.usualTimeLimit) struct TestSourceTests {
  private static func sources() throws -> [(path: String, text: String)] {
    let folder = Fixtures.repositoryFile("Tests")
    return try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }.sorted()
      .map { ($0, try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8)) }
  }

  private static var declaration: Regex<(Substring, Substring?, Substring)> {
    /^(@\w+.* )?(?:[a-z]+ )*(?:struct|class|enum|actor|extension) (\w+)/
  }

  /// The suites of a file that have a limit, and what needs one: the types that hold its tests, and suites without any.
  private static func suites(_ path: String, _ text: String) -> (limited: Set<String>, needing: Set<String>) {
    var limited: Set<String> = []
    var needing: Set<String> = []
    var types: [(indentation: Int, name: String)] = []
    for line in text.split(separator: "\n") {
      let indentation = line.prefix { $0 == " " }.count
      let content = line.dropFirst(indentation)
      if content.hasSuffix("{"), let type = content.firstMatch(of: Self.declaration) {
        let name = String(type.2)
        types.append((indentation, name))
        if type.1?.contains("imeLimit") == true {
          limited.insert(name)
        } else if content.hasPrefix("@Suite") {
          needing.insert("\(path): \(name)")
        }
      } else if content.hasPrefix("@Suite") {
        needing.insert("\(path): \(content)")
      } else if content.hasPrefix("@Test") {
        needing.insert(types.last { $0.indentation < indentation }?.name ?? path)
      }
    }
    return (limited, needing)
  }

  @Test func everySuiteHasATimeLimit() throws {
    let files = try Self.sources().map { Self.suites($0.path, $0.text) }
    let limited = files.reduce(into: Set<String>()) { $0.formUnion($1.limited) }
    let needing = files.reduce(into: Set<String>()) { $0.formUnion($1.needing) }
    #expect(needing.count > 190)
    #expect(needing.subtracting(limited).sorted() == [], "write @Suite(.usualTimeLimit) struct NAME")
  }

  /// `Never` is thrown by nothing, and an error of cancellation has no cases.
  @Test func everyExpectedErrorIsNamed() throws {
    for (path, text) in try Self.sources() {
      for match in text.matches(of: /throws: \(?((?:any )?[\w.]+)\)?\.self/) {
        let type = String(match.1)
        #expect(["Never", "CancellationError"].contains(type), "\(path) accepts any \(type): name the one it expects")
      }
    }
  }
}
