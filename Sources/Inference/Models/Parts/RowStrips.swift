/// The rows of a residual stream in strips: what the layers of half a block hand to each other then stays in the second
/// cache, instead of going through memory that is ten times slower.
///
/// An element of a specified arithmetic does not depend on the rows beside it, so strips change no bit. OpenBLAS's bits do, and
/// taps see whole sites: both get one strip.
enum RowStrips {
  /// Rows of a strip, or a few more: enough for products at full speed. The outputs of an MLP of 1,536 are then 0.8 MB.
  static let rowCount = 128

  /// Ranges of rows in order.
  static func ranges(rows: Int, _ arithmetic: Arithmetic, isTapped: Bool, rowCount: Int = rowCount) -> [Range<Int>] {
    guard arithmetic != .openblas, !isTapped, rows > rowCount else { return [0..<rows] }
    let count = (rows + rowCount / 2) / rowCount
    // Whole pairs of the widest tiles.
    let even = (rows + count - 1) / count
    let height = (even + 31) / 32 * 32
    return stride(from: 0, to: rows, by: height).map { $0..<min($0 + height, rows) }
  }

  /// Calls `body` with the ranges of `ranges(rows:_:isTapped:rowCount:)`, on several threads if some wait for work.
  ///
  /// - Throws: what `body` throws.
  static func forEach(
    rows: Int, _ arithmetic: Arithmetic, isTapped: Bool, rowCount: Int = rowCount,
    _ body: @escaping (Range<Int>) throws -> Void
  ) throws {
    let ranges = ranges(rows: rows, arithmetic, isTapped: isTapped, rowCount: rowCount)
    try Parallel.share(ranges.count) { try body(ranges[$0]) }
  }

  /// Rows of the largest strip of so many rows.
  static func largest(rows: Int) -> Int { min(rows, rowCount * 3 / 2 + 31) }
}
