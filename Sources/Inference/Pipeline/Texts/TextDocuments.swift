import Catalog
import Foundation

/// The texts of a data set as they were read, once: pipes can be read no second time.
public struct TextDocuments: Sendable {
  /// In order: a file each, or a record each.
  var texts: [String]
  /// The text between two documents that are joined.
  var separator: String
  /// SHA-256 of the inputs' bytes one after another.
  var digest: Digest
  /// The field the texts come from; nil: they are whole files.
  var field: String?
  /// The inputs, for messages.
  var paths: [String]

  /// The JSON member for the field in a data set's options, to be appended to others.
  var fieldOption: String {
    // JSON of a single string cannot fail.
    field.map { ",\"text_field\":" + ((try? String(decoding: JSONEncoder().encode($0), as: UTF8.self)) ?? "null") }
      ?? ""
  }

  /// Reads plain texts, or with `textField` the records of JSON Lines files.
  ///
  /// - Throws: `InferenceError` for inputs that are missing, empty, of another encoding or compressed; for files that are
  ///   called like JSON Lines where no field is given; `.interrupted`.
  public init(_ inputs: [InputFile], textField: String?, cancellation: Cancellation? = nil) throws {
    var hash = SHA256()
    texts = []
    for input in inputs {
      let bytes = try input.bytes(cancellation: cancellation)
      hash.update(bytes)
      guard !bytes.isEmpty else { throw InferenceError.invalidData(file: input.path, detail: "is empty") }
      let content = try InputText.content(bytes, of: input)
      if let textField {
        texts += try JSONLines.texts(content, field: textField, file: input.path)
        continue
      }
      guard !JSONLines.isNamed(input.argument) else { throw Self.fieldIsMissing(input, content) }
      let text = try InputText.text(bytes, of: input)
      guard !text.isEmpty else { throw InferenceError.invalidData(file: input.path, detail: "is empty") }
      texts.append(text)
    }
    // Records are texts of their own; an empty line between them is what perplexities are measured with.
    separator = textField == nil ? "" : "\n\n"
    digest = hash.finalize()
    field = textField
    paths = inputs.map(\.path)
  }

  /// The line or record in which a tokenizer drops a character first; nil: none does for itself.
  ///
  /// - Throws: as `Tokenizer.encoding`.
  func firstPlace(droppedBy tokenizer: Tokenizer) throws -> String? {
    for (index, text) in texts.enumerated() {
      var line = 0
      var rest = text.utf8[...]
      while !rest.isEmpty {
        line += 1
        let end = rest.firstIndex(of: UInt8(ascii: "\n")).map { rest.index(after: $0) } ?? rest.endIndex
        let part = String(decoding: rest[..<end], as: UTF8.self)
        if try tokenizer.encoding(of: part, addingSpecialTokens: false).dropped.count > 0 {
          return field == nil ? "line \(line) of \(paths[index])" : "record \(index + 1)"
        }
        rest = rest[end...]
      }
    }
    return nil
  }

  private static func fieldIsMissing(_ input: InputFile, _ content: ArraySlice<UInt8>) -> InferenceError {
    let fields = JSONLines.fields(content).map { "; the fields of its first record are \($0)" } ?? ""
    return .invalidData(
      file: input.path,
      detail:
        "is JSON by its name: say as the text field where its texts are\(fields). To take the file as it stands, "
        + "give <(cat \(ShellWord.quoted(input.argument)))")
  }
}
