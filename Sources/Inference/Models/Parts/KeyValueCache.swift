/// The keys and values of what came before, for going through several sequences token by token and side by side.
///
/// With a cache, row i of every stream is the next position of sequence i. All sequences are equally long. One thread uses a
/// cache at a time.
public final class KeyValueCache {
  private struct Lane {
    var keys: Matrix
    var values: Matrix
  }

  /// Sequences side by side.
  public let laneCount: Int
  /// Positions there is room for. Rotary tables that depend on the length of a sequence are those of this length.
  public let capacity: Int
  /// The position that comes next.
  public private(set) var position = 0
  /// By block, then by sequence; a block's are made when it is first reached.
  private var lanes: [Int: [Lane]] = [:]

  /// Nothing came before yet.
  public init(laneCount: Int, capacity: Int) {
    precondition(laneCount > 0 && capacity > 0)
    self.laneCount = laneCount
    self.capacity = capacity
  }

  /// Goes on to the next position, when all blocks have seen this one.
  public func advance() { position += 1 }

  /// Adds the keys and values [lanes, width] of the next position and hands every sequence's [capacity, width], of which
  /// the rows up to that position count, to `body`.
  func forEachLane(
    ofBlock block: Int, adding keys: Matrix, _ values: Matrix, _ body: (Int, _ keys: Matrix, _ values: Matrix) -> Void
  ) {
    precondition(keys.rows == laneCount && values.rows == laneCount && position < capacity)
    let existing =
      lanes[block]
      ?? (0..<laneCount).map { _ in
        Lane(
          keys: Matrix(uninitializedRows: capacity, columns: keys.columns),
          values: Matrix(uninitializedRows: capacity, columns: values.columns))
      }
    lanes[block] = existing
    for (index, lane) in existing.enumerated() {
      lane.keys.copyRow(index, of: keys, to: position)
      lane.values.copyRow(index, of: values, to: position)
      body(index, lane.keys, lane.values)
    }
  }
}

extension Matrix {
  /// Row `target` ← row `source` of `other`.
  fileprivate func copyRow(_ source: Int, of other: Matrix, to target: Int) {
    precondition(columns == other.columns && source < other.rows && target < rows)
    (base + target * columns).update(from: other.base + source * columns, count: columns)
  }
}
