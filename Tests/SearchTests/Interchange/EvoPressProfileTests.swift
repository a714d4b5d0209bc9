import TestSupport
import Testing

@testable import Search

/// Profiles of all three applications, of the size of 7B models.
@Suite(.usualTimeLimit) struct EvoPressProfileTests {
  private static let roles = [
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj",
    "mlp.down_proj",
  ]

  /// 32 blocks of 7 layers by role, as the reference's groups leave them, with values that follow from the place.
  private func layers(_ value: (Int) -> String) -> String {
    Self.roles.enumerated().flatMap { role, name in
      (0..<32).map { "model.layers.\($0).\(name): \(value($0 * 7 + role))\n" }
    }.joined()
  }

  @Test func aQuantizationProfileOfSevenBillionWeightsComesBackByteForByte() throws {
    let text = layers { String([2, 3, 4, 5, 6][$0 % 5]) }
    guard case .quantization(let profile) = try EvoPressProfile(text) else { throw SearchError.interrupted }
    #expect(profile.entries.count == 224)
    #expect(profile.bits["model.layers.31.mlp.down_proj"] == Double([2, 3, 4, 5, 6][(31 * 7 + 6) % 5]))
    #expect(profile.text == text)
  }

  @Test func aSparsityProfileOfSevenBillionWeightsComesBackByteForByte() throws {
    let text = layers { String($0 % 17 - 8) }
    guard case .sparsity(let profile) = try EvoPressProfile(text) else { throw SearchError.interrupted }
    #expect(profile.entries.count == 224)
    #expect(profile.entries[0] == .init(layer: "model.layers.0.self_attn.q_proj", level: -8))
    #expect(profile.text == text)
    guard case .sparsity = try EvoPressProfile(layers { _ in "0" }) else { throw SearchError.interrupted }
    let above = layers { String($0 % 3 + 1) }
    guard case .sparsity = try EvoPressProfile(above, isOfSteps: true) else { throw SearchError.interrupted }
    guard case .quantization = try EvoPressProfile(above) else { throw SearchError.interrupted }
  }

  @Test func aDepthProfileOfThirtyTwoBlocksComesBackByteForByte() throws {
    let words = ["none", "attn", "mlp", "attn+mlp"]
    let text = (0..<32).map { words[$0 * 5 % 4] + "\n" }.joined()
    guard case .depth(let profile) = try EvoPressProfile(text) else { throw SearchError.interrupted }
    #expect(profile.removals.count == 32)
    #expect(profile.dropped.contains("1.attention") && !profile.dropped.contains("1.mlp"))
    #expect(profile.text == text)
    #expect(DepthProfile(blockCount: 32, dropped: profile.dropped) == profile)
  }

  @Test func theExtendedFormKeepsItsFiles() throws {
    let text =
      "model.layers.0.self_attn.q_proj: 2.5625 (2.5625-Q2_K.pth)\nmodel.layers.0.mlp.up_proj: 4.5 (4.5-Q4_K.pth)\n"
    guard case .quantization(let profile) = try EvoPressProfile(text) else { throw SearchError.interrupted }
    #expect(
      profile.entries[0] == .init(layer: "model.layers.0.self_attn.q_proj", bits: 2.5625, file: "2.5625-Q2_K.pth"))
    #expect(profile.text == text)
  }

  @Test(arguments: ["none\r\nattn\r\n\r\n", "none\nattn", " none \n\tattn\n\n"])
  func lineEndsOfAnySystemAndBlankLinesAtTheEndDoNotMatter(text: String) throws {
    #expect(try EvoPressProfile(text) == .depth(DepthProfile(removals: [.none, .attention])))
  }

  @Test(
    arguments: [
      ("", "empty"), ("\r\n", "empty"), ("none\n\nattn", "line 2: is blank"), ("none\nboth", "line 2: expected none"),
      ("none\nmodel.layers.0: 3", "line 2"), ("dense", "line 1: expected 'layer: number'"),
      ("a: 0\nb: 0.5", "line 2: expected 'layer: level' with a whole number"), ("a: -1 (f)\nb: 0", "line 1"),
      ("a: -1\nb: 1\na: 0", "line 3: a stands there twice"), ("a: 3\nattn", "line 2"), ("a: 3 4", "line 1"),
      ("a: -99999999999999999999\nb: 0", "line 1"),
    ])
  func whatIsWrongIsNamedWithItsLine(text: String, expected: String) {
    expectError(like: SearchError.invalidProfile(detail: expected)) { try EvoPressProfile(text) }
  }

  @Test func levelsAndZerosAreTheSameThing() throws {
    let scale = try SparsityScale(target: 0.5, stepWeightCount: 100)
    #expect(scale.zeros(level: 0, weightCount: 1001) == 500)
    #expect(scale.zeros(level: -5, weightCount: 1001) == 0)
    #expect(scale.zeros(level: 5, weightCount: 1000) == 1000)
    #expect(scale.zeros(level: -6, weightCount: 1000) == nil)
    #expect(scale.zeros(level: 6, weightCount: 1000) == nil)
    #expect(scale.zeros(level: .max, weightCount: 1000) == nil)
    #expect(scale.level(zeros: 700, weightCount: 1000) == 2)
    #expect(scale.level(zeros: 750, weightCount: 1000) == nil)
    for level in -5...5 {
      let zeros = try #require(scale.zeros(level: level, weightCount: 1000))
      #expect(scale.level(zeros: zeros, weightCount: 1000) == level)
    }
    for (target, count, rule) in [
      (1.5, 1, "must be from 0 to 1, not 1.5"), (0.5, 0, "must be at least 1 weight, not 0"),
      (.nan, 1, "must be from 0 to 1, not nan"),
    ] {
      expectError(like: SearchError.invalidParameter(detail: rule)) {
        try SparsityScale(target: target, stepWeightCount: count)
      }
    }
  }
}
