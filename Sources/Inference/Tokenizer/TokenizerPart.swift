/// An object inside a `tokenizer.json`, which knows its place for errors. A field that is `null` counts as absent.
struct TokenizerPart {
  let object: StrictJSON.Object
  let path: String
  let file: String

  init(_ object: StrictJSON.Object, path: String, file: String) {
    self.object = object
    self.path = path
    self.file = file
  }

  /// The value of a field, or nil if it is absent or null.
  func value(_ name: ByteString) -> StrictJSON? { object[name].flatMap { $0 == .null ? nil : $0 } }

  /// The part's `type`.
  var type: ByteString? { value("type")?.string }

  /// A truth value.
  func flag(_ name: ByteString, default absent: Bool = false) throws -> Bool {
    guard let value = value(name) else { return absent }
    guard let flag = value.bool else { throw invalid(name, rule: "must be true or false, found \(value.summary)") }
    return flag
  }

  /// The object in a field, or nil if it is absent.
  func nested(_ name: ByteString) throws -> TokenizerPart? {
    guard let value = value(name) else { return nil }
    guard let object = value.object else { throw invalid(name, rule: "must be an object, found \(value.summary)") }
    return TokenizerPart(object, path: place(name), file: file)
  }

  /// The object in a field that BPE needs.
  func required(_ name: ByteString) throws -> TokenizerPart {
    guard let part = try nested(name) else { throw unsupported(name) }
    return part
  }

  /// A text, in UTF-8.
  func text(_ name: ByteString) throws -> [UInt8] {
    guard let text = value(name)?.string else {
      throw invalid(name, rule: "must be a string, found \(value(name)?.summary ?? "nothing")")
    }
    return text.bytes
  }

  /// A number of things.
  func count(_ name: ByteString) throws -> Int {
    guard let count = value(name)?.integer, count >= 0 else {
      throw invalid(name, rule: "must be an integer from 0, found \(value(name)?.summary ?? "nothing")")
    }
    return Int(count)
  }

  /// The literal text of a `pattern`, `{"String": "…"}`.
  func literalPattern() throws -> [UInt8] {
    guard let literal = try nested("pattern")?.value("String")?.string, !literal.bytes.isEmpty else {
      throw unsupported("pattern")
    }
    return literal.bytes
  }

  /// The objects in an array.
  func elements(_ name: ByteString) throws -> [TokenizerPart] {
    guard let values = value(name)?.array else { throw invalid(name, rule: "must be an array") }
    return try values.enumerated().map { position, value in
      let place = "\(place(name))[\(position)]"
      guard let object = value.object else {
        throw InferenceError.invalidData(file: file, detail: "\(place) must be an object, found \(value.summary)")
      }
      return TokenizerPart(object, path: place, file: file)
    }
  }

  /// The field is absent or null.
  func requireAbsent(_ name: ByteString) throws {
    guard value(name) == nil else { throw unsupported(name) }
  }

  /// The part is of the one type that is implemented in its place.
  func requireType(_ expected: ByteString) throws {
    guard type == expected else { throw unsupported("type") }
  }

  func unsupported(_ name: ByteString) -> InferenceError {
    .unsupported(
      file: file,
      detail: """
        \(place(name)) = \(object[name]?.summary ?? "absent"); \
        evodb reads byte-level and SentencePiece-style BPE tokenizers
        """)
  }

  func invalid(_ name: ByteString, rule: String) -> InferenceError {
    .invalidData(file: file, detail: "\(place(name)) \(rule)")
  }

  private func place(_ name: ByteString) -> String { path.isEmpty ? name.description : "\(path).\(name)" }
}
