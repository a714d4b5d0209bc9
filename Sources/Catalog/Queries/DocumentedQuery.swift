import Foundation

/// A question that the product answers by itself: SQL over the views, under a name. All stand in `queries.sql`.
public struct DocumentedQuery: Equatable, Sendable {
  /// A value that the SQL takes as `:name`; NULL without one.
  public struct Parameter: Equatable, Sendable {
    /// Without the sigil.
    public var name: String
    /// `text`, `integer` or `real`.
    public var type: String
    /// The rows that a value selects, and the value that holds without one.
    public var meaning: String
  }

  /// Its name after `@`: lower case words with hyphens.
  public var name: String
  /// The question it answers.
  public var question: String
  /// How to read the result.
  public var description: String
  /// In the order in which they are documented.
  public var parameters: [Parameter]
  /// One statement without the semicolon.
  public var sql: String

  /// All documented queries, in the order of their documentation.
  public static let all = parse(String(decoding: PackageResources.queries_sql, as: UTF8.self))

  /// The query of this name; nil if there is none.
  public static func named(_ name: String) -> DocumentedQuery? { all.first { $0.name == name } }

  /// Reads the form that the head of `queries.sql` describes.
  static func parse(_ text: String) -> [DocumentedQuery] {
    var queries: [DocumentedQuery] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if let head = line.after("-- @") {
        let (name, question) = head.cut(at: ": ")
        queries.append(DocumentedQuery(name: name, question: question, description: "", parameters: [], sql: ""))
        continue
      }
      // Before the first query stands the description of the file.
      guard let last = queries.indices.last else { continue }
      if let parameter = line.after("-- :") {
        let (declaration, meaning) = parameter.cut(at: ": ")
        let (name, type) = declaration.cut(at: " (")
        queries[last].parameters.append(Parameter(name: name, type: String(type.dropLast()), meaning: meaning))
      } else if let text = line.after("-- ") {
        queries[last].description += (queries[last].description.isEmpty ? "" : " ") + text
      } else if !line.isEmpty {
        queries[last].sql += (queries[last].sql.isEmpty ? "" : "\n") + String(line.last == ";" ? line.dropLast() : line)
      }
    }
    return queries
  }
}

extension StringProtocol {
  fileprivate func after(_ prefix: String) -> String? { hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil }

  /// The texts before and after the first `separator`; without one, the whole text and an empty one.
  fileprivate func cut(at separator: String) -> (String, String) {
    guard let range = range(of: separator) else { return (String(self), "") }
    return (String(self[..<range.lowerBound]), String(self[range.upperBound...]))
  }
}
