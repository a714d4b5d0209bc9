/// Characters that a tokenizer has no token for and leaves out.
///
/// Hugging Face tokenizers does so wherever a vocabulary has neither a token for a character nor one for unknown text, as
/// those of SmolLM, Falcon and BLOOM for some control characters, and says nothing.
public struct DroppedCharacters: Equatable, Sendable {
  /// How many: bytes where the tokenizer works on bytes, characters otherwise.
  public private(set) var count = 0
  /// The first of them in UTF-8; nil: none.
  public private(set) var first: [UInt8]?

  /// None.
  public init() {}

  mutating func add(_ character: ArraySlice<UInt8>) {
    count += 1
    if first == nil { first = Array(character) }
  }

  /// Counts those of another text behind those of this one.
  public mutating func add(_ others: DroppedCharacters) {
    count += others.count
    if first == nil { first = others.first }
  }

  /// The first one as people can look it up: `U+0007`, or `the byte F4` of one that was dropped in part; nil: none.
  public var firstName: String? {
    guard let first else { return nil }
    let scalars = Array(String(decoding: first, as: UTF8.self).unicodeScalars)
    func hex(_ value: UInt32, _ digits: Int) -> String {
      let text = String(value, radix: 16, uppercase: true)
      return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
    if scalars.count == 1, Array(String(scalars[0]).utf8) == first { return "U+" + hex(scalars[0].value, 4) }
    return (first.count == 1 ? "the byte " : "the bytes ") + first.map { hex(UInt32($0), 2) }.joined(separator: " ")
  }
}
