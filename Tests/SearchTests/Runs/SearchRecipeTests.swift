import TestSupport
import Testing

@testable import Catalog
@testable import Search

@Suite(.usualTimeLimit) struct SearchRecipeTests {
  @Test func aRecipeSurvivesItsJSON() throws {
    let recipe = RunCatalog.recipe(2.3) {
      $0.seed = UInt64(Int64.max)
      $0.measure = "topk-kl:7"
      $0.bits = [2, 4]
    }
    #expect(try SearchRecipe(json: recipe.json) == recipe)
    #expect(try SearchRecipe(json: recipe.json).json == recipe.json)
  }

  @Test(arguments: ["", "{}", "[]", #"{"target_bits":"three"}"#]) func textsThatAreNoRecipeAreDamage(json: String) {
    expectError(like: CatalogError.damaged("a run's recipe cannot be read: ")) { try SearchRecipe(json: json) }
  }

  @Test func everyParameterChangesTheDigest() throws {
    let space = SHA256.digest(of: [1])
    let set = SHA256.digest(of: [2])
    let changes: [(inout SearchRecipe) -> Void] = [
      { $0.target = .bits(2) }, { $0.target = .bytes(2) }, { $0.target = .sparsity(0.5) }, { $0.target = .drop(0.5) },
      { $0.target = .dropCount(2) }, { $0.cost = .stored }, { $0.methods = ["rtn"] }, { $0.methods = ["gptq", "rtn"] },
      { $0.patterns = ["2:4"] }, { $0.types = ["Q4_K"] },
      { $0.allowsDense = true }, { $0.allowsDrop = true }, { $0.allowed = ["1.mlp"] },
      { $0.ties = [.qkv] }, { $0.ties = [.block] }, { $0.isInverted = true }, { $0.bits = [3] }, { $0.generations = 5 },
      { $0.offspring = 7 }, { $0.survivors = [1, 1] }, { $0.tokens = [64, 128] }, { $0.measure = "perplexity" },
      { $0.mutationGroup = "none" }, { $0.maximumSwitches = 1 }, { $0.initial = "random:2" }, { $0.initialTokens = 32 },
      { $0.seed = 1 }, { $0.runtime = .gguf }, { $0.file = FileBudget() },
      { $0.file = Self.file { $0.headType = .q6K } }, { $0.file = Self.file { $0.embeddingType = .q6K } },
      { $0.file = Self.file { $0.leavesOutTokenizer = true } }, { $0.file = Self.file { $0.frameByteCount = 1 } },
    ]
    var digests = try changes.map {
      try RunStrategyName.evolution.digest(
        of: RunCatalog.recipe(3, $0), space: space, calibration: set, validation: nil)
    }
    let plain = RunCatalog.recipe()
    let strategy = RunStrategyName.evolution
    digests.append(try strategy.digest(of: plain, space: space, calibration: set, validation: nil))
    digests.append(try strategy.digest(of: plain, space: set, calibration: set, validation: nil))
    digests.append(try strategy.digest(of: plain, space: space, calibration: space, validation: nil))
    digests.append(try strategy.digest(of: plain, space: space, calibration: set, validation: set))
    digests.append(
      try RunStrategyName.baseline(.dp).digest(of: plain, space: space, calibration: set, validation: nil))
    #expect(Set(digests).count == digests.count)
  }

  private static func file(_ change: (inout FileBudget) -> Void) -> FileBudget {
    var file = FileBudget()
    change(&file)
    return file
  }

  @Test func tokensOfAGenerationCountEveryCandidateOfEveryStage() {
    let recipe = RunCatalog.recipe {
      $0.offspring = 16
      $0.survivors = [4, 1]
      $0.tokens = [512, 2048]
    }
    #expect(recipe.tokensPerGeneration == 16 * 512 + 5 * 2048)
  }

  @Test func defaultTokensGrowFromStageToStage() {
    for count in 1...5 {
      let tokens = SearchRecipe.tokens(stages: count)
      #expect(tokens.count == count)
      #expect(tokens == tokens.sorted())
      #expect(tokens.last == SearchRecipe.standard.tokens.last)
    }
  }

  @Test(arguments: [
    ("generations", "generations must be from 0 to 10000"), ("offspring", "offspring must be from 1 to 1000000"),
    ("maximum_switches", "maximum switches must be from 1 to 1000"),
    ("initial_tokens", "initial tokens must be from 0 to 100000000"),
    ("tokens", "tokens of a stage must be from 1 to 100000000"),
    ("survivors", "survivors of a stage must be from 1 to 1000000"),
  ])
  func numbersBeyondAllWorkAreRefusedWhereverTheyComeFrom(name: String, rule: String) throws {
    let recipe = SearchRecipe(targetBits: 3)
    for value in ["9223372036854775807", "1000000000000"] {
      #expect(throws: SearchError.invalidParameter(detail: "\(rule), not \(value)")) {
        try recipe.setting(name, to: value)
      }
    }
    let json = try recipe.json.replacing("\"generations\":10", with: "\"generations\":9223372036854775807")
    let damage = "a run's recipe cannot be read: generations must be from 0 to 10000, not 9223372036854775807"
    #expect(throws: CatalogError.damaged(damage)) { try SearchRecipe(json: json) }
  }
}
