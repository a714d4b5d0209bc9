/// Reads the rows of a damaged table around what cannot be read: from below and from above up to the damage, and in ever
/// smaller stretches in between.
struct TableReader {
  let connection: Connection
  private let table: String
  private let columns: String
  /// The leading column of the order in which the rows lie.
  let key: String
  /// Stretches that could not be read.
  private(set) var gapCount: Int64 = 0
  /// Queries left before giving up: every damaged page costs some hundred, and a table without its root must end soon.
  private var readsLeft = 1000

  /// A row of any table takes more bytes than 16.
  private let largestRowCount: Int

  init(_ connection: Connection, _ table: TableDescription) {
    self.init(
      connection, table.name, columns: table.columnList + (table.hasRowCheck ? ", row_check" : ""),
      key: table.order.first.map { table.columns[$0].name } ?? "rowid")
  }

  init(_ connection: Connection, _ table: String, columns: String, key: String) {
    self.connection = connection
    self.table = table
    self.columns = columns
    self.key = key
    largestRowCount = Int(FileSystem.byteCount(of: connection.path) ?? 0) / 16
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
  ///
  /// Pages that lie where others belong give rows out of order. The first walk takes them as they come, and only the
  /// search for what lies behind damage relies on the order.
  private mutating func walk(
    _ low: Int64, _ high: Int64, ascending: Bool, _ body: (Row, Int64) throws -> Void
  ) throws -> (last: Int64?, isWhole: Bool) {
    readsLeft -= 1
    let takesAnyOrder = low == .min && high == .max && ascending
    var last: Int64?
    var isInOrder = true
    var count = 0
    do {
      try connection.forEachRow(
        """
        SELECT \(key) AS place, \(columns) FROM \(table) NOT INDEXED WHERE \(key) BETWEEN ? AND ?
        ORDER BY \(key) \(ascending ? "ASC" : "DESC")
        """, [.integer(low), .integer(high)]
      ) { row in
        let own = row.integer("place")
        if let last, ascending ? own < last : own > last { isInOrder = false }
        count += 1
        // Pages that lead back would never end.
        guard isInOrder || (takesAnyOrder && count <= largestRowCount) else { throw OutOfOrder() }
        last = own
        try body(row, own)
      }
      return (last, isInOrder)
    } catch is OutOfOrder {
      return (isInOrder ? last : nil, false)
    } catch let error as SQLiteError where error.isUnreadable {
      return (isInOrder ? last : nil, false)
    }
  }

  private struct OutOfOrder: Error {}
}
