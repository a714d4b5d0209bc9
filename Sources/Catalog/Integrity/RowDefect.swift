/// A stored row that contradicts itself or the rows it points to.
public struct RowDefect: Error, Equatable, Sendable, CustomStringConvertible {
  /// Its table.
  public var table: String
  /// Which row, in words: a layer's name, the start of a digest, positions.
  public var row: String
  /// What is wrong.
  public var detail: String

  /// Table, row and what is wrong.
  public var description: String { "\(table) \(row): \(detail)" }
}
