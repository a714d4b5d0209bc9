import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct LevelTests {
  @Test(arguments: ["bits=1", "bits=8", "zeros=0", "zeros=32768", "pattern=2:4", "type=Q4_K", "type=IQ4_XS"])
  func levelsComeBackFromTheirText(text: String) throws {
    #expect(try #require(Level(text)).description == text)
  }

  @Test(arguments: [
    "", "bits", "bits=", "bits=0", "bits=-1", "bits=03", "bits=3.0", "bits=+3", " bits=3", "Bits=3", "zeros=-1",
    "zeros=1e3", "zeros=99999999999999999999", "pattern=4:2", "pattern=02:4", "type=", "type=4Q", "type=Q4 K",
    "type=Q4;DROP", "sparsity=0.5", "bits=3=3",
  ])
  func whatIsNoLevelIsRefused(text: String) { #expect(Level(text) == nil) }

  @Test(arguments: ["bits=3", "sparsity=0.5", "sparsity=0.25,shift=-1024", "pattern=2:4", "type=Q4_K"])
  func rulesComeBackFromTheirText(text: String) throws {
    #expect(try #require(LevelRule(text)).description == text)
  }

  @Test(arguments: [
    "", "bits=", "zeros=5", "sparsity=1.5", "sparsity=nan", "sparsity=0.5,shift", "sparsity=0.5,shift=x",
    "sparsity=0.5,step=1", "pattern=1", "type=-",
  ])
  func whatIsNoRuleIsRefused(text: String) { #expect(LevelRule(text) == nil) }

  @Test func aValueAloneMeansWhatTheKindsAllow() {
    #expect(LevelRule("3", kinds: [.bits]) == .bits(3))
    #expect(LevelRule("0.5", kinds: [.bits]) == nil)
    #expect(LevelRule("0.5", kinds: [.zeros, .pattern]) == .sparsity(0.5))
    #expect(LevelRule("2:4", kinds: [.zeros]) == nil)
    #expect(LevelRule("Q4_K", kinds: [.type]) == .type("Q4_K"))
    #expect(LevelRule("bits=3", kinds: [.zeros]) == nil)
    #expect(LevelRule.sparsity(0.5).shortText == "0.5" && LevelRule.bits(3).shortText == "3")
  }

  @Test func theRegistryKnowsItsMethodsByName() throws {
    let registry = MethodRegistry()
    #expect(registry.names == ["gptq", "rtn", "sparsegpt", "wanda", "magnitude", "kquant", "kquant-gptq"])
    #expect(registry.names(offering: .bits) == ["gptq", "rtn"])
    #expect(registry.names(offering: .zeros) == ["sparsegpt", "wanda", "magnitude"])
    #expect(registry.names(offering: .type) == ["kquant", "kquant-gptq"])
    try registry.register(GPTQMethod.self)
    #expect(registry.names.count == 7, "the same method twice is one")
    enum Other: MethodDefinition {
      static let name = "gptq"
      static let title = "another"
      static let abstract = ""
      static let revision = 1
      static let need = StatisticNeed.nothing
      static let levelKinds: Set<Level.Kind> = [.bits]
      static func validate(_ rule: LevelRule, _ values: MethodValues) throws {}
      static func packedByteCount(
        rows: Int, columns: Int, denseBits: Int, at level: Level, _ values: MethodValues
      ) throws -> Int { 0 }
      static func compress(_ layer: LayerInput, to level: Level, _ values: MethodValues) throws -> CompressedLayer {
        throw InferenceError.interrupted
      }
    }
    #expect(throws: InferenceError.impossible(detail: "there are two methods called gptq")) {
      try registry.register(Other.self)
    }
  }
}
