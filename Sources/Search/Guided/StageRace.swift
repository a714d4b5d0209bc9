import Catalog

/// Evaluates the candidates of a stage on a growing part of its minibatch, and stops those early that cannot be among the
/// survivors any more.
///
/// A candidate is compared with the last one that would survive, sequence by sequence: after 8 sequences, after 16, and so on.
/// It stops where its loss is higher by more than ``margin`` paired standard errors, or has diverged. With so wide a margin
/// only hopeless ones are cut, and the survivors are those of the whole stage.
struct StageRace {
  /// Sequences before the first look: fewer give no standard error to go by.
  static let firstLook = 8
  /// Standard errors of the paired difference.
  static let margin = 5.0

  private let candidateCount: Int
  private let items: [Minibatch.Item]
  private let survivorCount: Int
  /// Never stopped: everything else is held against it.
  let reference: Int

  /// The race that a question asks for; nil: everything has to be evaluated.
  init?(_ question: StageQuestion) {
    guard let race = question.race, question.candidates.count > race.survivorCount,
      question.minibatch.items.count > Self.firstLook
    else { return nil }
    candidateCount = question.candidates.count
    items = question.minibatch.items
    survivorCount = race.survivorCount
    reference = race.reference
  }

  /// Evaluates.
  ///
  /// - Parameter evaluate: the observations of candidates, given by their places, on some items. `[places][items]`
  /// - Returns: the observations of every candidate, fewer than there are items where it was stopped.
  func run(_ evaluate: (_ places: [Int], _ items: [Minibatch.Item]) throws -> [[Observation]]) rethrows
    -> [[Observation]]
  {
    var seen = [[Observation]](repeating: [], count: candidateCount)
    var alive = Array(0..<candidateCount)
    var start = 0
    var end = Self.firstLook
    while start < items.count {
      end = min(end, items.count)
      for (place, answers) in zip(alive, try evaluate(alive, Array(items[start..<end]))) { seen[place] += answers }
      if end < items.count { alive = survivors(alive, seen) }
      (start, end) = (end, 2 * end)
    }
    return seen
  }

  private func survivors(_ alive: [Int], _ seen: [[Observation]]) -> [Int] {
    let sums = seen.map { answers in
      answers.reduce(0.0 as Double?) { sum, answer in sum.flatMap { sum in answer.sum.map { sum + $0 } } }
    }
    let ranked = alive.filter { sums[$0] != nil }.sorted { (sums[$0] ?? 0, $0) < (sums[$1] ?? 0, $1) }
    guard ranked.count > survivorCount else { return alive.filter { sums[$0] != nil || $0 == reference } }
    let last = ranked[survivorCount - 1]
    let hopeless = Set(ranked[survivorCount...].filter { isWorse(seen[$0], than: seen[last]) })
    return alive.filter { $0 == reference || (sums[$0] != nil && !hopeless.contains($0)) }
  }

  private func isWorse(_ answers: [Observation], than others: [Observation]) -> Bool {
    let differences = zip(answers, others).map { ($0.sum ?? .infinity) - ($1.sum ?? 0) }
    let count = Double(differences.count)
    let mean = differences.reduce(0, +) / count
    let squares = differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return mean > Self.margin * (squares / (count - 1) / count).squareRoot()
  }
}
