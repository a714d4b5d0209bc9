/// A question with choices, one line of a task's file: `{"context": "…", "choices": ["…", "…"], "answer": 0}`.
public struct MultipleChoiceItem: Equatable, Sendable {
  /// The text before the choice; may be empty.
  public var context: String
  /// At least two, none of them empty.
  public var choices: [String]
  /// Index of the right one.
  public var answer: Int

  /// Reads a JSON Lines file: one object a line, with `context`, `choices` and `answer`. Other members are for other
  /// readers; blank lines are skipped.
  ///
  /// - Parameter file: its name in errors.
  /// - Throws: `InferenceError.invalidData` naming the line and what is wrong with it.
  public static func list(_ bytes: [UInt8], file: String) throws -> [MultipleChoiceItem] {
    var items: [MultipleChoiceItem] = []
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      if line.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) { continue }
      items.append(try MultipleChoiceItem(Array(line), file: "\(file), line \(index + 1)"))
    }
    guard !items.isEmpty else { throw InferenceError.invalidData(file: file, detail: "has no questions") }
    return items
  }

  private init(_ line: [UInt8], file: String) throws {
    func invalid(_ detail: String) -> InferenceError { .invalidData(file: file, detail: detail) }
    guard case .object(let object) = try StrictJSON.parse(line, file: file) else {
      throw invalid("is no JSON object with context, choices and answer")
    }
    func member(_ name: ByteString) throws -> StrictJSON {
      guard let value = object[name] else { throw invalid("lacks \"\(name)\"") }
      return value
    }
    guard let context = try member("context").string else {
      throw invalid("context must be a string, is \(try member("context").summary)")
    }
    guard let elements = try member("choices").array, elements.count >= 2 else {
      throw invalid("choices must be an array of at least 2 strings, is \(try member("choices").summary)")
    }
    let choices = try elements.map { element in
      guard let choice = element.string, !choice.bytes.isEmpty else {
        throw invalid("choices must be strings that are not empty, one is \(element.summary)")
      }
      return choice.description
    }
    guard let answer = try member("answer").integer, (0..<Int64(choices.count)).contains(answer) else {
      throw invalid(
        "answer must be the index of a choice, 0 to \(choices.count - 1), is \(try member("answer").summary)")
    }
    self.context = context.description
    self.choices = choices
    self.answer = Int(answer)
  }
}
