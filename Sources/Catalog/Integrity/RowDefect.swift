/// A stored row that contradicts itself or the rows it points to.
public struct RowDefect: Error, Equatable, Sendable, CustomStringConvertible {
  /// Its table.
  public var table: String
  /// Which row, in words: a layer's name, the start of a digest, positions.
  public var row: String
  /// The contradiction in words, such as `its key is not that of its content`.
  public var detail: String
  /// The values of the columns by which the table is ordered (`TableDescription.order`): which row, for SQL.
  var key: [SQLValue]
  /// The changes, by column, that would make the row right; nil: only its removal helps.
  var mend: [String: SQLValue]?

  /// Table, row and what is wrong.
  public var description: String { "\(table) \(row): \(detail)" }
}
