import Foundation
import TestSupport
import Testing

/// A catalog of the three-block golden model, in a folder of its own, worked on through the binary alone.
final class TinyCatalog: Sendable {
  /// How far the catalog is prepared.
  enum State: String, CaseIterable {
    /// No file yet.
    case missing
    /// An empty catalog.
    case made
    /// With the model and the data sets `calibration` (24 × 32 tokens) and `validation` (8 × 32).
    case filled
    /// With GPTQ variants of 2 to 5 bits.
    case built
    /// With the finished run `first`.
    case searched
  }

  static let model = Fixtures.url("golden/models/llama-gqa").path
  /// The recipe of `first`: 4 generations of 6 offspring in two stages, as the paper searches.
  static let recipe = guidedRecipe + ["--strategy", "evopress"]
  /// The same with the default strategy.
  static let guidedRecipe = [
    "--target-bits", "3", "--generations", "4", "--offspring", "6", "--survivors", "2,1", "--tokens", "64,256",
    "--validation", "validation",
  ]
  static let firstSearch = ["search"] + recipe + ["--data", "calibration", "--name", "first"]

  let folder: URL
  let runner: CommandLineRunner
  private let owner: UncheckedFolder

  /// A catalog in `state`, copied from one that is made once for all tests.
  ///
  /// - Parameter linked: whether `path` is a link to a link to the file, which lies in a folder of its own.
  init(_ state: State = .built, linked: Bool = false) throws {
    let temporary = try TemporaryFolder()
    owner = UncheckedFolder(folder: temporary)
    folder = temporary.url
    runner = try CommandLineRunner(workingDirectory: temporary.url)
    try temporary.write(RandomTokens.file(sequenceCount: 24, length: 32, seed: 1), to: "calibration.safetensors")
    try temporary.write(RandomTokens.file(sequenceCount: 8, length: 32, seed: 2), to: "validation.safetensors")
    if linked {
      let manager = FileManager.default
      try manager.createDirectory(atPath: folder.path + "/real", withIntermediateDirectories: true)
      try manager.createSymbolicLink(atPath: path, withDestinationPath: "next")
      try manager.createSymbolicLink(atPath: folder.path + "/next", withDestinationPath: "real/tiny.evodb")
    }
    guard state != .missing else { return }
    try Self.prepared(state).write(to: URL(fileURLWithPath: linked ? realPath : path))
  }

  /// The file behind `path` of a linked catalog.
  var realPath: String { folder.appendingPathComponent("real/tiny.evodb").path }

  private init(preparingIn temporary: TemporaryFolder) throws {
    owner = UncheckedFolder(folder: temporary)
    folder = temporary.url
    runner = try CommandLineRunner(workingDirectory: temporary.url)
    try temporary.write(RandomTokens.file(sequenceCount: 24, length: 32, seed: 1), to: "calibration.safetensors")
    try temporary.write(RandomTokens.file(sequenceCount: 8, length: 32, seed: 2), to: "validation.safetensors")
  }

  /// The catalog's file.
  var path: String { folder.appendingPathComponent("tiny.evodb").path }

  /// Runs `evodb VERB CATALOG rest…`.
  func run(_ verb: String, _ rest: [String], timeout: Double = 60) throws -> CommandLineRunner.Result {
    try runner.run([verb, path] + rest, timeout: timeout)
  }

  func run(_ verb: String, _ rest: String...) throws -> CommandLineRunner.Result { try run(verb, rest) }

  /// Runs a command that must succeed, with `--format json`, and returns its named values.
  func json(_ command: [String], sourceLocation: SourceLocation = #_sourceLocation) throws -> JSONFields {
    let result = try run(command[0], Array(command.dropFirst()) + ["--format", "json"])
    try #require(result.exitCode == 0, "\(command): \(result.diagnostics)", sourceLocation: sourceLocation)
    return try JSONFields(result.output)
  }

  func json(_ command: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> JSONFields {
    try json(command, sourceLocation: sourceLocation)
  }

  /// Runs a command that must succeed and returns its stdout.
  @discardableResult
  func output(_ command: [String], sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
    let result = try run(command[0], Array(command.dropFirst()))
    try #require(result.exitCode == 0, "\(command): \(result.diagnostics)", sourceLocation: sourceLocation)
    return result.output
  }

  @discardableResult
  func output(_ command: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
    try output(command, sourceLocation: sourceLocation)
  }

  /// The rows of a query.
  func rows(_ sql: String) throws -> [JSONFields] {
    let text = try output("query", sql, "--format", "jsonl")
    return try text.split(separator: "\n").map { try JSONFields(String($0)) }
  }

  /// The single number that a query gives.
  func number(_ sql: String) throws -> Double {
    try #require(try rows(sql).first?.only)
  }

  /// The same beside a writer, which may hold the file for a moment when it begins or ends: then nil.
  func numberNow(_ sql: String) throws -> Double? {
    let result = try run("query", sql, "--format", "jsonl")
    guard result.exitCode == 0, let line = result.output.split(separator: "\n").first else { return nil }
    return try JSONFields(String(line)).only
  }

  /// The digest over all shared rows.
  func digest(_ options: String...) throws -> String { try output(["digest"] + options) }

  /// All files of the catalog that are there: a catalog at rest is one file.
  var files: [String] {
    get throws {
      try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasPrefix("tiny.evodb") }.sorted()
    }
  }

  // MARK: Prepared catalogs

  private static func prepared(_ state: State) throws -> Data {
    try states.get()[state] ?? Data()
  }

  private static let states = Result { () throws -> [State: Data] in
    let catalog = try TinyCatalog(preparingIn: TemporaryFolder())
    var states: [State: Data] = [:]
    func keep(_ state: State) throws { states[state] = try Data(contentsOf: URL(fileURLWithPath: catalog.path)) }
    _ = try catalog.output("init")
    try keep(.made)
    try catalog.output("import", model)
    try catalog.output("data", "calibration", "--token-ids", "calibration.safetensors")
    try catalog.output("data", "validation", "--token-ids", "validation.safetensors")
    try keep(.filled)
    try catalog.output("build", "--data", "calibration", "--bits", "2-5")
    try keep(.built)
    try catalog.output(firstSearch)
    try keep(.searched)
    return states
  }
}

/// `@unchecked Sendable`: kept for its end only, which removes the folder.
private struct UncheckedFolder: @unchecked Sendable {
  let folder: TemporaryFolder
}

/// Named values of a JSON object that a command printed.
struct JSONFields {
  private let values: [String: Any]

  init(_ text: String) throws {
    let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
    values = try #require(object as? [String: Any], "not a JSON object: \(text)")
  }

  var names: [String] { values.keys.sorted() }
  /// The value of an object with one member.
  var only: Double? { values.count == 1 ? values.values.first.flatMap { ($0 as? NSNumber)?.doubleValue } : nil }

  func has(_ name: String) -> Bool { values[name] != nil }
  func isNull(_ name: String) -> Bool { values[name] is NSNull }
  func text(_ name: String) throws -> String { try #require(values[name] as? String, "no text \(name)") }
  func number(_ name: String) throws -> Double {
    try #require(values[name] as? NSNumber, "no number \(name) in \(names)").doubleValue
  }
  func integer(_ name: String) throws -> Int { Int(try number(name)) }
}
