/// Classes of characters in Oniguruma's language, as sets in ICU's.
///
/// Oniguruma 6.9.10 has the tables of Unicode 16, so whatever a later version of ICU assigns is taken out again. All of
/// these are equal, scalar by scalar, to those of Hugging Face tokenizers 0.23.3.
enum SplitPatternClass {
  /// `\w`: letters, marks, decimal numbers and connecting punctuation, and the numbers of Latin-1.
  static let word = assigned("\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}")

  /// Classes of one letter, `\s` and so on.
  static let byLetter: [Unicode.Scalar: String] = [
    "s": "\\p{White_Space}", "S": "\\P{White_Space}", "d": assigned("\\p{Nd}"), "D": "[^\(assigned("\\p{Nd}"))]",
    "w": word, "W": "[^\(word)]", "h": "[0-9A-Fa-f]", "H": "[^0-9A-Fa-f]",
  ]

  /// Classes in brackets, `[:alpha:]` and so on.
  static let posix: [String: String] = [
    "alpha": assigned("\\p{Alphabetic}"), "digit": assigned("\\p{Nd}"), "alnum": assigned("\\p{Alphabetic}\\p{Nd}"),
    "upper": assigned("\\p{Uppercase}"), "lower": assigned("\\p{Lowercase}"), "space": "\\p{White_Space}",
    "punct": assigned("\\p{P}\\p{S}"), "word": word, "xdigit": "[0-9A-Fa-f]",
  ]

  /// The set of a property's name, in which case, spaces, hyphens and underscores do not count; nil if it is not known.
  static func property(named name: String) -> String? {
    let key = name.lowercased().filter { $0 != " " && $0 != "-" && $0 != "_" }
    return properties[key]
  }

  private static let properties: [String: String] = {
    var result = [
      "alphabetic": assigned("\\p{Alphabetic}"), "alpha": assigned("\\p{Alphabetic}"),
      "alnum": assigned("\\p{Alphabetic}\\p{Nd}"), "digit": assigned("\\p{Nd}"), "punct": assigned("\\p{P}"),
      "upper": assigned("\\p{Uppercase}"), "uppercase": assigned("\\p{Uppercase}"),
      "lower": assigned("\\p{Lowercase}"), "lowercase": assigned("\\p{Lowercase}"),
      "space": "\\p{White_Space}", "whitespace": "\\p{White_Space}", "word": word,
    ]
    for (short, long) in categories {
      let set = assigned("\\p{\(short)}")
      result[short.lowercased()] = set
      result[long] = set
    }
    for script in scripts { result[script.lowercased()] = assigned("\\p{\(script)}") }
    return result
  }()

  /// General categories that no later version adds characters to by taking them from another.
  private static let categories = [
    ("L", "letter"), ("Lu", "uppercaseletter"), ("Ll", "lowercaseletter"), ("Lt", "titlecaseletter"),
    ("Lm", "modifierletter"), ("Lo", "otherletter"), ("M", "mark"), ("Mn", "nonspacingmark"), ("Mc", "spacingmark"),
    ("Me", "enclosingmark"), ("N", "number"), ("Nd", "decimalnumber"), ("Nl", "letternumber"), ("No", "othernumber"),
    ("P", "punctuation"), ("Pc", "connectorpunctuation"), ("Pd", "dashpunctuation"), ("Ps", "openpunctuation"),
    ("Pe", "closepunctuation"), ("Pi", "initialpunctuation"), ("Pf", "finalpunctuation"), ("Po", "otherpunctuation"),
    ("S", "symbol"), ("Sm", "mathsymbol"), ("Sc", "currencysymbol"), ("Sk", "modifiersymbol"), ("So", "othersymbol"),
    ("Z", "separator"), ("Zs", "spaceseparator"), ("Zl", "lineseparator"), ("Zp", "paragraphseparator"),
    ("Cc", "control"), ("Cf", "format"),
  ]

  private static let scripts = [
    "Arabic", "Armenian", "Bengali", "Bopomofo", "Cherokee", "Common", "Cyrillic", "Devanagari", "Ethiopic", "Georgian",
    "Greek", "Gujarati", "Gurmukhi", "Han", "Hangul", "Hebrew", "Hiragana", "Inherited", "Kannada", "Katakana", "Khmer",
    "Lao", "Latin", "Malayalam", "Mongolian", "Myanmar", "Oriya", "Sinhala", "Syriac", "Tamil", "Telugu", "Thaana",
    "Thai", "Tibetan", "Yi",
  ]

  /// The members of a set that Unicode 16 knows.
  private static func assigned(_ members: String) -> String { "[[\(members)]&&\\p{Age=16.0}]" }
}
