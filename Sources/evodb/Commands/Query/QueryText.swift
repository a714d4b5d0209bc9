import Catalog
import Foundation
import Inference

/// A statement from wherever the user has it.
struct QueryText {
  let sql: String
  /// The documented query that it is; nil for a user's own.
  let documented: DocumentedQuery?

  /// The longest statement that `evodb query` takes, in bytes.
  private static let longest = 1 << 20

  /// - Parameter argument: SQL, `@NAME`, `@PATH` with a slash or a point, or `-` for stdin.
  /// - Throws: `UsageError` for an unknown name and text that is not UTF-8, `InferenceError` for what cannot be read or is too long.
  init(_ argument: String, cancellation: Cancellation? = nil) throws {
    if argument == "-" {
      self.init(sql: try Self.text(of: InputFile(argument), cancellation), documented: nil)
    } else if !argument.hasPrefix("@") {
      self.init(sql: argument, documented: nil)
    } else if argument.contains(where: { $0 == "/" || $0 == "." }) {
      self.init(sql: try Self.text(of: InputFile(String(argument.dropFirst())), cancellation), documented: nil)
    } else {
      let query = try Self.documented(String(argument.dropFirst()))
      self.init(sql: query.sql, documented: query)
    }
  }

  private init(sql: String, documented: DocumentedQuery?) {
    self.sql = sql
    self.documented = documented
  }

  private static func documented(_ name: String) throws -> DocumentedQuery {
    if let query = DocumentedQuery.named(name) { return query }
    let hint = Suggestion.nearest(to: name, among: DocumentedQuery.all.map(\.name))
    let shown = TerminalText.visible(name)
    throw UsageError(
      "no documented query @\(shown)" + (hint.map { "; did you mean @\($0)?" } ?? "")
        + " (--list shows all; a file needs a slash or a point: @./\(shown))")
  }

  /// The values to bind: those given, and NULL for the other parameters of a documented query.
  func values(_ given: [QueryParameter]) throws -> [String: SQLValue] {
    var values: [String: SQLValue] = [:]
    for parameter in documented?.parameters ?? [] { values[parameter.name] = .null }
    for parameter in given {
      if let documented, values[parameter.name] == nil {
        let hint = Suggestion.nearest(to: parameter.name, among: documented.parameters.map(\.name))
        throw UsageError(
          "@\(documented.name) has no parameter \(TerminalText.visible(parameter.name))"
            + (hint.map { "; did you mean \($0)?" } ?? ""))
      }
      values[parameter.name] = parameter.value
    }
    return values
  }

  private static func text(of input: InputFile, _ cancellation: Cancellation?) throws -> String {
    let bytes = try InputText.bytes(of: input, limit: longest, cancellation: cancellation)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw UsageError("\(input.path): the statement is not UTF-8")
    }
    return text
  }
}

/// A value given as `NAME[:TYPE]=VALUE`.
struct QueryParameter {
  let name: String
  let value: SQLValue

  /// - Throws: `UsageError` naming the rule.
  init(_ argument: String) throws {
    let shown = TerminalText.visible(argument)
    let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
    guard parts.count == 2 else { throw UsageError("--param must be NAME=VALUE or NAME:TYPE=VALUE, not ‘\(shown)’") }
    let names = parts[0].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
    name = names[0]
    guard !name.isEmpty else { throw UsageError("--param needs a name before =, received ‘\(shown)’") }
    let text = parts[1]
    switch names.count > 1 ? names[1] : nil {
    case nil: value = Int64(text).map { .integer($0) } ?? Double(argument: text).map { .real($0) } ?? .text(text)
    case "text"?: value = .text(text)
    case "integer"?:
      guard let number = Int64(text) else { throw UsageError("--param \(shown): the value must be a 64-bit integer") }
      value = .integer(number)
    case "real"?:
      guard let number = Double(argument: text) else {
        throw UsageError("--param \(shown): the value must be a finite number")
      }
      value = .real(number)
    case "null"?:
      guard text.isEmpty else { throw UsageError("--param \(shown): write \(name):null= without a value") }
      value = .null
    case let type?:
      throw UsageError(
        "--param: the type must be one of integer, real, text, null, not ‘\(TerminalText.visible(type))’")
    }
  }
}
