import Catalog
import Foundation

/// The names in a catalog, for completion: asked in the moment of a key press, so briefly, and silent if there is no answer.
struct CatalogNames {
  enum Kind: Equatable {
    case runs, dataSets, models
    /// Digests, by their first 12 digits.
    case assignments
  }

  let path: String

  /// Seconds after which a shell would seem to hang.
  private static let patience = 1.0
  /// More than anybody reads.
  private static let most = 200
  /// Before so many digits an assignment is not meant, and hundreds of thousands would fit.
  private static let leastDigits = 2

  /// The names of these kinds, the newest first.
  func names(_ kinds: [Kind], beginning: String) -> [Completion.Candidate] {
    let path = self.path.hasPrefix("~/") ? NSHomeDirectory() + self.path.dropFirst() : self.path
    // A pipe or device would be waited for.
    let type = try? FileManager.default.attributesOfItem(
      atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)[.type]
    guard type as? FileAttributeType == .typeRegular else { return [] }
    // Completion has no place for an error: whoever runs the command will read it.
    guard let store = try? CatalogStore(path: path, mode: .read) else { return [] }
    defer { store.close() }
    return kinds.flatMap { kind -> [Completion.Candidate] in
      guard let sql = Self.sql(kind, beginning) else { return [] }
      var found: [Completion.Candidate] = []
      _ = try? store.query(
        sql, parameters: ["beginning": .text(beginning)], timeout: Self.patience, maximumRows: Self.most,
        onColumns: { _ in }
      ) { row in
        if case .text(let name) = row[0], case .text(let description) = row[1] {
          found.append(Completion.Candidate(name, description))
        }
      }
      return found
    }
  }

  private static func sql(_ kind: Kind, _ beginning: String) -> String? {
    let fits = "substr(name, 1, length(:beginning)) = :beginning"
    switch kind {
    case .runs: return "SELECT name, strategy || ', ' || state FROM run WHERE \(fits) ORDER BY id DESC"
    case .dataSets: return "SELECT name, 'data set' FROM data_set WHERE \(fits) ORDER BY id DESC"
    case .models: return "SELECT name, architecture FROM model WHERE \(fits) ORDER BY id DESC"
    case .assignments:
      guard beginning.count >= leastDigits, beginning.allSatisfy({ $0.isASCII && $0.isHexDigit }) else { return nil }
      return """
        SELECT name, 'assignment' FROM (SELECT id, substr(lower(hex(digest)), 1, max(12, length(:beginning))) AS name
          FROM assignment) WHERE \(fits) ORDER BY id DESC
        """
    }
  }

  /// `@NAME` with its question, for `evodb query`.
  static let documentedQueries = DocumentedQuery.all.map { Completion.Candidate("@\($0.name)", $0.question) }
}
