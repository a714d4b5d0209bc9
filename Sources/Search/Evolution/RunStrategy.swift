import Catalog

/// A generation as strategies make it.
public typealias ProposedGeneration = Generation<LevelVector, Minibatch>

/// Where a run stands between two generations: all it needs to go on.
public struct RunState: Equatable, Sendable {
  /// The generation that comes next.
  public let nextGeneration: Int
  /// The parent of the next generation; nil before generation 0.
  public let parent: LevelVector?
  /// All closed generations, for strategies that learn from them (``RunStrategy/readsHistory``); empty for others.
  public let history: [ProposedGeneration]
  /// The parent of another search, which joins the next generation as one more candidate; nil: none does.
  public var migrant: LevelVector?

  /// The state before generation 0.
  public static let beginning = RunState(nextGeneration: 0, parent: nil, history: [])

  /// The state after closed generations; the last one's winner is the parent.
  public init(after history: [ProposedGeneration]) {
    self.init(nextGeneration: history.count, parent: history.last?.winner, history: history)
  }

  /// The state after a closed generation, for strategies that need nothing but its winner.
  public init(after generation: ProposedGeneration) {
    self.init(closedGeneration: generation.index, parent: generation.winner)
  }

  /// The state after generation `closedGeneration`, which ended with the given parent.
  public init(closedGeneration: Int, parent: LevelVector) {
    self.init(nextGeneration: closedGeneration + 1, parent: parent, history: [])
  }

  private init(nextGeneration: Int, parent: LevelVector?, history: [ProposedGeneration]) {
    self.nextGeneration = nextGeneration
    self.parent = parent
    self.history = history
  }

  /// Candidates of the next generation with the migrant behind them, if it is none of them.
  func withMigrant(_ candidates: [ProposedGeneration.Candidate]) -> [ProposedGeneration.Candidate] {
    guard let migrant, let parent, !candidates.contains(where: { $0.assignment == migrant }) else { return candidates }
    let changes = zip(migrant.levels, parent.levels).count { $0 != $1 }
    return candidates + [ProposedGeneration.Candidate(assignment: migrant, role: .offspring, switchCount: changes)]
  }

  /// The state after one more generation.
  func after(_ generation: ProposedGeneration, keepsHistory: Bool) -> RunState {
    RunState(
      nextGeneration: generation.index + 1, parent: generation.winner,
      history: keepsHistory ? history + [generation] : [])
  }
}

/// How a run chooses assignments: EvoPress's evolution, a baseline, …
///
/// Its proposals depend on nothing but itself, the state, and the fitness values that it is given.
public protocol RunStrategy {
  /// The index of the last generation.
  var lastGeneration: Int { get }
  /// Whether a result that is its own reference counts as found: a baseline's, where there is nothing else to compare.
  var recommendsItsReference: Bool { get }
  /// Whether it needs the closed generations, and not only the parent that the last one ended with.
  var readsHistory: Bool { get }

  /// The candidate of generation 0 that the result is compared with where there is no uniform assignment.
  func referenceIndex(of first: ProposedGeneration) -> Int

  /// Runs the next generation.
  ///
  /// - Parameters:
  ///   - state: the beginning, or the state after the last closed generation.
  ///   - shouldStop: asked before every stage.
  /// - Throws: ``SearchError/interrupted`` if `shouldStop` said so, and what `evaluator` throws.
  func generation(after state: RunState, evaluator: inout some StageEvaluator, shouldStop: () -> Bool) throws
    -> ProposedGeneration
}

extension RunStrategy {
  /// Most need the parent only.
  public var readsHistory: Bool { false }

  /// The first parent.
  public func referenceIndex(of first: ProposedGeneration) -> Int { first.winnerIndex }

  /// Runs all generations from a state to the end and returns the last state.
  ///
  /// - Parameters:
  ///   - migrant: the parent of another search that joins a generation, given by its index; nil: none does.
  ///   - onClosed: receives every generation when it is closed; what it throws stops the run.
  /// - Throws: as ``generation(after:evaluator:shouldStop:)``, and what `migrant` and `onClosed` throw.
  @discardableResult
  public func run(
    from state: RunState = .beginning, evaluator: inout some StageEvaluator, shouldStop: () -> Bool = { false },
    migrant: (Int) throws -> LevelVector? = { _ in nil }, onClosed: (ProposedGeneration) throws -> Void
  ) throws -> RunState {
    var state = state
    while state.nextGeneration <= lastGeneration {
      state.migrant = try migrant(state.nextGeneration)
      let generation = try generation(after: state, evaluator: &evaluator, shouldStop: shouldStop)
      try onClosed(generation)
      state = state.after(generation, keepsHistory: readsHistory)
    }
    return state
  }
}

/// Computes fitness; the only thing that strategies do not know how to do.
public protocol StageEvaluator {
  /// The fitness of candidates on a minibatch, in the order of the candidates.
  ///
  /// All candidates of a stage come in one call, so that work they have in common is done once.
  ///
  /// - Throws: whatever stops the run; the generation under way then leaves no trace.
  mutating func fitness(_ question: StageQuestion) throws -> [StageFitness]

  /// The fitness of what a sweep measures on a minibatch, in the order of the probes.
  ///
  /// - Throws: as for candidates.
  mutating func fitness(_ question: ProbeQuestion) throws -> [StageFitness]
}

extension StageEvaluator {
  /// Evaluates assignments of the space as candidates.
  ///
  /// - Throws: ``SearchError/impossible(detail:)`` for changes of the dense model, which this evaluator does not know.
  public mutating func fitness(_ question: ProbeQuestion) throws -> [StageFitness] {
    let vectors = try question.probes.map { probe in
      guard case .levels(let vector) = probe else {
        throw SearchError.impossible(detail: "changes of the dense model cannot be evaluated here")
      }
      return vector
    }
    return try fitness(
      StageQuestion(vectors, on: question.minibatch, generation: question.generation, purpose: question.purpose))
  }
}

/// A strategy's question to an evaluator: the fitness of candidates on a minibatch.
public struct StageQuestion {
  /// The assignments.
  public var candidates: [LevelVector]
  /// The sequences they are evaluated on.
  public var minibatch: Minibatch
  /// The generation under way.
  public var generation: Int
  /// The measure's text form; nil: the run's own.
  public var measure: String?
  /// The purpose in a few words; nil: selection in the generation.
  public var purpose: String?
  /// How many candidates will survive, and the place of the one that all others are compared with: hopeless ones may then be
  /// left unfinished. nil: every candidate is evaluated on the whole minibatch.
  public var race: (survivorCount: Int, reference: Int)?

  /// A question about candidates of a generation.
  public init(
    _ candidates: [LevelVector], on minibatch: Minibatch, generation: Int, measure: String? = nil,
    purpose: String? = nil
  ) {
    self.candidates = candidates
    self.minibatch = minibatch
    self.generation = generation
    self.measure = measure
    self.purpose = purpose
  }
}

/// A strategy's question to an evaluator: the fitness of probes, to find sensitivities.
public struct ProbeQuestion {
  /// The assignments.
  public var probes: [Probe]
  /// The sequences they are evaluated on.
  public var minibatch: Minibatch
  /// The generation under way.
  public var generation: Int
  /// The purpose in a few words.
  public var purpose: String

  /// A question about what a sweep measures.
  public init(_ probes: [Probe], on minibatch: Minibatch, generation: Int, purpose: String) {
    self.probes = probes
    self.minibatch = minibatch
    self.generation = generation
    self.purpose = purpose
  }
}

/// The fitness of a candidate on a minibatch.
public struct StageFitness: Equatable, Sendable {
  /// Sum and predictions; the sum is nil if it diverged.
  public var observation: Observation
  /// The measure's value, lower is better; nil where it diverged. Of a stopped candidate an estimate for the whole minibatch:
  /// as far from the reference as on the sequences that both have seen.
  public var fitness: Double?
  /// Whether the candidate was stopped early, and so cannot survive.
  public var isStopped = false

  /// A fitness with the sum that it is made of.
  public init(observation: Observation, fitness: Double?) {
    self.observation = observation
    self.fitness = fitness
  }

  /// A fitness that stands for itself, as of a synthetic landscape.
  public init(_ fitness: Double?) {
    self.init(observation: Observation(sum: fitness, predictionCount: 1), fitness: fitness)
  }
}
