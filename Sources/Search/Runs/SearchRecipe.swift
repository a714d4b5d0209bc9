import Catalog
import Foundation
import Inference

/// All parameters of a search.
public struct SearchRecipe: Codable, Equatable, Sendable {
  /// What a budget counts.
  public enum Cost: String, Codable, Sendable, CaseIterable {
    /// The bits of the codes, as EvoPress counts.
    case codes
    /// All bytes of the packed variant, with scales and zero points.
    case stored
  }

  /// Average bits per compressible weight.
  public var targetBits: Double
  /// What they count.
  public var cost: Cost
  /// Quantization method: its name; with several of a name, the one with most variants.
  public var method: String
  /// Bit-widths to choose from; empty: all that are built for every layer.
  public var bits: [Int]
  /// Generations after the first parent is chosen.
  public var generations: Int
  /// Offspring per generation.
  public var offspring: Int
  /// Survivors of each stage.
  public var survivors: [Int]
  /// Tokens of each stage.
  public var tokens: [Int]
  /// `kl`, `topk-kl:K`, `perplexity`.
  public var measure: String
  /// `size`, `name`, `none`.
  public var mutationGroup: String
  /// Most level switches per offspring.
  public var maximumSwitches: Int
  /// `uniform` or `random:N`; empty: uniform where the target is a level, else random:32.
  public var initial: String
  /// Tokens to choose the first parent on.
  public var initialTokens: Int
  /// Of all randomness.
  public var seed: UInt64

  enum CodingKeys: String, CodingKey {
    case targetBits = "target_bits"
    case cost, method, bits, generations, offspring, survivors, tokens, measure
    case mutationGroup = "mutation_group"
    case maximumSwitches = "maximum_switches"
    case initial
    case initialTokens = "initial_tokens"
    case seed
  }

  /// A recipe with evodb's defaults, which suit a small calibration set on a laptop.
  public init(targetBits: Double) {
    self.targetBits = targetBits
    cost = .codes
    method = "gptq"
    bits = []
    generations = 10
    offspring = 32
    survivors = [2, 1]
    tokens = [512, 4096]
    measure = "kl"
    mutationGroup = "size"
    maximumSwitches = 3
    initial = ""
    initialTokens = 2048
    seed = 0
  }

  /// The defaults, whatever the target.
  public static let standard = SearchRecipe(targetBits: 3)

  /// Default tokens for any number of stages: the last has 4096, each before it a quarter, the first of several 512.
  public static func tokens(stages: Int) -> [Int] {
    (0..<stages).map { stage in
      let isFirstOfSeveral = stage == 0 && stages > 1
      return isFirstOfSeveral ? 512 : max(512, 4096 >> (2 * (stages - 1 - stage)))
    }
  }

  /// Tokens of one generation if nothing is cached: every stage's candidates on its tokens, the parent in the last one.
  public var tokensPerGeneration: Int {
    var candidates = offspring
    var sum = 0
    for (index, (stageTokens, kept)) in zip(tokens, survivors).enumerated() {
      if index == tokens.count - 1 { candidates += 1 }
      sum += candidates * stageTokens
      candidates = min(candidates, kept)
    }
    return sum
  }

  /// Canonical JSON: sorted keys.
  public var json: String {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
  }

  /// From `json`.
  ///
  /// - Throws: `CatalogError.damaged`.
  public init(json: String) throws {
    do {
      self = try JSONDecoder().decode(SearchRecipe.self, from: Data(json.utf8))
    } catch {
      throw CatalogError.damaged("a run's recipe cannot be read: \(error)")
    }
  }

  /// Content key of the recipe and everything it points to.
  func digest(space: Digest, calibration: Digest, validation: Digest?) throws -> Digest {
    var record = CanonicalRecord(kind: "recipe")
    record.set("recipe", try json)
    record.set("space", space)
    record.set("calibration", calibration)
    record.set("validation", validation)
    record.set("engine_revision", SearchRun.revision)
    return record.digest
  }

  /// The engine's parameters.
  ///
  /// - Parameter targetIsLevel: whether every unit has a level at exactly the target.
  func evolutionParameters(targetIsLevel: Bool) throws -> EvolutionParameters {
    guard let grouping = MutationGrouping(rawValue: mutationGroup) else {
      throw SearchError.invalidParameter(
        detail: "mutation group is size, name or none, not \(mutationGroup)")
    }
    return EvolutionParameters(
      generations: generations, offspring: offspring, stages: try SelectionStages(survivors: survivors, tokens: tokens),
      maximumSwitches: maximumSwitches, grouping: grouping, initialParent: try initialParent(targetIsLevel),
      initialTokens: initialTokens, seed: seed)
  }

  private func initialParent(_ targetIsLevel: Bool) throws -> InitialParent {
    let text = initial.isEmpty ? (targetIsLevel ? "uniform" : "random:32") : initial
    if text == "uniform" {
      guard targetIsLevel else {
        throw SearchError.impossible(
          detail:
            "--initial uniform needs a target that is a level; \(targetBits) bits lie between levels: use random:N")
      }
      return .uniform
    }
    let parts = text.split(separator: ":")
    guard parts.count == 2, parts[0] == "random", let count = Int(parts[1]), count >= 1 else {
      throw SearchError.invalidParameter(detail: "--initial is uniform or random:N with N at least 1, not \(text)")
    }
    return .bestOfRandom(count)
  }
}
