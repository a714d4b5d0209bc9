/// A stored row that contradicts itself or the rows it points to.
public struct RowDefect: Error, Equatable, Sendable, CustomStringConvertible {
  /// Its table.
  public var table: String
  /// Which row, in words: a layer's name, the start of a digest, positions.
  public var row: String
  /// What is wrong.
  public var detail: String
  /// The values of the columns by which the table is ordered (`TableDescription.order`): which row, for SQL.
  var key: [SQLValue]
  /// What would make the row right; nil: nothing but its removal.
  var mend: [String: SQLValue]?

  /// Table, row and what is wrong.
  public var description: String { "\(table) \(row): \(detail)" }
}
