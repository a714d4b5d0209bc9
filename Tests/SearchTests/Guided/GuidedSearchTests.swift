import Foundation
import TestSupport
import Testing

@testable import Search

/// A fitness that is known: losses of layers that interact, seen through sequences that differ.
private struct Landscape: StageEvaluator {
  let space: SearchSpace
  let scales: [Double]
  /// How far losses add up to more than their sum.
  var interaction = 0.5
  /// How far large sums grow slower than their losses.
  var saturation = 0.0
  /// How much one sequence differs from another.
  var noise = 0.2
  var tokens = 0
  /// The bases of the sweeps that were asked for.
  var sweeps: [Probe] = []

  init(_ space: SearchSpace, seed: UInt64) {
    self.space = space
    var random = RandomSource(seed: TestSeed.mixed(seed), generation: 1, stage: 1, purpose: .start)
    scales = space.units.map { _ in 0.001 * exp(random.nearlyNormal()) }
  }

  func loss(_ unit: Int, _ level: Int?) -> Double {
    level.map { scales[unit] * pow(3.7, Double($0 - 1)) * (1 + 0.1 * sin(Double(7 * unit + 3 * $0))) } ?? 0
  }

  func fitness(_ levels: [Int?]) -> Double {
    let sum = levels.indices.reduce(0) { $0 + loss($1, levels[$1]) }
    return sum * (1 + interaction * sum) / (1 + saturation * sum)
  }

  func fitness(_ vector: LevelVector) -> Double { fitness(vector.levels.map { $0 }) }

  private func seen(_ levels: [Int?], on minibatch: Minibatch) -> Double {
    var sum = 0.0
    for item in minibatch.items {
      var random = RandomSource(seed: UInt64(item.sequenceIndex), generation: 3, stage: 3, purpose: .start)
      let common = 1 + noise * random.nearlyNormal()
      let own = levels.indices.reduce(0) { $0 + 0.5 * noise * random.nearlyNormal() * loss($1, levels[$1]) }
      sum += Double(item.tokenCount) * (fitness(levels) * common + own)
    }
    return sum / Double(minibatch.tokenCount)
  }

  mutating func fitness(_ question: StageQuestion) throws -> [StageFitness] {
    tokens += question.candidates.count * question.minibatch.tokenCount
    return question.candidates.map { StageFitness(seen($0.levels.map { $0 }, on: question.minibatch)) }
  }

  mutating func fitness(_ question: ProbeQuestion) throws -> [StageFitness] {
    tokens += question.probes.count * question.minibatch.tokenCount
    sweeps += question.probes.prefix(1)
    return question.probes.map { probe in
      switch probe {
      case .levels(let vector): return StageFitness(seen(vector.levels.map { $0 }, on: question.minibatch))
      case .dense(let changes):
        return StageFitness(seen(space.units.indices.map { changes[$0] }, on: question.minibatch))
      }
    }
  }
}

@Suite(.usualTimeLimit) struct GuidedSearchTests {
  private let lengths = Array(repeating: 64, count: 96)

  private func search(
    _ space: SearchSpace, bits: Double = 3, generations: Int = 5, seed: UInt64 = 0, start: LevelVector? = nil
  ) throws -> GuidedSearch {
    let budget = try space.budget(targetBits: bits)
    return try GuidedSearch(
      space: space, budget: budget,
      parameters: GuidedParameters(
        generations: generations, offspring: 16, stages: try SelectionStages(survivors: [3, 1], tokens: [128, 1024]),
        sweepTokens: 128, seed: seed),
      starts: [try start ?? space.nearlyUniform(budget: budget, seed: seed)],
      shapes: space.units.map { unit in unit.costs.indices.map { 0.001 * pow(3.7, Double($0 - 1)) } },
      sequenceLengths: lengths,
      tieKey: { $0.levels.map { UInt8($0) } })
  }

  @Test(arguments: 0..<3 as Range<UInt64>)
  func findsMoreThanThePapersSearchWithFewerTokens(seed: UInt64) throws {
    let space = try Spaces.quantization(blocks: 6)
    var landscape = Landscape(space, seed: seed)
    let guided = try search(space, seed: seed)
    let uniform = try space.uniformStart(budget: guided.budget)
    let found = try guided.run(evaluator: &landscape) { try space.validate($0.winner, budget: guided.budget) }
    let guidedTokens = landscape.tokens
    landscape.tokens = 0
    let paper = try Evolution(
      space: space, budget: guided.budget,
      parameters: EvolutionParameters(
        generations: 12, offspring: 16, stages: guided.parameters.stages, initialParent: .given(uniform), seed: seed),
      sequenceLengths: lengths, tieKey: { $0.levels.map { UInt8($0) } })
    let evolved = try paper.run(evaluator: &landscape) { _ in }
    #expect(landscape.tokens >= guidedTokens)
    let parent = try #require(found.parent)
    #expect(landscape.fitness(parent) < 0.9 * landscape.fitness(uniform))
    #expect(landscape.fitness(parent) < landscape.fitness(try #require(evolved.parent)))
  }

  /// Where losses multiply, the sum of single ones misleads, and only evaluated steps help.
  @Test(arguments: 0..<3 as Range<UInt64>)
  func isNeverWorseThanItsStartOnTheWholeSet(seed: UInt64) throws {
    let space = try Spaces.quantization(blocks: 4)
    var landscape = Landscape(space, seed: seed)
    landscape.interaction = 20
    landscape.noise = 1
    let guided = try search(space, generations: 3, seed: seed)
    let start = try space.nearlyUniform(budget: guided.budget, seed: seed)
    let found = try #require(try guided.run(evaluator: &landscape) { _ in }.parent)
    let whole = Minibatch(items: lengths.enumerated().map { Minibatch.Item(sequenceIndex: $0, tokenCount: $1) })
    let values = try landscape.fitness(StageQuestion([start, found], on: whole, generation: 0)).map(\.fitness)
    #expect(try #require(values[1]) <= #require(values[0]))
  }

  /// Losses are measured again, around the first parent, where the first sum promised twice what it gave, and only there.
  @Test func measuresAgainWhereTheSumPromisedTooMuch() throws {
    let space = try Spaces.quantization(blocks: 4)
    for (saturation, isMeasuredAgain) in [(0.0, false), (0.7, true)] {
      var landscape = Landscape(space, seed: 2)
      landscape.interaction = 0
      landscape.saturation = saturation
      landscape.noise = 0.05
      try search(space, bits: 2.5, generations: 2).run(evaluator: &landscape) { _ in }
      #expect(landscape.sweeps.contains { $0 != .dense(changing: [:]) } == isMeasuredAgain)
    }
  }

  @Test func goesOnFromEveryGenerationAsIfItHadNeverStopped() throws {
    let space = try Spaces.quantization(blocks: 2)
    var landscape = Landscape(space, seed: 4)
    var generations: [ProposedGeneration] = []
    try search(space).run(evaluator: &landscape) { generations.append($0) }
    #expect(generations.count == 6)
    for stop in generations.indices {
      // What the catalog gives back of a minibatch is its length.
      let stored = generations[..<stop].map { generation in
        generation.mapped(
          assignment: { $0 },
          minibatch: { Minibatch(items: $0.items.map { .init(sequenceIndex: 0, tokenCount: $0.tokenCount) }) })
      }
      var rest: [ProposedGeneration] = []
      let state = stored.isEmpty ? RunState.beginning : RunState(after: Array(stored))
      try search(space).run(from: state, evaluator: &landscape) { rest.append($0) }
      #expect(rest == Array(generations[stop...]), "from generation \(stop)")
    }
  }

  @Test func fractionalTargetsAndBranchesBeginWhereTheyAreTold() throws {
    let space = try Spaces.kQuants(blocks: 4)
    var landscape = Landscape(space, seed: 5)
    let guided = try search(space, bits: 3.4)
    let found = try #require(try guided.run(evaluator: &landscape) { _ in }.parent)
    let branch = try search(space, bits: 3.4, seed: 1, start: found)
    var first: ProposedGeneration?
    let end = try #require(
      try branch.run(evaluator: &landscape) { generation in first = first ?? generation }.parent)
    #expect(first?.candidates[0].assignment == found)
    try space.validate(end, budget: branch.budget)
  }

  @Test func removedSubblocksStayEquallyMany() throws {
    let space = try Spaces.depth(blocks: 8)
    var landscape = Landscape(space, seed: 6)
    let budget = Int64(16 - 2 * 3)
    let mutation = try LevelSwitchMutation(space: space, budget: budget, grouping: .name, maximumSwitches: 3)
    let starts = try Starts(.bestOfRandom(4), space: space, budget: budget, mutation: mutation, seed: 0).vectors
    let guided = try GuidedSearch(
      space: space, budget: budget,
      parameters: GuidedParameters(
        generations: 3, offspring: 8, stages: try SelectionStages(survivors: [1], tokens: [512]), sweepTokens: 128,
        grouping: .name),
      starts: starts, shapes: space.units.map { _ in [nil, nil] }, sequenceLengths: lengths,
      tieKey: { $0.levels.map { UInt8($0) } })
    #expect(guided.frame.sweep == (1 + 2 * 16) * 128)
    try guided.run(evaluator: &landscape) { generation in
      for candidate in generation.candidates {
        for parity in 0...1 {
          let removed = candidate.assignment.levels.indices.count { $0 % 2 == parity && candidate.assignment[$0] == 1 }
          #expect(removed == 3, "generation \(generation.index)")
        }
      }
    }
  }

  @Test func whatCannotBeIsRefused() throws {
    let space = try Spaces.quantization(blocks: 1)
    expectError(like: SearchError.invalidParameter(detail: "a guided search needs at least 1 generation")) {
      try search(space, generations: 0)
    }
    expectError(like: SearchError.impossible(detail: "a target of 9.0 bits per weight is outside of")) {
      try search(space, bits: 9)
    }
  }
}

@Suite(.usualTimeLimit) struct SensitivitySweepTests {
  @Test func fromTheDenseModelOneStrongLevelSpeaksForAll() throws {
    let space = try Spaces.quantization(blocks: 1)
    let shapes: [[Double?]] = space.units.map { _ in [0.1, 0.2, 0.4, 0.8, 1.6] }
    let sweep = SensitivitySweep(of: space, around: nil, shapes: shapes)
    #expect(sweep.probes == [.dense(changing: [:])] + space.units.indices.map { .dense(changing: [$0: 4]) })
    // The base's own fitness counts as nothing.
    let losses = sweep.losses([0.5] + space.units.indices.map { 0.5 + Double($0) })
    for unit in space.units.indices {
      for (loss, share) in zip(losses[unit], [0.0625, 0.125, 0.25, 0.5, 1]) {
        #expect(abs(loss - Double(unit) * share) < 1e-12)
      }
    }
  }

  /// A second level is measured of the dearest units, and of all where it is not what the layer error says.
  @Test(arguments: [1.0, 1.15, 0.85, 1.3, 0.7]) func whetherLossesFollowErrorsIsMeasured(_ factor: Double) throws {
    let space = try Spaces.quantization(blocks: 12)
    let shapes: [[Double?]] = space.units.map { _ in [0.1, 0.2, 0.4, 0.8, 1.6] }
    var asked: [[Probe]] = []
    var known: [Probe: Double?] = [:]
    let (sweep, losses) = SensitivitySweep(of: space, around: nil, shapes: shapes).measured(knowing: &known) { probes in
      asked.append(probes)
      return probes.map { probe -> Double? in
        guard case .dense(let changes) = probe, let change = changes.first else { return 1 }
        let strongest = Double(1 + change.key)
        return 1 + (change.value == 4 ? strongest : factor * strongest / 2)
      }
    }
    let units = space.units.indices
    let strongest = units.map { Probe.dense(changing: [$0: 4]) }
    #expect(asked[0].dropFirst().elementsEqual(strongest))
    // Nothing but the base is asked for twice.
    #expect(asked[1] == [sweep.probes[0]] + units.suffix(8).map { Probe.dense(changing: [$0: 3]) })
    let follows = abs(factor - 1) < 0.2
    #expect(asked.count == (follows ? 2 : 3))
    #expect(asked.joined().count == sweep.probes.count + asked.count - 1 && Set(asked.joined()) == Set(sweep.probes))
    #expect(sweep.probes.count == 1 + units.count + (follows ? 8 : units.count))
    for unit in units {
      let isMeasured = !follows || unit >= units.count - 8
      #expect(abs(losses[unit][3] - (isMeasured ? factor : 1) * Double(1 + unit) / 2) < 1e-9)
    }
    #expect(SensitivitySweep(of: space, around: nil, shapes: shapes).probeCountAtMost == 1 + 2 * units.count)
  }

  /// Where losses do not follow errors, the levels between two measured ones follow the power of the error that goes through
  /// both, here its root, and proportion below the weaker one.
  @Test func betweenTwoMeasuredLevelsLossesAreAPowerOfTheError() throws {
    let space = try Spaces.sparsities(blocks: 1)
    let errors = (0...16).map { pow(2, Double($0 - 16)) }
    func losses(_ weaker: Double, _ strongest: Double) throws -> [[Double]] {
      var known: [Probe: Double?] = [:]
      let all = SensitivitySweep(of: space, around: nil, shapes: space.units.map { _ in errors })
      let (sweep, losses) = all.measured(knowing: &known) {
        $0.map { probe -> Double? in
          guard case .dense(let changes) = probe, let change = changes.first else { return 1 }
          return change.value == 16 ? strongest : weaker
        }
      }
      let changes = (0..<3).flatMap { unit in [12, 16].map { Probe.dense(changing: [unit: $0]) } }
      #expect(sweep.probes == [.dense(changing: [:])] + changes)
      return losses
    }
    let expected = [(16, 0.8), (14, 0.4), (13, 0.2 * 2.0.squareRoot()), (12, 0.2), (11, 0.1), (8, 0.2 / 16)]
    for (level, expected) in expected {
      #expect(abs(try losses(1.2, 1.8)[1][level] - expected) < 1e-12, "level \(level)")
    }
    // A loss below 0 is noise: the stronger level stands for it.
    let noisy = try losses(0.9, 1.8)
    #expect(abs(noisy[0][12] - 0.05) < 1e-12 && abs(noisy[0][13] - 0.1) < 1e-12)
  }

  @Test func levelsWithoutErrorsSpeakForThemselves() throws {
    let space = try Spaces.quantization(blocks: 1)
    var shapes: [[Double?]] = space.units.map { _ in [0.1, 0.2, 0.4, 0.8, 1.6] }
    shapes[2] = [nil, nil, nil, nil, nil]
    let sweep = SensitivitySweep(of: space, around: nil, shapes: shapes)
    #expect(sweep.probes.count == 1 + 6 + 5)
    // Noise below 0 is no gain; what diverges is never chosen.
    let values: [Double?] = [0, 1, 1, -0.1, 0.2, 0.3, 0.4, nil, 1, 1, 1, 1]
    #expect(sweep.losses(values)[2] == [0, 0.2, 0.3, 0.4, .infinity])
  }

  @Test func aroundAnAssignmentNeighboursAreMeasuredAndTheRestFollows() throws {
    let space = try Spaces.quantization(blocks: 1)
    let shapes: [[Double?]] = space.units.map { _ in [0.1, 0.2, 0.4, 0.8, 1.6] }
    var base = LevelVector(space.units.map { _ in 2 })
    base[0] = 0
    let sweep = SensitivitySweep(of: space, around: base, shapes: shapes)
    #expect(sweep.probes.count == 1 + 1 + 2 * 6)
    let losses = sweep.losses([1.0, 1.1] + (0..<6).flatMap { _ in [0.8, 1.4] })
    #expect(losses[0][0] == 0 && abs(losses[0][1] - 0.1) < 1e-12 && abs(losses[0][4] - 1.5) < 1e-12)
    // Less compression gains in proportion to the error it takes away, more of it costs in proportion to what it adds.
    for (loss, expected) in zip(losses[3], [-0.3, -0.2, 0, 0.4, 1.2]) { #expect(abs(loss - expected) < 1e-12) }
  }

  /// Losses from the dense model are corrected by one strong change in its direction, and kept in the other one.
  @Test func aroundAnAssignmentKnownLossesAreCorrected() throws {
    let space = try Spaces.sparsities(blocks: 1)
    let expected = space.units.map { unit in unit.costs.indices.map { Double($0 * $0) } }
    let base = LevelVector([4, 15, 16])
    let sweep = SensitivitySweep(
      of: space, around: base, shapes: space.units.map { _ in Array(repeating: nil, count: 17) }, correcting: expected)
    #expect(sweep.probes.count == 4)
    #expect(sweep.probes.dropFirst().map { $0.change(of: sweep.probes[0])?.level } == [15, 11, 12])
    // Removing nearly all of the first unit gains something here.
    let losses = sweep.losses([10, 10 - 20.9, 10 - 52, 10 - 56])
    #expect(abs(losses[0][15] + 20.9) < 1e-9 && losses[0][4] == 0 && losses[0][2] == -12)
    #expect(abs(losses[0][16] + 24) < 1e-9 && abs(losses[1][0] + 112.5) < 1e-9 && losses[1][16] == 31)
    #expect(abs(losses[2][0] + 128) < 1e-9)
  }
}

@Suite(.usualTimeLimit) struct LossModelTests {
  private let space: SearchSpace
  private let prior: [[Double]]
  /// The loss of unit 1 at level 3 over level 2: expected is a rise of 0.4; measured, again and again, is 0.1.
  private let model: LossModel

  init() throws {
    space = try Spaces.quantization(blocks: 1)
    prior = space.units.map { _ in [0.1, 0.2, 0.4, 0.8, 1.6] }
    let one = LevelVector(space.units.map { _ in 2 })
    var other = one
    other[1] = 3
    var evidence = LossEvidence(prior: prior)
    for _ in 0..<50 { evidence.add(LossComparison(from: one, to: other, difference: 0.1, tokenCount: 1000)) }
    model = LossModel(evidence, noise: 0.01)
  }

  @Test func comparisonsShiftTheLossesTheyAreAbout() {
    #expect(abs(model.mean[1][3] - model.mean[1][2] - 0.1) < 0.001)
    #expect(model.mean[1][3] < prior[1][3] && model.mean[1][2] > prior[1][2])
    #expect(model.mean[0] == prior[0] && model.mean[1][0] == prior[1][0])
    let untouched = LossModel(LossEvidence(prior: prior), noise: 1)
    #expect(untouched.mean == prior)
  }

  /// Comparisons that contradict each other count by their tokens, and leave the model finite.
  @Test func contradictionsMeetInTheMiddle() {
    var one = LevelVector(prior.map { _ in 2 })
    let other = one
    one[1] = 3
    var evidence = LossEvidence(prior: prior)
    for difference in [0.1, 0.3, -0.2, 0.6] {
      evidence.add(LossComparison(from: other, to: one, difference: difference, tokenCount: 100_000))
    }
    let model = LossModel(evidence, noise: evidence.noise)
    #expect(abs(model.mean[1][3] - model.mean[1][2] - 0.2) < 0.1)
    #expect(model.mean.allSatisfy { $0.allSatisfy(\.isFinite) })
  }

  /// Draws have the posterior's mean and spread: wide where nothing was measured, narrow where much was.
  @Test func drawsSpreadWhereNothingIsKnown() {
    var random = RandomSource(seed: TestSeed.mixed(1), generation: 0, stage: 0, purpose: .proposal)
    let draws = (0..<2000).map { _ in model.sample(using: &random) }
    func moments(_ value: ([[Double]]) -> Double) -> (mean: Double, deviation: Double) {
      let values = draws.map(value)
      let mean = values.reduce(0, +) / Double(values.count)
      return (mean, (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot())
    }
    let measured = moments { $0[1][3] - $0[1][2] }
    #expect(abs(measured.mean - 0.1) < 0.01 && measured.deviation < 0.01)
    let unmeasured = moments { $0[0][3] }
    #expect(abs(unmeasured.mean - 0.8) < 0.05 && abs(unmeasured.deviation - 0.4) < 0.05)
    // Both sides of a comparison move together: each alone stays uncertain.
    let side = moments { $0[1][3] }
    #expect(side.deviation > 0.1)
  }
}
