import Search

/// Several searches that exchange parents, as options.
struct IslandOptions: ArgumentGroup {
  @Option(
    "--islands", "N", "Run N searches with seeds of their own that share evaluations and exchange parents.",
    rule: .within(Island.counts))
  var count: Int?
  @Option(
    "--exchange", "K",
    "With --islands: every K generations each looks at the parent of its neighbour [default: "
      + "\(Island.standardExchangeInterval), at most the number of generations].",
    rule: .within(1...SearchRecipe.Limits.generations))
  var exchange: Int?

  /// Checks what needs no catalog.
  ///
  /// - Throws: `UsageError`.
  func validate() throws {
    if count == nil, exchange != nil { throw UsageError("--exchange is for --islands") }
  }

  /// How often the islands of a recipe exchange parents.
  ///
  /// - Throws: `UsageError` if they never would.
  func exchangeInterval(of recipe: SearchRecipe) throws -> Int {
    guard let exchange else { return max(1, min(Island.standardExchangeInterval, recipe.generations)) }
    guard exchange <= recipe.generations else {
      throw UsageError(
        "--exchange must be from 1 to the number of generations, \(recipe.generations), not \(exchange): the islands would "
          + "never exchange anything")
    }
    return exchange
  }
}
