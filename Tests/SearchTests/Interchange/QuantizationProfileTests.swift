import TestSupport
import Testing

@testable import Search

/// Files of EvoPress: one line a layer.
@Suite(.usualTimeLimit) struct QuantizationProfileTests {
  @Test func linesOfLayersAndBitsAreRead() throws {
    let text = "model.layers.0.mlp.up_proj: 3\nmodel.layers.0.mlp.down_proj: 2.5\n"
    #expect(
      try QuantizationProfile(text).bits == ["model.layers.0.mlp.up_proj": 3, "model.layers.0.mlp.down_proj": 2.5])
  }

  @Test(arguments: ["a: 3\r\nb: 4\r\n", "a: 3\rb: 4", "\n  a: 3  \n\n\tb :4 (4-00001.pth)\n", "a:3\nb:4.0"])
  func spaceAndLineEndsOfAnySystemDoNotMatter(text: String) throws {
    #expect(try QuantizationProfile(text).bits == ["a": 3, "b": 4])
  }

  @Test(
    arguments: [
      ("", "empty"), ("\n \n", "empty"), ("a", "line 1"), ("a: 3\nb", "line 2"), ("a: 3\n\nb: x", "line 3"),
      ("a: 3\nb: 4\na: 5", "line 3: a stands there twice"), ("a: nan", "line 1"), ("a: inf", "line 1"),
      ("a: 0", "line 1"), ("a: -2", "line 1"), (": 3", "line 1"), ("a:", "line 1"),
    ])
  func whatIsWrongIsNamedWithItsLine(text: String, expected: String) {
    expectError(like: SearchError.invalidProfile(detail: expected)) { try QuantizationProfile(text) }
  }
}
