/// Manual pages (man(7)), made from the same declarations as the help pages: `evodb help --man [VERB]`.
///
/// They bear a version and no date, so that the same program always writes the same bytes.
enum HelpManual {
  /// evodb(1).
  static func page(of registry: CommandRegistry) -> String {
    var text = head("evodb", registry)
    text += ".SH NAME\nevodb \\- \(inline(registry.abstract))\n"
    text += ".SH SYNOPSIS\n.B evodb\n.I VERB\n[\\fIARGUMENT\\fR\\|.\\|.\\|.] [\\fB\\-\\-option\\fR\\|.\\|.\\|.]\n"
    text += ".SH DESCRIPTION\n\(paragraph(registry.abstract))"
    text += paragraph("Each verb has a manual page of its own, such as evodb-search(1), and evodb VERB --help.")
    text += ".SH VERBS\n"
    for section in registry.sections where !section.commands.isEmpty {
      text += ".SS \(inline(section.title))\n"
      for command in section.commands { text += entry(command.name, command.abstract) }
    }
    text += ".SH OTHER FORMS OF HELP\n"
    for form in HelpForm.allCases { text += entry(form.typed, form.meaning) }
    text += ".SH EXIT STATUS\n"
    for code in ExitCode.allCases { text += entry(String(code.rawValue), code.meaning) }
    text += ".SH SEE ALSO\n"
    let pages = registry.commands.map { ".BR evodb\\-\(inline($0.name)) (1)" }
    return text + pages.joined(separator: ",\n") + "\n"
  }

  /// evodb-VERB(1).
  static func page(of command: any Command.Type, in registry: CommandRegistry) -> String {
    let arguments = ArgumentSet(of: command.init())
    let name = "evodb-\(command.name)"
    var text = head(name, registry)
    text += ".SH NAME\n\(inline(name)) \\- \(inline(command.abstract))\n.SH SYNOPSIS\n"
    for (index, line) in HelpPage.usageLines(of: command).enumerated() {
      text += (index == 0 ? "" : ".br\n") + ".B evodb\n\(line: inline(line))\n"
    }
    text += ".SH DESCRIPTION\n\(paragraph(command.abstract))"
    for part in HelpPage.paragraphs(of: command.discussion) { text += paragraph(part) }
    for (title, items) in [
      ("ARGUMENTS", arguments.positionalSpecifications), ("OPTIONS", arguments.optionSpecifications),
    ] where !items.isEmpty {
      text += ".SH \(title)\n"
      for item in items {
        text += entry(
          item.typedWithShortName, item.fullHelp + (item.isRequired && item.kind == .option ? " Needed." : ""))
      }
    }
    if !command.examples.isEmpty {
      text += ".SH EXAMPLES\n.nf\n" + command.examples.map { "\(line: inline($0))\n" }.joined() + ".fi\n"
    }
    return text + ".SH EXIT STATUS\nThose of\n.BR evodb (1).\n.SH SEE ALSO\n.BR evodb (1)\n"
  }

  private static func head(_ name: String, _ registry: CommandRegistry) -> String {
    "'\\\" -*- coding: utf-8 -*-\n.TH \(inline(name.uppercased())) 1 \"\" \"evodb \(inline(registry.version))\"\n"
  }

  private static func paragraph(_ text: String) -> String { ".PP\n\(line: inline(text))\n" }

  private static func entry(_ term: String, _ text: String) -> String {
    ".TP\n.B \(quoted(term))\n\(line: inline(text))\n"
  }

  /// An argument of a macro: words in quotes stay together.
  private static func quoted(_ text: String) -> String {
    "\"" + inline(text).split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\(dq") + "\""
  }

  /// Text without anything that roff would act on; dashes stay what one types.
  private static func inline(_ text: String) -> String {
    text.reduce(into: "") { result, character in
      switch character {
      case "\\": result += "\\e"
      case "-": result += "\\-"
      case "'": result += "\\(aq"
      case "`": result += "\\(ga"
      case "^": result += "\\(ha"
      case "~": result += "\\(ti"
      case "\n": result += " "
      default: result.append(character)
      }
    }
  }
}

extension String.StringInterpolation {
  /// A line of text for roff: one that begins with a point would be a request.
  fileprivate mutating func appendInterpolation(line text: String) {
    appendLiteral(text.hasPrefix(".") ? "\\&" + text : text)
  }
}
