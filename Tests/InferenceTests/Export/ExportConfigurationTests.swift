import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct ExportConfigurationTests {
  private func mended(_ model: String, _ kept: [Int], change: (String) -> String = { $0 }) throws -> (
    text: [UInt8], before: ModelConfiguration, after: ModelConfiguration
  ) {
    let text = try String(contentsOf: Fixtures.url(model).appendingPathComponent("config.json"), encoding: .utf8)
    let json = Array(change(text).utf8)
    let before = try ModelConfiguration(json: json, file: "config.json")
    let after = try ExportConfiguration.text(json: json, file: "config.json", configuration: before, keptBlocks: kept)
    return (after, before, try ModelConfiguration(json: after, file: "config.json"))
  }

  @Test func withAllBlocksTheTextStays() throws {
    let text = try Data(contentsOf: Fixtures.url("golden/models/gemma2/config.json"))
    #expect(try mended("golden/models/gemma2", [0, 1, 2]).text == [UInt8](text))
  }

  @Test func blocksKeepTheirWindows() throws {
    let listed = try mended("golden/models/gemma2", [1, 2])
    #expect(listed.after.blockCount == 2)
    #expect(listed.after.attentionWindows == [nil, 8])
    // Without a list the family goes by the position, which changes.
    let implied = try mended("golden/models/gemma2", [1, 2]) { text in
      text.replacing("\"layer_types\"", with: "\"ignored\"")
    }
    #expect(implied.after.attentionWindows == [nil, 8])
    let late = try mended("families/qwen3-windows", [1])
    #expect(late.before.attentionWindows == [nil, 9])
    #expect(late.after.attentionWindows == [9])
    #expect(try mended("families/qwen3-windows", [0]).after.attentionWindows == [nil])
    #expect(try mended("golden/models/mistral-sliding-window", [0, 2]).after.attentionWindows == [8, 8])
  }

  @Test func everythingElseStaysAsItWas() throws {
    let model = "golden/models/phi3-longrope"
    let (text, before, after) = try mended(model, [2])
    let old = try Data(contentsOf: Fixtures.url(model + "/config.json"))
    var expected = try #require(JSONSerialization.jsonObject(with: old) as? [String: Any])
    expected["num_hidden_layers"] = 1
    let new = try #require(JSONSerialization.jsonObject(with: Data(text)) as? [String: Any])
    #expect(try Self.sorted(new) == Self.sorted(expected))
    #expect(after.ropeScaling == before.ropeScaling)
  }

  private static func sorted(_ object: [String: Any]) throws -> Data {
    try JSONSerialization.data(withJSONObject: object, options: .sortedKeys)
  }

  @Test func writtenJSONReadsBackTheSame() throws {
    let text =
      #"{"a": [1, -2.50, 1e-05, true, null, []], "é\n\"\\\u0001": {"b": "\t/"}, "c": {}, "d": 18446744073709551616}"#
    let value = try StrictJSON.parse(Array(text.utf8), file: "x")
    #expect(try StrictJSON.parse(value.text, file: "x") == value)
    #expect(try StrictJSON.parse(value.compactText, file: "x") == value)
    #expect(String(decoding: value.compactText, as: UTF8.self).contains("1e-05"))
  }
}
