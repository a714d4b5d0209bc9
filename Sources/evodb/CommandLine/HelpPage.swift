/// Help for the terminal, made from the declarations.
enum HelpPage {
  /// `evodb help`: every verb in one line each.
  static func overview(of registry: CommandRegistry, width: Int) -> String {
    var text = "evodb \(registry.version): \(registry.abstract)\n\nUsage: evodb VERB [ARGUMENT…] [--option…]\n"
    let indent = 4 + (registry.commands.map { $0.name.count }.max() ?? 0)
    for section in registry.sections where !section.commands.isEmpty {
      text += "\n\(section.title):\n"
      for command in section.commands { text += entry(command.name, command.abstract, indent: indent, width: width) }
    }
    text += "\n‘evodb VERB --help’ tells more. Exit codes:\n"
    for code in ExitCode.allCases { text += entry(String(code.rawValue), code.meaning, indent: 6, width: width) }
    return text
  }

  /// `evodb VERB --help`.
  static func page(of command: any Command.Type, width: Int) -> String {
    let arguments = ArgumentSet(of: command.init())
    var text = ""
    for (index, line) in usageLines(of: command).enumerated() {
      text += (index == 0 ? "Usage: " : "       ") + "evodb \(line)\n"
    }
    text += "\n" + wrap(command.abstract, width: width)
    for paragraph in paragraphs(of: command.discussion) { text += "\n" + wrap(paragraph, width: width) }
    let all = arguments.positionalSpecifications + arguments.optionSpecifications + [helpOption]
    // Beyond 30 columns a long name takes a line of its own instead of squeezing all the texts.
    let indent = 4 + min(26, all.map { $0.typedWithShortName.count }.max() ?? 0)
    if !arguments.positionalSpecifications.isEmpty {
      text += "\nArguments:\n"
      for item in arguments.positionalSpecifications {
        text += entry(item.typedWithShortName, item.fullHelp, indent: indent, width: width)
      }
    }
    text += "\nOptions:\n"
    for item in arguments.optionSpecifications + [helpOption] {
      text += entry(item.typedWithShortName, item.fullHelp, indent: indent, width: width)
    }
    if !command.examples.isEmpty {
      text += "\nExamples:\n" + command.examples.map { "  \($0)\n" }.joined()
    }
    return text
  }

  /// The usage lines without the program's name: the command's own, else one derived from its declarations.
  static func usageLines(of command: any Command.Type) -> [String] {
    if !command.usage.isEmpty { return command.usage }
    let arguments = ArgumentSet(of: command.init())
    let needed = arguments.optionSpecifications.filter(\.isRequired).map(\.usage)
    return [
      ([command.name] + arguments.positionalSpecifications.map(\.usage) + needed + ["[--option…]"])
        .joined(separator: " ")
    ]
  }

  /// The paragraphs of a discussion, each on one line.
  static func paragraphs(of discussion: String) -> [String] {
    discussion.split(separator: "\n", omittingEmptySubsequences: false)
      .split { $0.allSatisfy(\.isWhitespace) }
      .map { lines in lines.map(String.init).joined(separator: " ") }
  }

  private static let helpOption = ArgumentSpecification(
    kind: .flag, name: "--help", placeholder: "", help: "Print this page.", defaultText: nil, choices: [],
    isRequired: false, isRepeatable: true)

  /// `  name   text…`, the text wrapped in its own column.
  private static func entry(_ name: String, _ text: String, indent: Int, width: Int) -> String {
    let body = wrap(text, width: width, indent: indent)
    if name.count + 4 > indent { return "  \(name)\n" + body }
    let padding = String(repeating: " ", count: indent - 2 - name.count)
    return "  \(name)\(padding)" + body.dropFirst(indent)
  }

  /// Words in lines of at most `width` columns (at most 100: longer ones are hard to read), each ended by a newline.
  static func wrap(_ text: String, width: Int, indent: Int = 0) -> String {
    let room = max(20, min(width, 100) - indent)
    let margin = String(repeating: " ", count: indent)
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty, line.count + 1 + word.count > room {
        lines.append(line)
        line = ""
      }
      line += line.isEmpty ? String(word) : " \(word)"
    }
    lines.append(line)
    return lines.map { margin + $0 + "\n" }.joined()
  }
}
