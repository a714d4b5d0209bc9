/// What a word may become.
struct Completion: Equatable {
  /// A word that fits, with a few words on what it is.
  struct Candidate: Equatable {
    let text: String
    let description: String

    init(_ text: String, _ description: String) {
      self.text = text
      self.description = description
    }
  }

  private(set) var candidates: [Candidate] = []
  /// Whether names of files fit, which shells complete best themselves.
  var takesFiles = false

  init(takesFiles: Bool = false) {
    self.takesFiles = takesFiles
  }

  /// The candidates that begin with `beginning`. Names that hold controls are left out: nobody could type them, and they would
  /// reach the terminal.
  init(_ candidates: [Candidate], beginning: String) {
    self.candidates = candidates.filter {
      $0.text.hasPrefix(beginning) && TerminalText.visible($0.text) == $0.text
    }
  }

  /// The same behind `--option=`.
  func prefixed(by prefix: String) -> Completion {
    var result = self
    result.candidates = candidates.map { Candidate(prefix + $0.text, $0.description) }
    return result
  }

  /// The line that says that files fit; no candidate begins with a colon behind an empty word.
  static let filesMark = ":files"
}
