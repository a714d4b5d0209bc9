/// How long the pieces of a batch are.
///
/// Takers come for pieces whenever they are free, and a batch ends with the last piece. So pieces get shorter towards the end: the
/// next one has half of what each taker would get of what is left (guided self-scheduling: Polychronopoulos and Kuck, 1987). As soon
/// as that is short, all takers get equally much.
package struct PieceSchedule {
  /// What no piece has yet.
  package var left: Double
  private let takers: Double
  /// What those pieces have that are all equal.
  private var equal: Double?

  /// A schedule for `left`, in any measure of work.
  package init(left: Double, takers: Double) {
    self.left = left
    self.takers = takers
  }

  /// The length of the next piece; nil if the rest is shared out evenly.
  ///
  /// - Parameter least: what a piece should have.
  package mutating func next(least: Double) -> Double? {
    guard equal == nil else { return nil }
    let share = left / (2 * takers)
    if share >= least { return share }
    equal = left / (takers * max((left / (takers * least)).rounded(), 1))
    return nil
  }

  /// In how many pieces `rest` is shared out evenly.
  ///
  /// - Parameter shortest: what a piece has at least.
  package func pieceCount(of rest: Double, shortest: Double) -> Int {
    // No more than takers, for whom the last one would wait: rounded down, but for what sums are rounded by.
    let length = max(equal ?? rest, shortest)
    return length > 0 && length < .infinity ? max(Int(min(rest / length + 1e-6, 1e6)), 1) : 1
  }
}
