/// Reads the rows of a damaged table around what cannot be read: from below and from above up to the damage, and in ever
/// smaller stretches in between.
struct TableReader {
  let connection: Connection
  let table: TableShape
  /// The leading column of the order in which the rows lie.
  let key: String
  /// Stretches that could not be read.
  private(set) var gapCount: Int64 = 0
  /// What is still allowed: every damaged page costs some hundred reads, and a table without its root must end soon.
  private var readsLeft = 1000

  init(_ connection: Connection, _ table: TableShape) {
    self.connection = connection
    self.table = table
    key = table.order.first.map { table.columns[$0].name } ?? "rowid"
  }

  /// Calls `body` with the values and the stored check of every row that can be read; some may come twice.
  mutating func forEachRow(_ body: (Row, _ key: Int64) throws -> Void) throws {
    try read(.min, .max, body)
  }

  private mutating func read(_ low: Int64, _ high: Int64, _ body: (Row, Int64) throws -> Void) throws {
    guard low <= high, readsLeft > 0 else { return }
    let (first, isWhole) = try walk(low, high, ascending: true, body)
    if isWhole { return }
    let (last, _) = try walk(first ?? low, high, ascending: false, body)
    // Between the last row read from below and the last one read from above.
    let start = first.map { $0 < .max ? $0 + 1 : $0 } ?? low
    let end = last.map { $0 > .min ? $0 - 1 : $0 } ?? high
    guard low < high, start <= end else {
      gapCount += 1
      return
    }
    if start == end { return try read(start, end, body) }
    // Halves of an unbounded stretch are found by sign first; midpoints cannot overflow.
    let middle = start < 0 && end >= 0 ? -1 : start + (end - start) / 2
    let before = gapCount
    try read(start, middle, body)
    try read(middle + 1, end, body)
    // One stretch of rows is one gap, however often it was halved.
    gapCount = min(gapCount, before + 1)
  }

  /// Walks until the end or the damage: the last key seen, and whether the end was reached.
  private mutating func walk(
    _ low: Int64, _ high: Int64, ascending: Bool, _ body: (Row, Int64) throws -> Void
  ) throws -> (last: Int64?, isWhole: Bool) {
    readsLeft -= 1
    var last: Int64?
    let columns = table.columns.map(\.name).joined(separator: ", ") + (table.hasRowCheck ? ", row_check" : "")
    do {
      try connection.forEachRow(
        """
        SELECT \(key), \(columns) FROM \(table.name) NOT INDEXED WHERE \(key) BETWEEN ? AND ?
        ORDER BY \(key) \(ascending ? "ASC" : "DESC")
        """, [.integer(low), .integer(high)]
      ) { row in
        let own = row.integer(0)
        // Pages that lead back would never end.
        if let last, ascending ? own < last : own > last { throw OutOfOrder() }
        last = own
        try body(row, own)
      }
      return (last, true)
    } catch is OutOfOrder {
      return (last, false)
    } catch let error as SQLiteError where error.isDamage || error.isRefusedStatement {
      return (last, false)
    }
  }

  private struct OutOfOrder: Error {}
}
