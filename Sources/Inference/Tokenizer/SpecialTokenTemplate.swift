/// The special tokens that a tokenizer puts before and after a text.
struct SpecialTokenTemplate: Equatable, Sendable {
  private(set) var prefix: [Int32] = []
  private(set) var suffix: [Int32] = []

  /// Reads a `post_processor`: none, `ByteLevel` (which changes no ids), `TemplateProcessing` or a `Sequence` of these.
  ///
  /// - Throws: `InferenceError.unsupported` naming another processor, `.invalidData` for a broken template.
  init(_ processor: TokenizerPart?) throws {
    guard let processor else { return }
    try apply(processor)
  }

  private mutating func apply(_ processor: TokenizerPart) throws {
    switch processor.type {
    case "ByteLevel": break
    case "Sequence":
      for part in try processor.elements("processors") { try apply(part) }
    case "TemplateProcessing": try applyTemplate(processor)
    default: throw processor.unsupported("type")
    }
  }

  /// `single`: a list of special tokens around exactly one `Sequence` "A".
  private mutating func applyTemplate(_ processor: TokenizerPart) throws {
    var before: [Int32] = []
    var after: [Int32] = []
    var sequenceCount = 0
    for piece in try processor.elements("single") {
      if let special = try piece.nested("SpecialToken") {
        let ids = try Self.ids(of: special, in: processor)
        if sequenceCount == 0 { before += ids } else { after += ids }
      } else if try piece.nested("Sequence")?.value("id")?.string == "A" {
        sequenceCount += 1
      } else {
        throw processor.invalid("single", rule: "must consist of SpecialToken and Sequence A")
      }
    }
    guard sequenceCount == 1 else { throw processor.invalid("single", rule: "must hold Sequence A exactly once") }
    // A later template wraps what an earlier one made.
    prefix = before + prefix
    suffix += after
  }

  private static func ids(of special: TokenizerPart, in processor: TokenizerPart) throws -> [Int32] {
    guard let name = special.value("id")?.string, let tokens = try processor.nested("special_tokens"),
      let ids = try tokens.nested(name)?.value("ids")?.array
    else { throw special.invalid("id", rule: "must name an entry of special_tokens") }
    return try ids.map {
      guard let id = $0.integer.flatMap(Int32.init(exactly:)), id >= 0 else {
        throw tokens.invalid(name, rule: "has the id \($0.summary); it must be an integer from 0 to \(Int32.max)")
      }
      return id
    }
  }
}
