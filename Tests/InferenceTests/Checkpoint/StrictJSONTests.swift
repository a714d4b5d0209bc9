import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct StrictJSONTests {
  private func parse(_ text: String) throws -> StrictJSON { try StrictJSON.parse(Array(text.utf8), file: "test.json") }

  private func reason(_ bytes: [UInt8]) -> String? {
    do {
      _ = try StrictJSON.parse(bytes, file: "test.json")
      return nil
    } catch InferenceError.invalidData(let file, let detail) {
      return file == "test.json" ? detail : nil
    } catch {
      return nil
    }
  }

  @Test func everyKindOfValueIsRead() throws {
    let value = try parse(" {\"a\": [null, true, false, -12, 1.5e3, \"x\"], \"b\": {}}\n\t")
    let object = try #require(value.object)
    #expect(object["a"] == .array([.null, .bool(true), .bool(false), .integer(-12), .decimal("1.5e3"), .string("x")]))
    #expect(object["a"]?.array?[4].double == 1500)
    #expect(object["b"]?.object?.members.isEmpty == true)
    #expect(object["c"] == nil)
  }

  @Test func integersAreExact() throws {
    #expect(try parse("9007199254740993") == .integer(9_007_199_254_740_993))
    #expect(try parse("9223372036854775807") == .integer(.max))
    #expect(try parse("-9223372036854775808") == .integer(.min))
    #expect(try parse("9223372036854775808") == .decimal("9223372036854775808"))
    #expect(try parse("-9223372036854775809") == .decimal("-9223372036854775809"))
    #expect(try parse("1.0") == .decimal("1.0"))
    #expect(try parse("0") == .integer(0))
    #expect(try parse("-0").double?.sign == .minus)
    #expect(try parse("1e999").double == .infinity)
  }

  @Test func escapesAreResolved() throws {
    #expect(try parse(#""\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude42""#).string == ByteString("\"\\/\u{8}\u{C}\n\r\tAé🙂"))
    #expect(try parse(#""\u0000""#).string?.bytes == [0])
    #expect(try parse("\"é日🙂\"").string == ByteString("é日🙂"))
  }

  @Test func keysAreComparedAsBytes() throws {
    let object = try #require(try parse("{\"\u{E9}\": 1, \"e\u{301}\": 2}").object)
    #expect(object["\u{E9}"] == .integer(1))
    #expect(object["e\u{301}"] == .integer(2))
  }

  @Test func duplicateKeysAreRefusedInSmallAndLargeObjects() {
    #expect(reason(Array(#"{"a":1,"a":1}"#.utf8))?.contains("byte 7: the key \"a\" occurs twice") == true)
    #expect(reason(Array(#"{"a":1,"\u0061":1}"#.utf8)) != nil)
    let many = (0..<20).map { "\"k\($0)\":0" }.joined(separator: ",")
    #expect(reason(Array("{\(many),\"k3\":1}".utf8))?.contains("\"k3\"") == true)
    #expect(reason(Array("{\(many),\"k20\":1}".utf8)) == nil)
  }

  @Test(arguments: [
    "", " ", "{", "[", "[1", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "01", "-", "1.", ".5", "1e", "+1",
    "NaN", "Infinity", "nul", "tru", "'a'", "\"a", "\"\n\"", "\"\\x\"", "\"\\u12g4\"", "\"\\u12", "\"\\", "[1 2]",
    "{} {}",
    "1 x", "\u{FEFF}{}", "// c\n1", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\\ud800x\"",
  ])
  func whatIsNotJSONIsRefusedWithItsOffset(_ text: String) {
    #expect(reason(Array(text.utf8))?.hasPrefix("not valid JSON: byte ") == true)
  }

  @Test(
    arguments: [
      [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF0, 0x80, 0x80, 0x80],
      [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x99], [0xFF],
    ] as [[UInt8]])
  func invalidUTF8IsRefused(_ bytes: [UInt8]) {
    #expect(reason([0x22] + bytes + [0x22])?.contains("byte 1: invalid UTF-8") == true)
    #expect(reason([0x22] + bytes) != nil)
  }

  @Test func nestingIsLimited() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try parse(nested(64))
    #expect(reason(Array(nested(65).utf8))?.contains("nested more than 64 deep") == true)
    #expect(reason(Array(String(repeating: "{\"a\":", count: 1_000_000).utf8))?.contains("nested") == true)
  }

  @Test func aLargeVocabularyIsRead() throws {
    let members = (0..<300_000).map { "\"Ġtoken\($0)\": \($0)" }.joined(separator: ", ")
    let bytes = Array("{\(members)}".utf8)
    let value = try StrictJSON.parse(bytes, file: "test.json")
    #expect(value.object?["Ġtoken299999"] == .integer(299_999))
    #expect(value.object?["Ġtoken0"] == .integer(0))
  }
}
