import Foundation

/// How much the residual stream changes between two places, summed over tokens, for block scores.
///
/// Every score is larger where the change is larger, and so where a block matters more.
struct BlockChange: Equatable, Sendable {
  /// Tokens summed over.
  var tokenCount = 0
  /// Σ 1 − cos(in, out) (ShortGPT's block influence, arXiv 2403.03853, equation 1).
  var cosineDistance = 0.0
  /// Σ arccos(cos(in, out)) / π (Gromov et al., arXiv 2403.17887; over all tokens, where they take the last of each
  /// sequence).
  var angularDistance = 0.0
  /// Σ ‖out − in‖ / ‖out‖ (weight subcloning, arXiv 2312.09299).
  var normRatio = 0.0
  /// Σ ‖out − in‖.
  var l2 = 0.0
  /// Σ ‖out/‖out‖ − in/‖in‖‖.
  var normalizedL2 = 0.0

  /// Nothing summed.
  init() {}

  /// The change between two states [n, hidden] of one sequence.
  init(from input: Matrix, to output: Matrix) {
    precondition(input.rows == output.rows && input.columns == output.columns)
    tokenCount = input.rows
    for row in 0..<input.rows {
      var dot = 0.0
      var inputSquares = 0.0
      var outputSquares = 0.0
      var squares = 0.0
      for column in 0..<input.columns {
        let x = Double(input[row, column])
        let y = Double(output[row, column])
        dot += x * y
        inputSquares += x * x
        outputSquares += y * y
        squares += (y - x) * (y - x)
      }
      let norms = (inputSquares * outputSquares).squareRoot()
      // A state of zero has no direction: it is like any other.
      let cosine = norms > 0 ? min(max(dot / norms, -1), 1) : 1
      cosineDistance += 1 - cosine
      angularDistance += acos(cosine) / Double.pi
      normRatio += outputSquares > 0 ? (squares / outputSquares).squareRoot() : 0
      l2 += squares.squareRoot()
      normalizedL2 += (2 * (1 - cosine)).squareRoot()
    }
  }

  static func + (a: BlockChange, b: BlockChange) -> BlockChange {
    var sum = a
    sum.tokenCount += b.tokenCount
    sum.cosineDistance += b.cosineDistance
    sum.angularDistance += b.angularDistance
    sum.normRatio += b.normRatio
    sum.l2 += b.l2
    sum.normalizedL2 += b.normalizedL2
    return sum
  }

  /// The changes over `window` consecutive blocks of the dense model on one sequence, by the first block.
  static func windows(
    of window: Int, _ tokenIDs: [Int32], model: any LanguageModel, weight: (Int) throws -> PackedWeights
  ) throws -> [BlockChange] {
    // Only the states that a later one is compared with are held.
    var states = [model.embed(tokenIDs)]
    var result: [BlockChange] = []
    for block in 0..<model.blockCount {
      states.append(
        try model.block(block, states[states.count - 1], weight: weight, dropped: [], tap: nil))
      guard states.count > window else { continue }
      result.append(BlockChange(from: states[0], to: states[window]))
      states.removeFirst()
    }
    return result
  }
}
