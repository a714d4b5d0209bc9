/// The place of a search in a ring of searches that differ in their seeds and exchange parents.
///
/// In every generation whose index is a multiple of the interval, the parent that the search before it in the ring ended the
/// generation before with joins as one more candidate. So a generation depends on closed generations alone, whoever
/// computes what and when.
public struct Island: Equatable, Sendable {
  /// Which one, from 1 to `count`.
  public var number: Int
  /// How many there are.
  public var count: Int
  /// From how many generations one takes the parent of its neighbour.
  public var exchangeInterval: Int

  /// A place in a ring.
  public init(number: Int, count: Int, exchangeInterval: Int) {
    self.number = number
    self.count = count
    self.exchangeInterval = exchangeInterval
  }

  /// How many searches a ring may have.
  public static let counts = 2...256
  /// The interval if none is given.
  public static let standardExchangeInterval = 3

  /// The number of the island whose parents it takes: the one before it, for the first the last.
  public var neighbour: Int { number == 1 ? count : number - 1 }

  /// Whether a generation takes the neighbour's parent.
  func exchanges(inGeneration index: Int) -> Bool { index > 0 && index % exchangeInterval == 0 }
}

extension SearchRecipe {
  /// The recipes of a ring of searches, with the seeds `seed`, `seed` + 1, …
  ///
  /// - Throws: `SearchError.invalidParameter` naming the parameter, the rule and the value.
  public func islands(_ count: Int, exchangeInterval: Int) throws -> [SearchRecipe] {
    guard Island.counts.contains(count) else {
      throw SearchError.invalidParameter(
        detail: "islands must be from \(Island.counts.lowerBound) to \(Island.counts.upperBound), not \(count)")
    }
    var first = self
    first.island = Island(number: 1, count: count, exchangeInterval: exchangeInterval)
    try first.validate()
    return (1...count).compactMap { first.ofIsland($0) }
  }

  /// The recipe of another island of the same ring; nil: this is the recipe of a search by itself.
  func ofIsland(_ number: Int) -> SearchRecipe? {
    guard let island else { return nil }
    var other = self
    other.island?.number = number
    other.seed = seed - UInt64(island.number - 1) + UInt64(number - 1)
    return other
  }

  /// Checks the place in a ring.
  ///
  /// - Throws: `SearchError.invalidParameter`.
  func validateIsland() throws {
    guard let island else { return }
    func require(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
      guard range.contains(value) else {
        throw SearchError.invalidParameter(
          detail: "\(name) must be from \(range.lowerBound) to \(range.upperBound), not \(value)")
      }
    }
    try require("islands", island.count, Island.counts)
    try require("island", island.number, 1...island.count)
    guard generations >= 1 else {
      throw SearchError.invalidParameter(detail: "islands need at least 1 generation, not \(generations)")
    }
    try require("the interval of exchanges", island.exchangeInterval, 1...generations)
    let before = UInt64(island.number - 1)
    guard seed >= before, seed - before <= Limits.seed - UInt64(island.count - 1) else {
      throw SearchError.invalidParameter(
        detail:
          "the seeds of \(island.count) islands must be from 0 to \(Limits.seed), and island \(island.number) has \(seed)"
      )
    }
  }
}
