/// The text of `docs/cli.md`, made from the same declarations as the help pages (`evodb help --markdown`).
enum HelpMarkdown {
  static func document(of registry: CommandRegistry) -> String {
    var text = """
      # The command line

      <!-- Written by `evodb help --markdown`; a test holds this page against the binary. -->

      \(registry.abstract)

      """
    for section in registry.sections where !section.commands.isEmpty {
      text += "\n## \(section.title)\n\n| verb | what it does |\n|---|---|\n"
      for command in section.commands {
        text += "| [`\(command.name)`](#evodb-\(command.name)) | \(cell(command.abstract)) |\n"
      }
    }
    for command in registry.commands { text += page(of: command) }
    text += "\n## Exit codes\n\n| code | meaning |\n|---|---|\n"
    for code in ExitCode.allCases { text += "| \(code.rawValue) | \(cell(code.meaning)) |\n" }
    return text
  }

  private static func page(of command: any Command.Type) -> String {
    let arguments = ArgumentSet(of: command.init())
    var text = "\n## evodb \(command.name)\n\n\(command.abstract)\n\n```\n"
    for line in HelpPage.usageLines(of: command) { text += "evodb \(line)\n" }
    text += "```\n"
    for paragraph in HelpPage.paragraphs(of: command.discussion) { text += "\n\(paragraph)\n" }
    let all = arguments.positionalSpecifications + arguments.optionSpecifications
    if !all.isEmpty { text += "\n| argument | meaning |\n|---|---|\n" }
    for item in all {
      let needed = item.isRequired && item.kind == .option ? " Needed." : ""
      text += "| `\(cell(item.typedWithShortName))` | \(cell(item.fullHelp + needed)) |\n"
    }
    if !command.examples.isEmpty {
      text += "\n```\n" + command.examples.map { $0 + "\n" }.joined() + "```\n"
    }
    return text
  }

  /// A bar would end the cell.
  private static func cell(_ text: String) -> String {
    text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
  }
}
