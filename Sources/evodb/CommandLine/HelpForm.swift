/// What `evodb help` writes for other programs instead of the help page.
enum HelpForm: String, CaseIterable {
  case markdown = "--markdown"
  case man = "--man"
  case completion = "--completion"

  var meaning: String {
    switch self {
    case .markdown: return "The reference of all verbs in Markdown."
    case .man: return "A manual page, of evodb or of the verb that follows."
    case .completion: return "The script with which a shell completes command lines: bash, zsh or fish."
    }
  }

  /// How it is typed.
  var typed: String {
    switch self {
    case .markdown: return "evodb help --markdown"
    case .man: return "evodb help --man [VERB]"
    case .completion: return "evodb help --completion \(Shell.choices.joined(separator: "|"))"
    }
  }
}
