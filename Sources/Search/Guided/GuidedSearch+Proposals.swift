import Catalog

/// Where candidates come from.
extension GuidedSearch {
  /// Penalties for leaving the parent, in typical losses: steps from it to what the losses alone say.
  static let penalties = [4, 2, 1, 0.5, 0.25, 0.125, 0.0625, 0]
  /// Units that a draw from the model changes at most.
  private static let changeCounts = 2...20
  /// Origins of descents beside the parent.
  private static let descentCount = 4

  /// Different candidates of a generation: the parent, then its offspring.
  private struct Proposals {
    let parent: LevelVector
    private let count: Int
    private var known: Set<LevelVector>
    private(set) var candidates: [Candidate]

    init(around parent: LevelVector, count: Int) {
      self.parent = parent
      self.count = count
      known = [parent]
      candidates = [Candidate(assignment: parent, role: .parent, switchCount: 0)]
    }

    var areEnough: Bool { candidates.count > count }

    mutating func add(_ vector: LevelVector) {
      guard !areEnough, known.insert(vector).inserted else { return }
      let changes = zip(vector.levels, parent.levels).count { $0 != $1 }
      candidates.append(Candidate(assignment: vector, role: .offspring, switchCount: changes))
    }
  }

  /// The starts, and steps from the reference to what the losses alone say.
  func firstCandidates(_ losses: [[Double]]) throws -> [Candidate] {
    var vectors: [LevelVector] = []
    var proposed = try starts + path(from: starts[0], losses)
    if isSelection {
      let model = PairLossModel(losses: losses, comparisons: [], noise: 1)
      proposed += best(by: model, near: Array(proposed.suffix(1)), count: parameters.offspring)
    }
    for vector in proposed where !vectors.contains(vector) { vectors.append(vector) }
    return vectors.map { Candidate(assignment: $0, role: .start, switchCount: 0) }
  }

  /// The best assignments for losses with a penalty for every unit that leaves a parent, from the largest penalty to none.
  private func path(from parent: LevelVector, _ losses: [[Double]]) throws -> [LevelVector] {
    let typical = LossModel.typical(losses)
    return try Self.penalties.map { try allocated(losses, penalty: $0 * typical, from: parent) }
  }

  private func allocated(_ losses: [[Double]], penalty: Double, from parent: LevelVector) throws -> LevelVector {
    var penalised = losses
    if penalty > 0 {
      for unit in penalised.indices {
        for level in penalised[unit].indices where level != parent[unit] { penalised[unit][level] += penalty }
      }
    }
    let allocation = try BudgetAllocation(space: space, losses: penalised)
    guard parameters.grouping != .none else { return try allocation.solve(budget: budget).levels }
    return try allocation.solve(budget: budget, groups: mutation.groups).levels
  }

  /// The parent, and offspring by a model of losses.
  ///
  /// - Parameter isRenewed: whether the model knows what earlier candidates were not made of: then half of the offspring are its
  ///   best assignments, from short steps to the least sum.
  func proposals(
    around parent: LevelVector, _ model: LossModel, isRenewed: Bool, generation: Int
  ) throws -> [Candidate] {
    var generated = Proposals(around: parent, count: parameters.offspring)
    // A quarter by the model, an eighth at random, and the rest drawn from what the model holds possible.
    // The one most promising change by itself, because two that promise much can spoil each other.
    generated.add(try step(from: parent, model.mean, most: 1))
    let path = try path(from: parent, model.mean)
    for vector in isRenewed ? path.suffix(parameters.offspring / 2) : path.prefix(parameters.offspring / 4) {
      generated.add(vector)
    }
    addSwitches(to: &generated, generation: generation)
    var draws = RandomSource(seed: parameters.seed, generation: generation, stage: 0, purpose: .proposal)
    var tries = 0
    while !generated.areEnough, tries < 4 * parameters.offspring {
      tries += 1
      let most = Self.changeCounts.lowerBound + draws.below(Self.changeCounts.count)
      generated.add(try step(from: parent, model.sample(using: &draws), most: most))
    }
    return generated.candidates
  }

  /// The parent, an eighth at random, and the rest of the best that a model of pairs knows of.
  func selections(around parent: LevelVector, _ model: PairLossModel, generation: Int) throws -> [Candidate] {
    var generated = Proposals(around: parent, count: parameters.offspring)
    addSwitches(to: &generated, generation: generation)
    for vector in best(by: model, near: [parent] + starts, count: 2 * parameters.offspring) { generated.add(vector) }
    return generated.candidates
  }

  /// For breadth: what no model proposes.
  private func addSwitches(to proposals: inout Proposals, generation: Int) {
    var random = RandomSource(seed: parameters.seed, generation: generation, stage: 0, purpose: .mutation)
    let count = parameters.offspring / 8
    for child in mutation.offspring(of: proposals.parent, count: count, using: &random) {
      proposals.add(child.assignment)
    }
  }

  /// The assignments of least expected loss that a descent by single switches meets from some origins.
  private func best(by model: PairLossModel, near origins: [LevelVector], count: Int) -> [LevelVector] {
    var losses: [LevelVector: Double] = [:]
    func loss(_ vector: LevelVector) -> Double {
      if let known = losses[vector] { return known }
      let value = model.loss(of: vector)
      losses[vector] = value
      return value
    }
    for origin in origins.prefix(1) + origins.dropFirst().sorted(by: { loss($0) < loss($1) }).prefix(Self.descentCount)
    {
      var place = origin
      while true {
        var next = place
        mutation.rule.forEachNeighbour(of: place) { neighbour in
          if loss(neighbour) < loss(next) { next = neighbour }
          return true
        }
        guard next != place else { break }
        place = next
      }
    }
    let ranked = losses.sorted { one, other in
      guard one.value == other.value else { return one.value < other.value }
      return one.key.levels.lexicographicallyPrecedes(other.key.levels)
    }
    return ranked.prefix(count).map(\.key)
  }

  /// The best assignment for losses that changes at most so many units of a parent; the parent if there is none.
  private func step(from parent: LevelVector, _ losses: [[Double]], most: Int) throws -> LevelVector {
    // With a penalty as large as the most that one unit can gain, nothing changes.
    let gains = losses.indices.map { unit in losses[unit][parent[unit]] - (losses[unit].min() ?? 0) }
    var low = LossModel.typical(losses) / 64
    var high = max(gains.filter(\.isFinite).max() ?? 0, 2 * low)
    var best = parent
    for _ in 0..<8 {
      let penalty = (low * high).squareRoot()
      let vector = try allocated(losses, penalty: penalty, from: parent)
      if zip(vector.levels, parent.levels).count(where: { $0 != $1 }) <= most {
        if vector != parent { best = vector }
        high = penalty
      } else {
        low = penalty
      }
    }
    return best
  }
}
