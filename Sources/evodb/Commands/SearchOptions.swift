import Catalog
import Inference
import Search

/// The parameters of a search, as options.
struct SearchOptions: ArgumentGroup {
  @Option(
    "--target-bits", "B", "Average bits per compressible weight; 2.25 and the like lie between levels.", rule: .above(0)
  )
  var targetBits: Double

  @Option("--cost", "WHAT", "What the target counts: codes, or stored (with scales and zero points).")
  var cost: SearchRecipe.Cost = .codes

  @Option("--generations", "N", "Generations.", rule: .atLeast(0)) var generations: Int = SearchRecipe.standard
    .generations
  @Option("--offspring", "N", "Offspring per generation.", rule: .atLeast(1))
  var offspring: Int = SearchRecipe.standard.offspring
  @Option("--survivors", "LIST", "Survivors of each stage of selection; the last keeps 1.")
  var survivors: CountList = CountList(SearchRecipe.standard.survivors)
  @Option("--tokens", "LIST", "Calibration tokens of each stage [default: 512,4096, less for a small data set].")
  var tokens: CountList?
  @Option("--measure", "M", "Fitness: kl, topk-kl, topk-kl:K or perplexity.") var measure: String = "kl"
  @Option("--mutation-group", "G", "Layers that may exchange bits: of equal size, of equal name, or none (any).")
  var mutationGroup: MutationGrouping = .size
  @Option("--maximum-switches", "N", "Most level switches per offspring.", rule: .atLeast(1))
  var maximumSwitches: Int = SearchRecipe.standard.maximumSwitches
  @Option(
    "--initial", "HOW",
    "First parent: uniform, or random:N, the best of N [default: uniform where it exists, else random:32].")
  var initial: String?
  @Option("--initial-tokens", "N", "Tokens on which the first parent is chosen.", rule: .atLeast(2))
  var initialTokens: Int = SearchRecipe.standard.initialTokens
  @Option("--seed", "N", "Of all randomness: equal seeds give equal runs.") var seed: UInt64 = 0

  /// The recipe.
  ///
  /// - Parameter tokenCount: of the calibration set, which limits tokens that were not asked for.
  func recipe(method: String, bits: [Int], tokenCount: Int) throws -> SearchRecipe {
    var recipe = SearchRecipe(targetBits: targetBits)
    recipe.cost = cost
    recipe.method = method
    recipe.bits = bits
    recipe.generations = generations
    recipe.offspring = offspring
    recipe.survivors = survivors.values
    recipe.tokens = tokens?.values ?? SearchRecipe.tokens(stages: survivors.values.count).map { min($0, tokenCount) }
    guard recipe.tokens.count == recipe.survivors.count else {
      throw UsageError(
        "--survivors \(survivors.argumentText) names \(recipe.survivors.count) stages, --tokens "
          + "\(CountList(recipe.tokens).argumentText) \(recipe.tokens.count): give one number per stage in both")
    }
    recipe.measure = try Measure(argument: measure, of: "--measure").description
    recipe.mutationGroup = mutationGroup.rawValue
    recipe.maximumSwitches = maximumSwitches
    recipe.initial = initial ?? ""
    recipe.initialTokens = min(initialTokens, tokenCount)
    recipe.seed = seed
    return recipe
  }
}

extension Measure {
  /// From an option's value.
  ///
  /// - Throws: `UsageError`, where `init(_:)` has an error of a catalog's content.
  init(argument: String, of option: String) throws {
    do {
      self = try Measure(argument)
    } catch let error as InferenceError {
      throw UsageError("\(option): \(error)")
    }
  }
}

extension SearchRecipe.Cost: ArgumentChoice {}
extension MutationGrouping: ArgumentChoice {}
