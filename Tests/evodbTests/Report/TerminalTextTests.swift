import TestSupport
import Testing

@testable import evodb

@Suite(.usualTimeLimit) struct TerminalTextTests {
  @Test(arguments: [
    ("plain", "plain"), ("a\nb\tc\r", "a\\nb\\tc\\r"), ("\u{1B}[31mred", "\\x1B[31mred"), ("\u{7}\u{0}", "\\x07\\x00"),
    ("\u{9B}31m", "\\u{9B}31m"), ("\u{202E}txt.exe", "\\u{202E}txt.exe"), ("\r\n", "\\r\\n"), ("é漢🙂", "é漢🙂"),
    ("\u{FEFF}x", "\\u{FEFF}x"), ("👩‍🚀", "👩‍🚀"),
  ])
  func controlsAreMadeVisible(text: String, visible: String) {
    #expect(TerminalText.visible(text) == visible)
  }

  @Test(arguments: [
    ("", 0), ("abc", 3), ("é", 1), ("e\u{301}", 1), ("漢字", 4), ("한글", 4), ("ｆｕｌｌ", 8), ("🙂", 2), ("👩‍🚀", 2),
    ("☂\u{FE0F}", 2),
    ("…", 1), ("─", 1), ("–", 1), ("ไทย", 3), ("ก็", 1),
  ])
  func widthCountsTerminalColumns(text: String, width: Int) {
    #expect(TerminalText.width(text) == width)
  }

  @Test func truncationRespectsWideCharacters() {
    #expect(TerminalText.truncated("漢字漢字", to: 8) == "漢字漢字")
    #expect(TerminalText.truncated("漢字漢字", to: 6) == "漢字…")
    #expect(TerminalText.truncated("abcdef", to: 4) == "abc…")
    #expect(TerminalText.truncated("abc", to: 0) == "")
  }
}
