import Foundation
import TestSupport
import Testing

@testable import Catalog

/// Words in messages can be copied into a shell as they stand.
@Suite(.usualTimeLimit) struct ShellWordTests {
  private static let words = [
    "plain-1.evodb", "/a/b_c.evodb", "my file.evodb", "it's", "say \"hi\"", "$HOME", "`id`", "a\\b", "*?[x]", "~", "#x",
    "a;b",
    "a&b", "<x>", "über", "!!", "", "{a,b}", "a=b", "100%", "-rf", "--x", "new\nline\ttab", "\u{1B}[2J",
    "we?ird#name%.evodb",
  ]

  @Test func aShellReadsEveryWordBack() throws {
    #expect(try ShellWords.split(Self.words.map(ShellWord.quoted).joined(separator: " ")) == Self.words)
  }
}
