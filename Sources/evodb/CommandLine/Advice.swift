/// A sentence that names command lines of evodb, and knows which: `"go on with: \(ShellCommand("resume", …))"`.
struct Advice: ExpressibleByStringInterpolation, CustomStringConvertible {
  let description: String
  let commands: [ShellCommand]

  init(stringLiteral text: String) { (description, commands) = (text, []) }

  init(stringInterpolation parts: Interpolation) { (description, commands) = (parts.text, parts.commands) }

  struct Interpolation: StringInterpolationProtocol {
    fileprivate var text = ""
    fileprivate var commands: [ShellCommand] = []

    init(literalCapacity: Int, interpolationCount: Int) {}

    mutating func appendLiteral(_ literal: String) { text += literal }
    mutating func appendInterpolation(_ word: String) { text += word }

    mutating func appendInterpolation(_ command: ShellCommand) {
      text += command.description
      commands.append(command)
    }
  }

  typealias StringInterpolation = Interpolation
}
