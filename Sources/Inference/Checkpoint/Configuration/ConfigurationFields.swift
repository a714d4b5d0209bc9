/// The fields of a `config.json`, with the checks that all families share.
///
/// A field that is `null` counts as absent, as it does in transformers.
struct ConfigurationFields {
  let file: String
  private let object: StrictJSON.Object
  /// Put before a field's name in errors, for objects inside the file.
  private let prefix: String

  /// Counts above this are nonsense, and refusing them keeps every product of two of them within 64 bits.
  static let largestCount = Int64(Int32.max)
  /// The same for what lists and tables are made of before any tensor has been compared with it: blocks, widths of heads.
  static let largestListCount = 1 << 16

  init(json: [UInt8], file: String) throws {
    guard let object = try StrictJSON.parse(json, file: file).object else {
      throw InferenceError.invalidData(file: file, detail: "expected a JSON object")
    }
    self.init(object, file: file)
  }

  private init(_ object: StrictJSON.Object, file: String, prefix: String = "") {
    self.object = object
    self.file = file
    self.prefix = prefix
  }

  /// The value of a field, or nil if it is absent or null.
  subscript(name: ByteString) -> StrictJSON? {
    object[name].flatMap { $0 == .null ? nil : $0 }
  }

  /// Whether a field is not there at all; `null` is there, which some families tell apart.
  func isAbsent(_ name: ByteString) -> Bool { object[name] == nil }

  // MARK: Errors

  func invalid(_ name: ByteString, rule: String) -> InferenceError {
    .invalidData(file: file, detail: "\(prefix)\(name) \(rule)")
  }

  func unsupported(_ name: ByteString, rule: String) -> InferenceError {
    .unsupported(file: file, detail: "\(prefix)\(name) = \(object[name]?.summary ?? "absent"); \(rule)")
  }

  private func wrongType(_ name: ByteString, expected: String) -> InferenceError {
    invalid(name, rule: "must be \(expected), found \(object[name]?.summary ?? "nothing")")
  }

  // MARK: Values

  /// A positive integer of at most `limit`.
  func count(_ name: ByteString, default absent: Int? = nil, limit: Int = Int(largestCount)) throws -> Int {
    let rule = "an integer from 1 to \(limit)"
    guard let value = self[name] else {
      guard let absent else { throw wrongType(name, expected: rule) }
      return absent
    }
    guard let integer = value.integer, integer >= 1, integer <= limit else {
      throw wrongType(name, expected: rule)
    }
    return Int(integer)
  }

  /// A number in `range`, which is never NaN or infinite.
  func number(_ name: ByteString, default absent: Double, in range: ClosedRange<Double>) throws -> Double {
    guard let value = self[name] else { return absent }
    guard let number = value.double, range.contains(number) else {
      throw wrongType(name, expected: "a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// A number in `range`; nil if the field is `null`.
  func optionalNumber(_ name: ByteString, default absent: Double, in range: ClosedRange<Double>) throws -> Double? {
    if !isAbsent(name), self[name] == nil { return nil }
    return try number(name, default: absent, in: range)
  }

  /// A truth value.
  func flag(_ name: ByteString, default absent: Bool = false) throws -> Bool {
    guard let value = self[name] else { return absent }
    guard let flag = value.bool else { throw wrongType(name, expected: "true or false") }
    return flag
  }

  /// A string that must be there.
  func text(_ name: ByteString) throws -> ByteString {
    guard let text = self[name]?.string else { throw wrongType(name, expected: "a string") }
    return text
  }

  /// The fields of an object inside this one, or nil if it is absent.
  func nested(_ name: ByteString) throws -> ConfigurationFields? {
    guard let value = self[name] else { return nil }
    guard let object = value.object else { throw wrongType(name, expected: "an object") }
    return ConfigurationFields(object, file: file, prefix: "\(prefix)\(name).")
  }

  // MARK: Refusals

  /// The field is absent or `expected`.
  func require(_ name: ByteString, _ expected: ByteString) throws {
    guard let value = self[name] else { return }
    guard value.string == expected else { throw unsupported(name, rule: "only \"\(expected)\" is implemented") }
  }

  /// The field is absent or false.
  func requireFalse(_ name: ByteString) throws {
    guard try flag(name) == false else { throw unsupported(name, rule: "only false is implemented") }
  }

  /// The field is absent or true.
  func requireTrue(_ name: ByteString) throws {
    guard try flag(name, default: true) else { throw unsupported(name, rule: "only true is implemented") }
  }

  /// `architectures` is absent or names `expected` first, which is the class that transformers would build.
  func requireArchitecture(_ expected: ByteString) throws {
    guard let value = self["architectures"] else { return }
    guard let names = value.array else { throw wrongType("architectures", expected: "an array") }
    guard names.isEmpty || names.map(\.string) == [expected] else {
      let found = names.map(\.summary).joined(separator: ", ")
      throw InferenceError.unsupported(file: file, detail: "architectures = [\(found)]; expected \"\(expected)\"")
    }
  }

  /// The weights are plain floats.
  func refuseQuantization() throws {
    if self["quantization_config"] != nil {
      throw unsupported("quantization_config", rule: "evodb starts from an unquantized checkpoint")
    }
  }

  /// The model is what its type says, not code shipped with the checkpoint.
  ///
  /// - Parameter known: modules that compute what transformers' own do: the family began as code shipped with its
  ///   checkpoints.
  func refuseForeignCode(except known: [String] = []) throws {
    guard let map = self["auto_map"] else { return }
    let names = map.object?.members.map { $0.value.string?.description ?? "" } ?? [""]
    guard !known.isEmpty, names.allSatisfy({ name in known.contains { name.hasPrefix($0 + ".") } }) else {
      throw unsupported("auto_map", rule: "code shipped with a checkpoint is never run")
    }
  }

  /// Every position attends to all earlier ones.
  func requireFullAttention() throws {
    if self["sliding_window"] != nil { throw unsupported("sliding_window", rule: "only null is implemented") }
    guard let value = self["layer_types"] else { return }
    guard let types = value.array else { throw wrongType("layer_types", expected: "an array") }
    if let other = types.first(where: { $0.string != "full_attention" }) {
      throw InferenceError.unsupported(
        file: file, detail: "layer_types contains \(other.summary); only \"full_attention\" is implemented")
    }
  }
}
