import Foundation

/// Draws the next token from logits.
public struct TokenSampler: Sendable {
  /// The divisor of logits; above 0.
  public let temperature: Double
  /// Only the most likely tokens that together have at least this probability are drawn from (nucleus sampling, Holtzman
  /// et al. 2020); above 0, at most 1.
  public let topP: Double

  /// - Throws: `InferenceError.impossible` for values out of range.
  public init(temperature: Double = 1, topP: Double = 1) throws {
    guard temperature > 0, temperature.isFinite else {
      throw InferenceError.impossible(detail: "the temperature must be above 0, not \(temperature)")
    }
    guard topP > 0, topP <= 1 else {
      throw InferenceError.impossible(detail: "top-p must be above 0 and at most 1, not \(topP)")
    }
    self.temperature = temperature
    self.topP = topP
  }

  /// The token that a number in [0, 1) falls on, or nil if a logit is not finite.
  ///
  /// Without top-p the tokens lie side by side in the order of their ids, with it in the order of falling probability, ties
  /// to the smaller id.
  func token(logits: Matrix, row: Int, uniform: Double) -> Int32? {
    let width = logits.columns
    var largest = -Double.infinity
    for index in 0..<width { largest = max(largest, Double(logits[row, index])) }
    guard largest.isFinite else { return nil }
    var weights = [Double](repeating: 0, count: width)
    var total = 0.0
    for index in 0..<width {
      weights[index] = exp((Double(logits[row, index]) - largest) / temperature)
      total += weights[index]
    }
    guard total.isFinite else { return nil }
    let candidates = topP < 1 ? nucleus(weights, total) : Array(weights.indices)
    let mass = topP < 1 ? candidates.reduce(0) { $0 + weights[$1] } : total
    var rest = uniform * mass
    for index in candidates {
      rest -= weights[index]
      if rest < 0 { return Int32(index) }
    }
    // Rounding may leave a little: it belongs to the last token that can be drawn at all.
    return candidates.last { weights[$0] > 0 }.map { Int32($0) }
  }

  /// The fewest tokens, most likely first, whose weights reach top-p.
  private func nucleus(_ weights: [Double], _ total: Double) -> [Int] {
    let wanted = topP * total
    // Sorting a vocabulary for every token would take longer than the model: sort what is likely, then more if need be.
    var bound = total * 1e-3
    var likely: [Int] = []
    repeat {
      likely = weights.indices.filter { weights[$0] >= bound }
      bound = bound < total * 1e-12 ? 0 : bound / 100
    } while likely.reduce(0, { $0 + weights[$1] }) < wanted && likely.count < weights.count
    likely.sort { weights[$0] != weights[$1] ? weights[$0] > weights[$1] : $0 < $1 }
    var sum = 0.0
    for (count, index) in likely.enumerated() {
      sum += weights[index]
      if sum >= wanted { return Array(likely[...count]) }
    }
    return likely
  }
}
