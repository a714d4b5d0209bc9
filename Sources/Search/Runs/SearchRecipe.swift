import Catalog
import Foundation
import Inference

/// All parameters of a search.
public struct SearchRecipe: Equatable, Sendable {
  /// The unit of costs and of the budget.
  public enum Cost: String, Codable, Sendable, CaseIterable {
    /// The bits of the codes, as EvoPress counts.
    case codes
    /// All bytes of the packed variant, with scales, zero points and masks.
    case stored
    /// Weights that are not zero.
    case weights
    /// Attentions and MLPs that are kept.
    case subblocks
  }

  /// A size to reach.
  public enum Target: Equatable, Sendable {
    /// Average bits per compressible weight, of codes or stored.
    case bits(Double)
    /// Stored bytes of all compressible layers, or of a whole file.
    case bytes(Int64)
    /// Share of weights that are zero.
    case sparsity(Double)
    /// Share of blocks: of so many, rounded down, the attention is removed, and of as many the MLP.
    case drop(Double)
    /// So many attentions and as many MLPs are removed.
    case dropCount(Int)
  }

  /// The size to reach.
  public var target: Target
  /// The unit of costs and of the budget.
  public var cost: Cost
  /// Methods by name; of several with a name, the one with most variants. Empty where nothing but drops is chosen.
  public var methods: [String]
  /// Bit-widths to choose from; empty: all that are built.
  public var bits: [Int]
  /// Semi-structured patterns to choose from, such as `2:4`; empty: none for a sparsity, all that are built otherwise.
  public var patterns: [String] = []
  /// Storage types to choose from, such as `Q4_K`. With bit-widths alone there are none, with types alone no bit-widths; if
  /// both are empty, all that are built.
  public var types: [String] = []
  /// Which layers take levels, by a regular expression found in their names; all others stay dense. Empty: all.
  public var layers = ""
  /// Whether layers may stay dense.
  public var allowsDense = false
  /// Whether subblocks may be dropped beside levels of layers.
  public var allowsDrop = false
  /// The subblocks that may be dropped, sorted; empty: all.
  public var allowed: [String] = []
  /// Layers that take their level together.
  public var ties: [UnitTie] = []
  /// The runtime that shall run the result, by whose rules levels are chosen; nil: any.
  public var runtime: ServingRuntime?
  /// The file whose bytes the target counts; nil: it counts layers.
  public var file: FileBudget?
  /// Whether the worst assignment is searched.
  public var isInverted = false
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
  /// `size`, `name`, `none`; empty: what suits the space, filled in when a run begins.
  public var mutationGroup: String
  /// Most level switches per offspring.
  public var maximumSwitches: Int
  /// `uniform`, `random:N` or `assignment:DIGEST`; empty: uniform where the target is a level, else `random:32`
  /// (`random:64` for drops, as in the paper). `best` is replaced by an assignment when the run begins.
  public var initial: String
  /// Tokens to choose the first parent on.
  public var initialTokens: Int
  /// Tokens that every change of a sensitivity sweep is evaluated on; the guided search only.
  public var sweepTokens = standardSweepTokens
  /// Of all randomness.
  public var seed: UInt64
  /// The place in a ring of searches that exchange parents; nil: a search by itself.
  public var island: Island?

  /// A recipe with evodb's defaults, which suit a small calibration set on a laptop.
  public init(target: Target, cost: Cost) {
    self.target = target
    self.cost = cost
    methods = cost == .subblocks ? [] : [cost == .weights ? SparseGPTMethod.name : GPTQMethod.name]
    bits = []
    generations = 10
    offspring = cost == .subblocks ? 16 : 32
    survivors = [2, 1]
    tokens = [512, 4096]
    measure = "kl"
    mutationGroup = ""
    maximumSwitches = 3
    initial = ""
    initialTokens = 2048
    seed = 0
  }

  /// A recipe for average bits of codes.
  public init(targetBits: Double) {
    self.init(target: .bits(targetBits), cost: .codes)
    mutationGroup = MutationGrouping.size.rawValue
  }

  /// Tokens of a sweep: single changes of the dense model stand out clearly on few.
  public static let standardSweepTokens = 512

  /// As `initial`: the best assignment within the budget that the catalog knows on the whole calibration set.
  public static let bestKnown = "best"

  /// The defaults, whatever the target.
  public static let standard = SearchRecipe(targetBits: 3)

  /// Generations for drops if none are given, k(n − k)/1.5 for k of n units of a kind (EvoPress, appendix).
  public static func dropGenerations(removed: Int, of count: Int) -> Int {
    max(1, Int((Double(removed * (count - removed)) / 1.5).rounded(.up)))
  }

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

  /// The largest numbers of a recipe. With them no count of tokens leaves an integer.
  public enum Limits {
    /// Of `generations`.
    public static let generations = 10_000
    /// Of `offspring`, which are the candidates of a random baseline.
    public static let offspring = 1_000_000
    /// Of `maximumSwitches`.
    public static let switches = 1_000
    /// Of stages.
    public static let stages = 8
    /// Of tokens of a stage.
    public static let tokens = 100_000_000
    /// Of random starts.
    public static let starts = offspring
    /// Of `seed`: SQL and JSON know no larger integers.
    public static let seed = UInt64(Int64.max)
  }

  /// Checks the numbers, which may come from anywhere.
  ///
  /// - Throws: `SearchError.invalidParameter` naming the parameter, the rule and the value.
  public func validate() throws {
    func require(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
      guard range.contains(value) else {
        throw SearchError.invalidParameter(
          detail: "\(name) must be from \(range.lowerBound) to \(range.upperBound), not \(value)")
      }
    }
    guard seed <= Limits.seed else {
      throw SearchError.invalidParameter(detail: "seed must be an integer from 0 to \(Limits.seed), not ‘\(seed)’")
    }
    try require("generations", generations, 0...Limits.generations)
    try require("offspring", offspring, 1...Limits.offspring)
    try require("maximum switches", maximumSwitches, 1...Limits.switches)
    try require("the number of stages", tokens.count, 0...Limits.stages)
    try require("initial tokens", initialTokens, 0...Limits.tokens)
    try require("sweep tokens", sweepTokens, 2...Limits.tokens)
    for value in tokens { try require("tokens of a stage", value, 1...Limits.tokens) }
    for value in survivors { try require("survivors of a stage", value, 1...Limits.offspring) }
    try validateIsland()
  }

  /// The engine's parameters.
  ///
  /// - Parameters:
  ///   - uniform: the assignment with every unit at exactly the target; nil if there is none.
  ///   - given: the assignment that `initial` names, made to fit.
  ///   - fallback: how to start where `initial` says nothing and there is no uniform assignment; nil: from the best of random
  ///     ones.
  func evolutionParameters(uniform: LevelVector?, given: LevelVector?, fallback: InitialParent? = nil) throws
    -> EvolutionParameters
  {
    guard let grouping = MutationGrouping(rawValue: mutationGroup) else {
      throw SearchError.invalidParameter(
        detail: "mutation group is size, name or none, not \(mutationGroup)")
    }
    return EvolutionParameters(
      generations: generations, offspring: offspring, stages: try SelectionStages(survivors: survivors, tokens: tokens),
      maximumSwitches: maximumSwitches, grouping: grouping, initialParent: try initialParent(uniform, given, fallback),
      initialTokens: initialTokens, seed: seed, isInverted: isInverted)
  }

  private func initialParent(_ uniform: LevelVector?, _ given: LevelVector?, _ fallback: InitialParent?) throws
    -> InitialParent
  {
    if let given { return .given(given) }
    if let fallback, initial.isEmpty, uniform == nil { return fallback }
    let random = cost == .subblocks ? "random:64" : "random:32"
    let text = initial.isEmpty ? (uniform == nil ? random : "uniform") : initial
    if text == "uniform" {
      guard let uniform else {
        throw SearchError.impossible(
          detail: "the initial assignment can be uniform only if the target is a level of every layer; this one lies "
            + "between levels: use random:N")
      }
      return .given(uniform)
    }
    let parts = text.split(separator: ":")
    guard parts.count == 2, parts[0] == "random", let count = Int(parts[1]),
      (1...Limits.starts).contains(count)
    else {
      throw SearchError.invalidParameter(
        detail: "the initial assignment is uniform, random:N with N from 1 to \(Limits.starts), or an assignment that "
          + "the catalog holds, not \(text)")
    }
    return .bestOfRandom(count)
  }

  /// The digest of the assignment to begin with; nil: another start.
  var initialAssignment: String? {
    initial.hasPrefix("assignment:") ? String(initial.dropFirst("assignment:".count)) : nil
  }
}

extension SearchRecipe {
  /// The average bits that are asked for; nil: another target.
  public var targetBits: Double? {
    if case .bits(let bits) = target { return bits }
    return nil
  }
}
