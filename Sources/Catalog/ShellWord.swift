/// How a word is written in a command line that a message advises, to be copied into a shell as it stands.
public enum ShellWord {
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
