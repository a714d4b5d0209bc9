/// Which weights of a layer are to become zero: any, of an exact number, or some of each group of neighbouring inputs.
public enum SparsityTarget: Hashable, Sendable {
  /// Exactly so many weights, wherever the method wants them.
  case zeros(Int)
  /// At most N of M neighbouring inputs are kept in every row.
  case pattern(SparsityPattern)

  /// The pattern, if there is one.
  var pattern: SparsityPattern? {
    if case .pattern(let pattern) = self { return pattern }
    return nil
  }

  /// Pruned weights of a [rows, columns] layer.
  public func zeroCount(rows: Int, columns: Int) -> Int {
    switch self {
    case .zeros(let count): count
    case .pattern(let pattern): rows * pattern.zeroCount(columns: columns)
    }
  }

  /// - Throws: `InferenceError.impossible` if a [rows, columns] layer has not so many weights.
  public func validate(rows: Int, columns: Int) throws {
    if case .zeros(let count) = self, !(0...rows * columns).contains(count) {
      throw InferenceError.impossible(
        detail: "a layer of \(rows) × \(columns) can have from 0 to \(rows * columns) zeros, not \(count)")
    }
  }
}

/// Semi-structured sparsity N:M: of M neighbouring inputs at most N are kept, in every row (2:4 and 4:8 are what processors
/// have instructions for).
///
/// A ragged tail of fewer than M inputs keeps at most N as well: it is what a runtime needs that pads rows to a multiple of M.
public struct SparsityPattern: Hashable, Sendable, CustomStringConvertible {
  /// N: weights kept of a group.
  public let keptCount: Int
  /// M: neighbouring inputs of a group.
  public let groupSize: Int

  /// Longest group: beyond this nothing is semi-structured any more.
  static let largestGroupSize = 256

  /// - Throws: `InferenceError.impossible` unless 1 ≤ N < M ≤ 256.
  public init(keeping keptCount: Int, of groupSize: Int) throws {
    guard keptCount >= 1, keptCount < groupSize, groupSize <= Self.largestGroupSize else {
      throw InferenceError.impossible(
        detail: "a pattern N:M keeps N of M neighbouring weights, 1 ≤ N < M ≤ \(Self.largestGroupSize), such as 2:4; "
          + "not \(keptCount):\(groupSize)")
    }
    self.keptCount = keptCount
    self.groupSize = groupSize
  }

  /// From `2:4`; nil if it is not two numbers and a colon, or they are out of range.
  public init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let kept = parts[0], let size = parts[1],
      let pattern = try? SparsityPattern(keeping: kept, of: size), pattern.description == text
    else { return nil }
    self = pattern
  }

  /// `2:4`.
  public var description: String { "\(keptCount):\(groupSize)" }

  /// The groups of a row.
  func groups(columns: Int) -> [Range<Int>] {
    stride(from: 0, to: columns, by: groupSize).map { $0..<min(columns, $0 + groupSize) }
  }

  /// Pruned weights of a group of `length` inputs.
  func zeroCount(groupLength length: Int) -> Int { max(0, length - keptCount) }

  /// Pruned weights of a row of `columns` inputs.
  public func zeroCount(columns: Int) -> Int {
    columns / groupSize * (groupSize - keptCount) + zeroCount(groupLength: columns % groupSize)
  }
}
