import Catalog
import Foundation
import Search

/// What a guided search thinks, with evaluations that cost nothing: the exact allocation of a large model, and the fit and the
/// proposals of a generation behind many others.
enum ProposalTimes {
  static func section() throws -> BenchSection {
    var figures = [
      Figure(
        "solver_224x20", "budget of bytes over 224 layers of 20 levels", 1e3 * (try solverSeconds()), "ms"
      ).aiming("1000 ms")
    ]
    for (blocks, levels) in [(12, 5), (32, 6)] {
      let count = 7 * blocks
      let seconds = try generationSeconds(blocks: blocks, levels: levels)
      figures.append(
        Figure(
          "proposals_\(count)x\(levels)",
          "fit and 32 proposals, \(count) layers of \(levels) levels, after 10⁵ results",
          1e3 * seconds, "ms"
        ).aiming("2 % of a generation"))
    }
    return BenchSection(
      key: "proposals", title: "Allocation and proposals of the guided search",
      words: "Synthetic losses of 7 layers a block; one thread. A generation of the standard recipe is 28,672 tokens.",
      figures: figures)
  }

  /// The roles of a block of a model that is `width` wide, with their weights.
  private static func space(blocks: Int, levels: Int, width: Int64, unevenly: Bool) throws -> SearchSpace {
    let roles: [(name: String, weights: Int64)] = [
      ("q", width * width), ("k", width * width / 4), ("v", width * width / 4), ("o", width * width),
      ("gate", 3 * width * width), ("up", 3 * width * width), ("down", 3 * width * width),
    ]
    return try SearchSpace(
      units: (0..<blocks).flatMap { block in
        roles.map { role in
          // Stored bytes differ from layer to layer where scales and masks do.
          let costs = (0..<levels).reversed().map { level in
            Int64(level + 2) * role.weights + (unevenly ? Int64((block * 31 + level * 7) % 97) : 0)
          }
          return SearchUnit(
            name: "\(block).\(role.name)", sizeKey: "\(role.weights)", roleKey: role.name,
            weightCount: role.weights, costs: costs)
        }
      })
  }

  /// The loss of a unit at a level: a quarter for every bit more, and different for every layer.
  private static func loss(_ unit: Int, _ level: Int) -> Double {
    Double((unit * 7919 + 13) % 101 + 20) * 1e-5 * pow(3.7, Double(level)) * (1 + 0.01 * Double((unit + 5 * level) % 7))
  }

  private static func solverSeconds() throws -> Double {
    let space = try space(blocks: 32, levels: 20, width: 4096, unevenly: true)
    let losses = space.units.indices.map { unit in (0..<20).map { loss(unit, $0) } }
    let range = space.feasibleCosts
    let budget = range.lowerBound + (range.upperBound - range.lowerBound) / 3
    return try Stopwatch.best(of: 3) {
      _ = try BudgetAllocation(space: space, losses: losses).solve(budget: budget)
    }
  }

  /// Sums of losses, and a little noise that depends on the minibatch.
  private struct Landscape: StageEvaluator {
    mutating func fitness(_ question: StageQuestion) -> [StageFitness] {
      question.candidates.map { value($0.levels.enumerated().map { ($0.offset, $0.element) }, question.minibatch) }
    }

    mutating func fitness(_ question: ProbeQuestion) -> [StageFitness] {
      question.probes.map { probe in
        switch probe {
        case .levels(let vector): value(vector.levels.enumerated().map { ($0.offset, $0.element) }, question.minibatch)
        case .dense(let changes): value(changes.map { ($0.key, $0.value) }, question.minibatch)
        }
      }
    }

    private func value(_ levels: [(Int, Int)], _ minibatch: Minibatch) -> StageFitness {
      let sum = levels.reduce(0) { $0 + ProposalTimes.loss($1.0, $1.1) }
      let shift = Double((minibatch.items.first?.sequenceIndex ?? 0) % 11) * 1e-3
      let predictions = minibatch.items.reduce(0) { $0 + $1.tokenCount - 1 }
      let fitness = sum * (1 + shift)
      return StageFitness(
        observation: Observation(sum: fitness * Double(predictions), predictionCount: predictions), fitness: fitness)
    }
  }

  /// The time of one generation behind so many that 10⁵ results are known.
  private static func generationSeconds(blocks: Int, levels: Int) throws -> Double {
    let space = try space(blocks: blocks, levels: levels, width: 1024, unevenly: false)
    let range = space.feasibleCosts
    let budget = range.lowerBound + (range.upperBound - range.lowerBound) / 3
    let search = try GuidedSearch(
      space: space, budget: budget,
      parameters: GuidedParameters(
        generations: 10_000, offspring: 32, stages: try SelectionStages(survivors: [2, 1], tokens: [512, 4096])),
      starts: [LevelVector(space.units.map { _ in levels - 1 })],
      shapes: space.units.indices.map { unit in (0..<levels).map { loss(unit, $0) } },
      sequenceLengths: Array(repeating: 256, count: 64), tieKey: { $0.levels.map { UInt8($0) } })
    var landscape = Landscape()
    var history: [ProposedGeneration] = []
    for _ in 0..<4 {
      history.append(try search.generation(after: RunState(after: history), evaluator: &landscape))
    }
    // Later generations are those after the first, over and over: the fit reads them as if they were new.
    let results = history[1...].reduce(0) { $0 + $1.stages.reduce(0) { $0 + $1.results.count } }
    let repetitions = 100_000 / max(results, 1) + 1
    let long = [history[0]] + (0..<repetitions).flatMap { _ in history[1...] }
    var later = long
    later.append(try search.generation(after: RunState(after: long), evaluator: &landscape))
    return try Stopwatch.time { _ = try search.generation(after: RunState(after: later), evaluator: &landscape) }
      .seconds
  }
}
