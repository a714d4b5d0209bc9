import Catalog
import Inference
import Search

/// How to search, as options.
struct SearchOptions: ArgumentGroup {
  @Option(
    "--strategy", "S",
    "guided measures what each layer costs the model and looks where that says something is to be gained; evopress is the "
      + "paper's search [default: guided, with --worst evopress].")
  var strategy: SearchStrategy?
  @Option(
    "--sweep-tokens", "N", "Tokens on which the guided search measures each layer by itself.",
    rule: .within(2...SearchRecipe.Limits.tokens))
  var sweepTokens: Int = SearchRecipe.standardSweepTokens
  @Option(
    "--generations", "N", "Generations [default: 10; for drops k(n − k)/1.5].",
    rule: .within(0...SearchRecipe.Limits.generations))
  var generations: Int?
  @Option(
    "--offspring", "N", "Offspring per generation [default: 32; for drops 16].",
    rule: .within(1...SearchRecipe.Limits.offspring))
  var offspring: Int?
  @Option("--survivors", "LIST", "Survivors of each stage of selection; the last keeps 1.")
  var survivors: CountList = CountList(SearchRecipe.standard.survivors)
  @Option("--tokens", "LIST", "Calibration tokens of each stage [default: 512,4096, less for a small data set].")
  var tokens: CountList?
  @Option("--measure", "M", "Fitness: kl, topk-kl, topk-kl:K or perplexity.") var measure: String = "kl"
  @Option(
    "--mutation-group", "G",
    "Units that may exchange levels: of equal size, of equal name, or none (any) [default: size; name for drops; none for "
      + "joint spaces].")
  var mutationGroup: MutationGrouping?
  @Option(
    "--maximum-switches", "N", "Most level switches per offspring.", rule: .within(1...SearchRecipe.Limits.switches))
  var maximumSwitches: Int = SearchRecipe.standard.maximumSwitches
  @Option(
    "--initial", "HOW",
    "First parent: uniform, random:N (the best of N), an assignment or run, made to fit, or best, the best one within the "
      + "budget that the catalog knows [default: uniform where it exists, for drops random:64, else random:32, with guided "
      + "nearly uniform].")
  var initial: String?
  @Option(
    "--initial-tokens", "N", "Tokens on which the first parent is chosen.",
    rule: .within(2...SearchRecipe.Limits.tokens))
  var initialTokens: Int = SearchRecipe.standard.initialTokens
  @Option("--seed", "N", "Of all randomness, \(UInt64.rule): equal seeds give equal runs.") var seed: UInt64 = 0

  /// How a search for the best or the worst chooses.
  func strategyName(isInverted: Bool) -> RunStrategyName {
    (strategy ?? (isInverted ? .evopress : .guided)) == .guided ? .guided : .evolution
  }

  /// Checks what needs no catalog.
  ///
  /// - Throws: `UsageError` for what the strategy has no use for.
  func validate(isInverted: Bool) throws {
    let isGuided = strategyName(isInverted: isInverted) == .guided
    if !isGuided, $sweepTokens.wasGiven { throw UsageError("--sweep-tokens has no use for --strategy evopress") }
    if isGuided, generations == 0 {
      throw UsageError(
        "--generations must be at least 1 for --strategy guided, whose last one chooses on the whole set")
    }
  }

  /// A recipe with how to search filled in.
  ///
  /// - Parameters:
  ///   - start: with target and space.
  ///   - tokenCount: of the calibration set, which limits tokens that were not asked for.
  ///   - arithmetic: of all evaluations.
  ///   - reference: turns the name of an assignment into its digest.
  func recipe(
    _ start: SearchRecipe, tokenCount: Int, arithmetic: Arithmetic, reference: (String) throws -> AssignmentRecord
  ) throws -> SearchRecipe {
    var recipe = start
    recipe.generations = generations ?? recipe.generations
    recipe.offspring = offspring ?? recipe.offspring
    recipe.survivors = survivors.values
    recipe.tokens = tokens?.values ?? SearchRecipe.tokens(stages: survivors.values.count).map { min($0, tokenCount) }
    guard recipe.tokens.count == recipe.survivors.count else {
      throw UsageError(
        "--survivors \(survivors.argumentText) names \(recipe.survivors.count) stages, --tokens "
          + "\(CountList(recipe.tokens).argumentText) \(recipe.tokens.count): give one number per stage in both")
    }
    recipe.measure = try Measure(argument: measure, of: "--measure").label(in: arithmetic)
    if let mutationGroup { recipe.mutationGroup = mutationGroup.rawValue }
    recipe.maximumSwitches = maximumSwitches
    recipe.initial = initial ?? ""
    if let initial, ![SearchRecipe.bestKnown, "uniform"].contains(initial), !initial.hasPrefix("random:") {
      recipe.initial = "assignment:\(try reference(initial).digest.hex)"
    }
    if $initialTokens.wasGiven, initialTokens > tokenCount {
      throw SearchError.impossible(
        detail: "--initial-tokens asks for \(initialTokens) tokens, but the calibration set has \(tokenCount)")
    }
    recipe.initialTokens = min(initialTokens, tokenCount)
    recipe.sweepTokens = min(sweepTokens, tokenCount)
    recipe.seed = seed
    try recipe.validate()
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

extension MutationGrouping: ArgumentChoice {}

/// How a search chooses, by the names of users.
enum SearchStrategy: String, ArgumentChoice {
  case guided
  case evopress
}
