/// An assignment as it occurs in a generation.
public struct Candidate: Equatable, Sendable {
  /// The level of every unit.
  public let levels: LevelVector
  /// How many level switches made it from the parent; 0 for the parent and for starts.
  public let switchCount: Int

  /// A candidate that so many switches made.
  public init(levels: LevelVector, switchCount: Int) {
    self.levels = levels
    self.switchCount = switchCount
  }
}

/// What happened in one stage of a generation.
public struct StageRecord: Equatable, Sendable {
  /// The stage's index in the recipe's stages.
  public let index: Int
  /// What all its candidates were evaluated on.
  public let minibatch: Minibatch
  /// The candidates evaluated, as indices into the generation's candidates, rising.
  public let evaluated: [Int]
  /// Their fitness in the same order, lower is better; nil where it diverged. Comparable only inside the stage.
  public let fitness: [Double?]
  /// The candidates kept, best first.
  public let survivors: [Int]
}

/// What happened in one closed generation: all there is to store, and all that is needed to go on from it.
public struct GenerationRecord: Equatable, Sendable {
  /// The generation's index; 0 is the choice of the first parent.
  public let index: Int
  /// The parent that the generation began with, as an index into `candidates`: 0, or nil in generation 0.
  public let parentIndex: Int?
  /// The parent followed by its offspring; the starts in generation 0.
  public let candidates: [Candidate]
  /// The stages that were evaluated: none for a single start or without offspring, and none after a stage whose
  /// candidates all diverged.
  public let stages: [StageRecord]
  /// The next generation's parent, as an index into `candidates`.
  public let winnerIndex: Int
  /// How many offspring (starts in generation 0) were asked for beyond those that exist.
  public let missingCount: Int

  /// The parent that the generation began with; nil in generation 0.
  public var parent: LevelVector? { parentIndex.map { candidates[$0].levels } }
  /// The next generation's parent.
  public var newParent: LevelVector { candidates[winnerIndex].levels }
  /// Whether an offspring took the parent's place (always true in generation 0).
  public var parentChanged: Bool { winnerIndex != parentIndex }
}

/// Where an evolution stands between two generations: all it needs to go on.
public struct EvolutionState: Equatable, Sendable {
  /// The generation that comes next.
  public let nextGeneration: Int
  /// The parent of the next generation; nil before generation 0.
  public let parent: LevelVector?

  /// The state before generation 0.
  public static let beginning = EvolutionState(nextGeneration: 0, parent: nil)

  /// The state after a closed generation.
  public init(after record: GenerationRecord) {
    self.init(nextGeneration: record.index + 1, parent: record.newParent)
  }

  /// The state after generation `closedGeneration`, which ended with the given parent.
  public init(closedGeneration: Int, parent: LevelVector) {
    self.init(nextGeneration: closedGeneration + 1, parent: parent)
  }

  private init(nextGeneration: Int, parent: LevelVector?) {
    self.nextGeneration = nextGeneration
    self.parent = parent
  }
}
