/// A command of evodb as a message advises it: to be copied into a shell as it stands, whatever paths and names hold.
public struct ShellCommand: CustomStringConvertible, Sendable {
  private let verb: String
  private let arguments: [String]
  private let options: [(name: String, value: String)]

  /// - Parameters:
  ///   - verb: `resume`.
  ///   - arguments: paths, names and placeholders in capitals, in order.
  ///   - options: such as (`--data`, a name).
  public init(_ verb: String, _ arguments: String..., options: [(name: String, value: String)] = []) {
    self.verb = verb
    self.arguments = arguments
    self.options = options
  }

  /// `evodb resume 'my file.evodb' run-1`.
  public var description: String {
    let given = options.map { option in
      option.value.hasPrefix("-")
        ? Self.quoted("\(option.name)=\(option.value)") : "\(option.name) \(Self.quoted(option.value))"
    }
    let words = arguments.map(Self.quoted)
    // What begins with a dash would be taken for an option.
    let needsMark = arguments.contains { $0.hasPrefix("-") && $0 != "-" }
    return (["evodb", verb] + (needsMark ? given + ["--"] + words : words + given)).joined(separator: " ")
  }

  /// A word as a POSIX shell reads it back: bare where that is safe, else in single quotes; with control characters in
  /// `$'…'`, which bash, ksh and zsh know.
  public static func quoted(_ word: String) -> String {
    if !word.isEmpty, word.utf8.allSatisfy({ isBare($0) }) { return word }
    guard word.unicodeScalars.contains(where: { $0.value < 0x20 || (0x7f...0x9f).contains($0.value) }) else {
      return "'" + word.replacing("'", with: "'\\''") + "'"
    }
    var text = "$'"
    for scalar in word.unicodeScalars {
      switch scalar {
      case "\n": text += "\\n"
      case "\t": text += "\\t"
      case "\\", "'": text += "\\\(scalar)"
      case _ where scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value):
        for byte in String(scalar).utf8 {
          text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "'"
  }

  private static func isBare(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      return true
    default: return "@%+=:,./_-".utf8.contains(byte)
    }
  }
}
