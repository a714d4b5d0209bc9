/// How a candidate came into its generation.
public enum CandidateRole: String, Equatable, Sendable {
  /// One of those that the first parent is chosen from.
  case start
  /// The parent at the beginning of the generation.
  case parent
  /// Made from the parent.
  case offspring
}

/// A closed generation of a run: all there is to store, to compare, and to go on from.
///
/// The engine makes it of level vectors and minibatches of the calibration set, the catalog holds it of assignments and
/// sequence lists; `mapped` turns one into the other.
public struct Generation<Assignment, Minibatch> {
  /// An assignment as it occurs in a generation.
  public struct Candidate {
    /// The weights.
    public var assignment: Assignment
    /// How it came here.
    public var role: CandidateRole
    /// How many level switches made it from the parent; 0 for the parent and for starts.
    public var switchCount: Int

    /// A candidate that so many switches made.
    public init(assignment: Assignment, role: CandidateRole, switchCount: Int) {
      self.assignment = assignment
      self.role = role
      self.switchCount = switchCount
    }
  }

  /// The result of a candidate in a stage.
  public struct Result: Equatable, Sendable {
    /// Index into the candidates.
    public var candidateIndex: Int
    /// Sum and predictions over the minibatch, or its beginning if it was stopped early; the sum is nil if it diverged.
    public var observation: Observation
    /// The measure's value, lower is better; nil if it diverged. Comparable only inside the stage.
    public var fitness: Double?
    /// Whether the stage kept it.
    public var survived: Bool

    /// A result.
    public init(candidateIndex: Int, observation: Observation, fitness: Double?, survived: Bool) {
      self.candidateIndex = candidateIndex
      self.observation = observation
      self.fitness = fitness
      self.survived = survived
    }
  }

  /// A stage of selection.
  public struct Stage {
    /// 0-based.
    public var index: Int
    /// The sequences that all its candidates were evaluated on.
    public var minibatch: Minibatch
    /// In the order of the candidates.
    public var results: [Result]

    /// A stage with its results.
    public init(index: Int, minibatch: Minibatch, results: [Result]) {
      self.index = index
      self.minibatch = minibatch
      self.results = results
    }

    /// The indices of the candidates that were evaluated, rising.
    public var evaluated: [Int] { results.map(\.candidateIndex) }
    /// The indices of the candidates that it kept, rising.
    public var survivors: [Int] { results.filter(\.survived).map(\.candidateIndex) }
  }

  /// 0 is the choice of the first parent.
  public var index: Int
  /// The parent followed by its offspring; the starts in generation 0.
  public var candidates: [Candidate]
  /// The stages that were evaluated: none for a single start or without offspring, and none after a stage whose
  /// candidates all diverged.
  public var stages: [Stage]
  /// The parent after this generation, as an index into `candidates`.
  public var winnerIndex: Int
  /// How many offspring (starts in generation 0) were asked for beyond those that exist.
  public var missingCount: Int

  /// A generation.
  public init(index: Int, candidates: [Candidate], stages: [Stage], winnerIndex: Int, missingCount: Int) {
    self.index = index
    self.candidates = candidates
    self.stages = stages
    self.winnerIndex = winnerIndex
    self.missingCount = missingCount
  }

  /// The parent that the generation began with, as an index into `candidates`; nil in generation 0.
  public var parentIndex: Int? { candidates.firstIndex { $0.role == .parent } }
  /// The parent that the generation began with; nil in generation 0.
  public var parent: Assignment? { parentIndex.map { candidates[$0].assignment } }
  /// The parent after this generation.
  public var winner: Assignment { candidates[winnerIndex].assignment }

  /// The same generation of other assignments and minibatches.
  public func mapped<NewAssignment, NewMinibatch>(
    assignment: (Assignment) throws -> NewAssignment, minibatch: (Minibatch) throws -> NewMinibatch
  ) rethrows -> Generation<NewAssignment, NewMinibatch> {
    typealias New = Generation<NewAssignment, NewMinibatch>
    return New(
      index: index,
      candidates: try candidates.map {
        New.Candidate(assignment: try assignment($0.assignment), role: $0.role, switchCount: $0.switchCount)
      },
      stages: try stages.map { stage in
        New.Stage(
          index: stage.index, minibatch: try minibatch(stage.minibatch),
          results: stage.results.map {
            New.Result(
              candidateIndex: $0.candidateIndex, observation: $0.observation, fitness: $0.fitness, survived: $0.survived
            )
          })
      }, winnerIndex: winnerIndex, missingCount: missingCount)
  }
}

extension Generation: Equatable where Assignment: Equatable, Minibatch: Equatable {}
extension Generation: Sendable where Assignment: Sendable, Minibatch: Sendable {}
extension Generation.Candidate: Equatable where Assignment: Equatable {}
extension Generation.Candidate: Sendable where Assignment: Sendable {}
extension Generation.Stage: Equatable where Minibatch: Equatable {}
extension Generation.Stage: Sendable where Minibatch: Sendable {}

/// A generation as the catalog stores it.
public typealias StoredGeneration = Generation<AssignmentRecord, SequenceListRecord>

extension Generation where Assignment == Digest, Minibatch == Digest {
  /// Content key.
  public var digest: Digest {
    var record = CanonicalRecord(kind: "generation")
    record.set("index", index)
    record.set("winner", winnerIndex)
    record.set("missing", missingCount)
    for (index, candidate) in candidates.enumerated() {
      record.set(
        "candidate.\(index)", "\(candidate.assignment.hex)/\(candidate.role.rawValue)/\(candidate.switchCount)")
    }
    for stage in stages {
      record.set("stage.\(stage.index)", stage.minibatch)
      for result in stage.results {
        let name = "result.\(stage.index).\(result.candidateIndex)"
        record.set(name, result.observation.sum ?? .infinity)
        record.set(name + ".survived", result.survived ? 1 : 0)
      }
    }
    return record.digest
  }
}

extension Generation where Assignment == AssignmentRecord, Minibatch == SequenceListRecord {
  /// The generation by content keys.
  public var byDigest: Generation<Digest, Digest> { mapped(assignment: \.digest, minibatch: \.digest) }
  /// Content key.
  public var digest: Digest { byDigest.digest }
}
