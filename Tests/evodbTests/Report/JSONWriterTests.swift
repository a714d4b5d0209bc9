import Foundation
import TestSupport
import Testing

@testable import evodb

@Suite(.usualTimeLimit) struct JSONWriterTests {
  @Test func textsSurviveEveryCharacter() throws {
    let scalars =
      (0..<0x300).compactMap { Unicode.Scalar($0) } + ["\u{2028}", "\u{202E}", "\u{E0001}", "🙂", "\u{FEFF}"]
    for scalar in scalars {
      let text = "x\(Character(scalar))y"
      let parsed =
        try JSONSerialization.jsonObject(with: Data(JSONValue.array([.text(text)]).compact.utf8)) as? [String]
      #expect(parsed.map { Array($0[0].unicodeScalars) } == Array(text.unicodeScalars))
    }
  }

  @Test func escapesAreWrittenAsRFC8259Says() {
    #expect(JSONWriter.quoted("\"\\\n\u{1}\u{7F}\u{9B}\u{E0001}/") == #""\"\\\n\u0001\u007f\u009b\udb40\udc01/""#)
  }

  @Test(arguments: [
    0.1, -0.0, 1.0 / 3, .leastNonzeroMagnitude, 1.7976931348623157e308, 1e15, 1e16, 123_456_789.123, 1e-5,
  ])
  func doublesReadBackToTheSameBits(value: Double) throws {
    let text = JSONValue.real(value).compact
    #expect(Double(text)?.bitPattern == value.bitPattern)
    let parsed = try JSONSerialization.jsonObject(with: Data("[\(text)]".utf8)) as? [Double]
    #expect(parsed == [value])
  }

  @Test func whatIsNotFiniteBecomesNull() {
    #expect(
      JSONValue.array([.real(.nan), .real(.infinity), .integer(.min)]).compact == "[null,null,-9223372036854775808]")
  }

  @Test func objectsKeepTheirOrderAndReplaceInPlace() {
    var object: JSONObject = ["z": .integer(1), "a": .bool(true)]
    object["z"] = .array([])
    object["m"] = .object(["k": .null])
    #expect(JSONValue.object(object).compact == #"{"z":[],"a":true,"m":{"k":null}}"#)
    #expect(
      JSONValue.object(object).pretty == """
        {
          "z": [],
          "a": true,
          "m": {
            "k": null
          }
        }
        """)
    object["a"] = nil
    #expect(object.members.map(\.name) == ["z", "m"])
  }
}
