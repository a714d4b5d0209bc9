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

  /// One character, in UTF-8.
  func scalar(_ name: ByteString) throws -> [UInt8] {
    let text = try text(name)
    guard String(decoding: text, as: UTF8.self).unicodeScalars.count == 1 else {
      throw invalid(name, rule: "must be one character")
    }
    return text
  }

  /// A pattern that a part searches for.
  enum Pattern {
    /// A text in UTF-8, not empty.
    case literal([UInt8])
    /// A regular expression in Oniguruma's language.
    case regularExpression(String)
  }

  /// The `pattern`, `{"String": "…"}` or `{"Regex": "…"}`.
  func pattern() throws -> Pattern {
    guard let pattern = try nested("pattern"), pattern.object.members.count == 1 else { throw unsupported("pattern") }
    if let expression = pattern.value("Regex")?.string { return .regularExpression(expression.description) }
    guard let literal = pattern.value("String")?.string, !literal.bytes.isEmpty else { throw unsupported("pattern") }
    return .literal(literal.bytes)
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

  /// The part has no other settings than these and its `type`, unless they are null or false: a setting of a later version
  /// may change tokens.
  func requireKnown(_ names: Set<ByteString>) throws {
    for member in object.members where member.key != "type" && !names.contains(member.key) {
      guard member.value == .null || member.value.bool == false else { throw unsupported(member.key) }
    }
  }

  func unsupported(_ name: ByteString) -> InferenceError {
    .unsupported(
      file: file,
      detail: """
        \(place(name)) = \(object[name]?.summary ?? "absent"); evodb reads the BPE tokenizers listed in \
        docs/tokenizers.md; for others, give token ids instead of text
        """)
  }

  func invalid(_ name: ByteString, rule: String) -> InferenceError {
    .invalidData(file: file, detail: "\(place(name)) \(rule)")
  }

  private func place(_ name: ByteString) -> String { path.isEmpty ? name.description : "\(path).\(name)" }
}
