/// The special tokens that a tokenizer puts before and after a text.
struct SpecialTokenTemplate: Equatable, Sendable {
  private(set) var prefix: [Int32] = []
  private(set) var suffix: [Int32] = []

  /// Reads a `post_processor`: none, `ByteLevel` (which changes no ids), `TemplateProcessing`, `RobertaProcessing`,
  /// `BertProcessing` or a `Sequence` of these. Templates for pairs of texts are not looked at.
  ///
  /// - Throws: `InferenceError.unsupported` naming another processor, `.invalidData` for a broken template.
  init(_ processor: TokenizerPart?) throws {
    guard let processor else { return }
    try apply(processor)
  }

  private mutating func apply(_ processor: TokenizerPart) throws {
    switch processor.type {
    case "ByteLevel": try processor.requireKnown(["add_prefix_space", "trim_offsets", "use_regex"])
    // Early files leave the type out.
    case "RobertaProcessing", "BertProcessing",
      nil where processor.type != nil || processor.value("cls") != nil:
      try processor.requireKnown(["sep", "cls", "trim_offsets", "add_prefix_space"])
      prefix.insert(try Self.id(ofPair: "cls", in: processor), at: 0)
      suffix.append(try Self.id(ofPair: "sep", in: processor))
    case "Sequence":
      try processor.requireKnown(["processors"])
      for part in try processor.elements("processors") { try apply(part) }
    case "TemplateProcessing": try applyTemplate(processor)
    default: throw processor.unsupported("type")
    }
  }

  /// `single`: a list of special tokens around exactly one `Sequence` "A".
  private mutating func applyTemplate(_ processor: TokenizerPart) throws {
    try processor.requireKnown(["single", "pair", "special_tokens"])
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

  /// The id in `["</s>", 2]`.
  private static func id(ofPair name: ByteString, in processor: TokenizerPart) throws -> Int32 {
    guard let pair = processor.value(name)?.array, pair.count == 2, pair[0].string != nil,
      let id = pair[1].integer.flatMap(Int32.init(exactly:)), id >= 0
    else { throw processor.invalid(name, rule: "must be a token with its id, as [\"</s>\", 2]") }
    return id
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
