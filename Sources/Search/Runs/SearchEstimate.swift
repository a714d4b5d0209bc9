import Catalog
import Inference

/// Estimates the time, memory and disk space of a search.
public enum SearchEstimate {
  /// Bytes of an observation with its place in the indexes, and of a candidate with its assignment.
  private static let observationByteCount = 120
  private static let candidateByteCount = 1500

  /// Tokens of a strategy's evaluations beside those of its ordinary generations, at most.
  public struct Frame: Equatable, Sendable {
    /// Of the choice of the first parent.
    public var start = 0
    /// Of single changes: of the dense model, and where their losses do not add up once more around the first parent.
    public var sweep = 0
    /// Of a last generation that chooses among all parents; 0: the last one is like the others.
    public var end = 0
  }

  /// The rest of a search behind `closedGenerations`, by a short measurement; nothing is stored.
  ///
  /// It takes every offspring for new, and counts the sequences of a minibatch that its candidates have met before as far
  /// as they are expected to: those of the stages before, for the parent those of the last stage that it won.
  ///
  /// - Parameters:
  /// - Throws: `InferenceError`, `CatalogError`.
  public static func work(
    _ recipe: SearchRecipe, _ frame: Frame, closedGenerations: Int = 0, model: OpenModel, calibration: DataSetRecord,
    validation: DataSetRecord?, threadCount: Int, store: CatalogStore
  ) throws -> WorkEstimate {
    let sequences = try store.read { try $0.sequences(ofList: calibration.sequenceListID).map(\.tokenIDs) }
    guard let longest = sequences.max(by: { $0.count < $1.count }) else {
      return WorkEstimate(seconds: 0, peakMemoryByteCount: 0, forwardTokenCount: 0, diskByteCount: 0)
    }
    let generations = max(0, recipe.generations - (frame.end > 0 ? 1 : 0) - closedGenerations)
    let compared = (closedGenerations == 0 ? frame.start : 0) + frame.end
    let swept = closedGenerations == 0 ? frame.sweep : 0
    let searched = generations * freshTokensPerGeneration(recipe, setTokens: calibration.tokenCount)
    let complete = calibration.tokenCount + (validation?.tokenCount ?? 0)
    // Start and result on both sets whole, and the dense model once on every sequence.
    let speed = try EvaluationSpeed(model: model, sequence: longest, threadCount: threadCount)
    // Of the calibration set start and result have met a last stage each.
    let met = recipe.generations > 0 ? min(recipe.tokens.last ?? 0, calibration.tokenCount) : 0
    let reported = 2 * (complete - met)
    let seconds =
      Double(searched) * speed.secondsPerToken(computedShare: computedShare(switches: recipe.maximumSwitches))
      // A change spares the blocks before it: half of them on average.
      + Double(swept) * speed.secondsPerToken(computedShare: 0.5)
      + Double(reported + compared) * speed.secondsPerToken(computedShare: 1)
      + Double(complete) * speed.denseSecondsPerToken
      + Double(generations * recipe.tokens.reduce(0, +) + reported) * speed.teacherSecondsPerToken
    let candidates = generations * (recipe.offspring + recipe.survivors.reduce(0, +))
    let observations = (compared + swept + searched + reported) / max(longest.count, 1)
    return WorkEstimate(
      seconds: seconds / Double(threadCount),
      peakMemoryByteCount: model.expectedMemoryByteCount(isDense: recipe.cost == .subblocks),
      forwardTokenCount: compared + swept + searched + reported + complete,
      diskByteCount: complete * model.stateByteCountPerToken + observations * observationByteCount
        + candidates * candidateByteCount)
  }

  /// Tokens of a generation that nobody is expected to have computed.
  static func freshTokensPerGeneration(_ recipe: SearchRecipe, setTokens: Int) -> Int {
    let total = Double(max(setTokens, 1))
    var candidates = recipe.offspring
    var fresh = 1.0
    var sum = 0.0
    for (index, (tokens, kept)) in zip(recipe.tokens, recipe.survivors).enumerated() {
      let unmet = max(0, 1 - Double(tokens) / total)
      sum += Double(candidates * tokens) * fresh
      if index == recipe.tokens.count - 1 { sum += Double(tokens) * unmet }
      fresh *= unmet
      candidates = min(candidates, kept)
    }
    return Int(sum.rounded())
  }

  /// The share of its blocks that an offspring computes itself: those before its first changed layer it shares with the
  /// parent. A switch changes two layers; of k places drawn evenly the first lies behind 1 / (k + 1) on average.
  static func computedShare(switches most: Int) -> Double {
    // The number of switches is the smaller of two even draws from 1 to `most`.
    let pairs = Double(most * most)
    let shared = (1...max(most, 1)).reduce(0.0) { sum, count in
      sum + Double(2 * (most - count) + 1) / pairs / Double(2 * count + 1)
    }
    return 1 - shared
  }
}

extension WorkEstimate {
  /// The work of so many searches like this one in one process, at most: what one computes others find.
  public func times(_ count: Int) -> WorkEstimate {
    WorkEstimate(
      seconds: seconds * Double(count), peakMemoryByteCount: peakMemoryByteCount,
      forwardTokenCount: forwardTokenCount * count, diskByteCount: diskByteCount * count)
  }
}
