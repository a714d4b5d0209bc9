/// The beginning of a command line as it is typed, read into words as a POSIX shell does, without any expansion.
struct TypedLine {
  /// A word of the line; the last one may still be open.
  struct Word: Equatable {
    /// Without quotes and backslashes.
    var text = ""
    /// What it ends in.
    var quote = Quote.none
  }

  /// The quotes that a word's end stands in.
  enum Quote: Equatable {
    case none, single, double

    /// `text` as it must be typed there; nil if it cannot be.
    func quoted(_ text: String) -> String? {
      switch self {
      case .single: return text.contains("'") ? nil : text
      case .double: return escaped(text) { "\"\\$`!".contains($0) }
      case .none: return escaped(text) { !($0.isLetter || $0.isNumber || "@%+=:,./_-".contains($0)) }
      }
    }

    private func escaped(_ text: String, where needsIt: (Character) -> Bool) -> String {
      text.reduce(into: "") { result, character in
        if needsIt(character) { result.append("\\") }
        result.append(character)
      }
    }
  }

  /// The last one is what the cursor stands at, empty behind a space.
  private(set) var words: [Word] = []

  init(_ line: String) {
    var word = Word()
    var hasBegun = false
    var isEscaped = false
    for character in line {
      if isEscaped {
        // Between double quotes a backslash escapes only what is special there.
        if word.quote == .double, !"\"\\$`".contains(character) { word.text.append("\\") }
        word.text.append(character)
        isEscaped = false
        continue
      }
      switch (character, word.quote) {
      case ("'", .none): word.quote = .single
      case ("'", .single): word.quote = .none
      case ("\"", .none): word.quote = .double
      case ("\"", .double): word.quote = .none
      case ("\\", .none), ("\\", .double): isEscaped = true
      case (" ", .none), ("\t", .none), ("\n", .none):
        if hasBegun { words.append(word) }
        word = Word()
        hasBegun = false
        continue
      default: word.text.append(character)
      }
      hasBegun = true
    }
    words.append(word)
  }
}
