import Catalog
import Foundation

/// Changes to a whole catalog, written in few bytes, so that mutations of the bytes are other forgeries and not noise that
/// the first check refuses.
///
/// The first byte says whether changed rows get the check that their values ask for. Then follow steps: rows that are
/// changed, doubled or deleted, bytes of the file that are overwritten, and a cut. Rows come before bytes.
struct Forgery {
  private enum Step {
    case row(table: Int, row: Int, column: Int, value: Value)
    case double(table: Int, row: Int, column: Int, value: Value)
    case delete(table: Int, row: Int)
    case bytes(offset: Int, [UInt8])
    case cut(Int)
  }

  private enum Value {
    case of(SQLValue)
    /// The value of the same column in another row.
    case sameColumn(row: Int)
    /// The old number and this.
    case changed(by: Int64)
  }

  private static let integers: [Int64] = [
    0, 1, -1, 2, 3, 127, 128, 255, 256, 65535, .max, .min, .max - 1, 1 << 31, (1 << 31) - 1, 1 << 32, 1 << 53, 1 << 62,
    1_000_000,
  ]
  private static let reals: [Double] = [
    0, -0.0, 1, -1, 0.5, 1e308, -1e308, .leastNonzeroMagnitude, .infinity, -.infinity, 1e-4, 9.007199254740993e15, 3,
  ]

  private var checksAreForged = true
  private var steps: [Step] = []

  /// Every text of bytes is a forgery.
  ///
  /// - Parameter ofRows: whether rows are forged and nothing else.
  init(_ bytes: [UInt8], ofRows: Bool = false) {
    var rest = bytes[...]
    func byte() -> Int { Int(rest.popFirst() ?? 0) }
    func number() -> Int { byte() << 16 | byte() << 8 | byte() }
    func word() -> Int64 { (0..<8).reduce(0) { value, _ in value << 8 | Int64(byte()) } }
    func string(_ count: Int) -> [UInt8] {
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
    func value() -> Value {
      switch byte() % 10 {
      case 0: .of(.null)
      case 1: .of(.integer(Self.integers[byte() % Self.integers.count]))
      case 2: .of(.integer(word()))
      case 3: .of(.real(Self.reals[byte() % Self.reals.count]))
      case 4: .of(.real(Double(bitPattern: UInt64(bitPattern: word()))))
      case 5: .of(.text(String(decoding: string(byte()), as: UTF8.self)))
      case 6: .of(.blob(string(byte())))
      case 7: .changed(by: Int64(Int8(truncatingIfNeeded: byte())))
      default: .sameColumn(row: byte())
      }
    }
    checksAreForged = byte() & 1 == 1
    while !rest.isEmpty, steps.count < 12 {
      switch byte() % (ofRows ? 5 : 8) {
      case 0, 1, 2: steps.append(.row(table: byte(), row: byte(), column: byte(), value: value()))
      case 3: steps.append(.double(table: byte(), row: byte(), column: byte(), value: value()))
      case 4: steps.append(.delete(table: byte(), row: byte()))
      case 7 where byte() % 4 == 0: steps.append(.cut(number()))
      default: steps.append(.bytes(offset: number(), string(1 + byte() % 8)))
      }
    }
  }

  /// Writes the forged file.
  ///
  /// - Parameters:
  ///   - base: a whole catalog.
  ///   - tables: its tables.
  func write(_ file: ScratchFile, base: [UInt8], tables: [RawDatabase.Table]) throws {
    try file.write(base)
    try applyRows(to: try RawDatabase(file.path), tables)
    guard steps.contains(where: { if case .bytes = $0 { true } else if case .cut = $0 { true } else { false } }) else {
      return
    }
    var bytes = [UInt8](try Data(contentsOf: file.url))
    for step in steps {
      switch step {
      case .bytes(let offset, let patch):
        for (index, byte) in patch.enumerated() where !bytes.isEmpty { bytes[(offset + index) % bytes.count] = byte }
      case .cut(let length): bytes = Array(bytes.prefix(length % (bytes.count + 1)))
      default: break
      }
    }
    try file.write(bytes)
  }

  /// Changes the rows of a whole catalog.
  func applyRows(to database: RawDatabase, _ tables: [RawDatabase.Table]) throws {
    database.rows("BEGIN")
    for step in steps { apply(step, to: database, tables) }
    database.rows("COMMIT")
  }

  private func apply(_ step: Step, to database: RawDatabase, _ tables: [RawDatabase.Table]) {
    func row(_ index: Int, of table: RawDatabase.Table) -> [SQLValue]? {
      let count = database.rows("SELECT count(*) FROM \(table.name)").first?.first
      guard case .integer(let count)? = count, count > 0 else { return nil }
      return database.rows("SELECT * FROM \(table.name) LIMIT 1 OFFSET ?", [.integer(Int64(index) % count)]).first
    }
    func delete(_ row: [SQLValue], from table: RawDatabase.Table) {
      let filter = table.key.map { "\(table.columns[$0]) IS ?" }.joined(separator: " AND ")
      guard !filter.isEmpty else { return }
      database.rows("DELETE FROM \(table.name) WHERE \(filter)", table.key.map { row[$0] })
    }
    switch step {
    case .delete(let index, let rowIndex):
      let table = tables[index % tables.count]
      if let row = row(rowIndex, of: table) { delete(row, from: table) }
    case .row(let index, let rowIndex, let columnIndex, let value),
      .double(let index, let rowIndex, let columnIndex, let value):
      let table = tables[index % tables.count]
      guard let old = row(rowIndex, of: table) else { return }
      let column = columnIndex % old.count
      var new = old
      switch value {
      case .of(let value): new[column] = value
      case .sameColumn(let other): new[column] = self.row(other, column, of: table, in: database) ?? old[column]
      case .changed(let difference):
        switch old[column] {
        case .integer(let value): new[column] = .integer(value &+ difference)
        case .real(let value): new[column] = .real(value + Double(difference) / 16)
        case .text(let text): new[column] = .text(text + String(UnicodeScalar(UInt8(truncatingIfNeeded: difference))))
        case .blob(var bytes):
          if !bytes.isEmpty { bytes[Int(difference.magnitude) % bytes.count] ^= 1 }
          new[column] = .blob(bytes)
        case .null: break
        }
      }
      if checksAreForged, let check = table.columns.firstIndex(of: "row_check") {
        new.remove(at: check)
        new.insert(.integer(RawDatabase.check(new)), at: check)
      }
      if case .row = step { delete(old, from: table) }
      let marks = Array(repeating: "?", count: new.count).joined(separator: ", ")
      database.rows("INSERT OR REPLACE INTO \(table.name) VALUES (\(marks))", new)
    case .bytes, .cut: break
    }
  }

  private func row(_ index: Int, _ column: Int, of table: RawDatabase.Table, in database: RawDatabase) -> SQLValue? {
    database.rows("SELECT \(table.columns[column]) FROM \(table.name) LIMIT 1 OFFSET ?", [.integer(Int64(index % 16))])
      .first?.first
  }

  /// Changed rows of every table, doubled and deleted rows, flipped bytes in all parts of the file, cuts.
  static func seeds(tableCount: Int) -> [[UInt8]] {
    var seeds: [[UInt8]] = [[1]]
    for table in 0..<UInt8(tableCount) {
      for column in [UInt8(0), 1, 2, 3, 5, 8] { seeds.append([1, 0, table, column, column, 7, 1]) }
      seeds.append([1, 4, table, 0])
      seeds.append([1, 3, table, 0, 0, 7, 100])
    }
    for place in 0..<UInt8(40) { seeds.append([0, 5, place / 5, place &* 51, place &* 7, 0, 0xFF]) }
    for place in 0..<UInt8(8) { seeds.append([0, 7, 0, place, 0, 1]) }
    for place in 0..<UInt8(100) where place % 7 == 2 { seeds.append([0, 5, 0, 0, place, 0, 1]) }
    return seeds
  }
}
