import Foundation
import TestSupport

@testable import Catalog

/// Ways in which a catalog comes to harm.
enum RandomDamage: String, CaseIterable {
  case flippedBits, zeroedPages, swappedPages, olderPages, cutFile, forgedReferences, twoWritersPages, twoWritersLogs
  case lostIndices, repeatedPages, severalAtOnce

  private static let pageSize = 4096

  /// Writes a damaged file into an empty folder, with the log it may have.
  func write(_ source: DamageSource, to folder: CatalogFolder, using random: inout SplitMix64) throws {
    let writer = source.writers[Int.random(in: 0..<2, using: &random)]
    var file = writer.file
    var log: [UInt8]?
    switch self {
    case .twoWritersLogs:
      // The other's changes, or a part of them, over what one has closed or only begun.
      let other = source.writers[Int.random(in: 0..<2, using: &random)]
      file = Bool.random(using: &random) ? source.before : writer.file
      var frames = other.log
      if Bool.random(using: &random) {
        // Frames of one and of the other, taking turns as they were written: 32 bytes of header, 24 before each page.
        let size = Self.pageSize + 24
        for place in stride(from: 32, to: min(writer.log.count, other.log.count) - size, by: size)
        where Bool.random(using: &random) {
          frames.replaceSubrange(place..<place + size, with: writer.log[place..<place + size])
        }
      }
      log = Array(frames.prefix(Int.random(in: 0...frames.count, using: &random)))
      // Beside a file at rest no log is read: mostly it says that it has one (sqlite.org/fileformat2.html, 1.3).
      if Int.random(in: 0..<4, using: &random) > 0 { file.replaceSubrange(18..<20, with: [2, 2]) }
    case .severalAtOnce:
      for _ in 0..<2 {
        let kind = [RandomDamage.flippedBits, .zeroedPages, .swappedPages, .repeatedPages, .olderPages]
          .randomElement(using: &random)
        kind?.damage(&file, source, using: &random)
      }
    default: damage(&file, source, using: &random)
    }
    try Data(file).write(to: URL(fileURLWithPath: folder.path))
    if let log { try Data(log).write(to: URL(fileURLWithPath: folder.path + "-wal")) }
    switch self {
    case .forgedReferences: try Self.forge(folder, using: &random)
    case .lostIndices: try Self.dropIndices(folder, using: &random)
    default: break
    }
  }

  private func damage(_ file: inout [UInt8], _ source: DamageSource, using random: inout SplitMix64) {
    let pages = file.count / Self.pageSize
    func range(_ page: Int) -> Range<Int> { page * Self.pageSize..<(page + 1) * Self.pageSize }
    switch self {
    case .flippedBits:
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        file[Int.random(in: 0..<file.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
    case .zeroedPages:
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let page = range(Int.random(in: 0..<pages, using: &random))
        file.replaceSubrange(page, with: [UInt8](repeating: 0, count: page.count))
      }
    case .swappedPages:
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let (a, b) = (
          range(Int.random(in: 1..<pages, using: &random)), range(Int.random(in: 1..<pages, using: &random))
        )
        let first = Array(file[a])
        file.replaceSubrange(a, with: Array(file[b]))
        file.replaceSubrange(b, with: first)
      }
    case .repeatedPages:
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let page = Array(file[range(Int.random(in: 1..<pages, using: &random))])
        file.replaceSubrange(range(Int.random(in: 1..<pages, using: &random)), with: page)
      }
    case .olderPages, .twoWritersPages:
      let others = self == .olderPages ? source.before : source.writers[Int.random(in: 0..<2, using: &random)].file
      let share = Int.random(in: 1...4, using: &random)
      for page in 0..<min(pages, others.count / Self.pageSize) where Int.random(in: 0...4, using: &random) < share {
        file.replaceSubrange(range(page), with: others[range(page)])
      }
    case .cutFile: file = Array(file.prefix(Int.random(in: 0..<file.count, using: &random)))
    case .forgedReferences, .twoWritersLogs, .lostIndices, .severalAtOnce: break
    }
  }

  /// Points rows to other rows that are there, with the checks that such rows have.
  private static func forge(_ folder: CatalogFolder, using random: inout SplitMix64) throws {
    let connection = try Connection(path: folder.path, access: .readWrite, busyTimeoutMilliseconds: 1000)
    try connection.execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")
    let tables = TableDescription.all.filter { table in
      table.hasRowCheck && (table.name == "assignment" || table.columns.contains { $0.parent != nil })
    }
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      guard let table = tables.randomElement(using: &random) else { continue }
      let columns = table.columns.map(\.name).joined(separator: ", ")
      var rows: [[SQLValue]] = []
      try connection.forEachRow("SELECT \(columns) FROM \(table.name)") { rows.append($0.values) }
      let places = table.columns.indices.filter {
        table.columns[$0].parent != nil || table.columns[$0].name == "variant_ids"
      }
      guard let row = rows.randomElement(using: &random), let place = places.randomElement(using: &random) else {
        continue
      }
      var forged = row
      if let parent = table.columns[place].parent {
        let ids = try connection.integers("SELECT id FROM \(parent)")
        forged[place] = .integer(ids.randomElement(using: &random))
      } else {
        forged[place] = rows.randomElement(using: &random)?[place] ?? .null
      }
      let sets = (table.columns.map(\.name) + ["row_check"]).map { "\($0) = ?" }.joined(separator: ", ")
      let filter = table.order.map { "\(table.columns[$0].name) IS ?" }.joined(separator: " AND ")
      do {
        try connection.run(
          "UPDATE \(table.name) SET \(sets) WHERE \(filter)",
          forged + [.integer(RowWriter.check(forged))] + table.order.map { row[$0] })
      } catch let error as SQLiteError where error.isConstraint {
        // Another row has that key.
        continue
      }
    }
  }

  /// Takes indices out of the schema, or empties the pages that they begin with.
  private static func dropIndices(_ folder: CatalogFolder, using random: inout SplitMix64) throws {
    var roots: [Int] = []
    do {
      let connection = try Connection(path: folder.path, access: .readWrite, busyTimeoutMilliseconds: 1000)
      var named: [String] = []
      try connection.forEachRow("SELECT name, rootpage, sql FROM sqlite_schema WHERE type = 'index'") { row in
        if row.isNull("sql") { roots.append(Int(row.integer("rootpage"))) } else { named.append(row.text("name")) }
      }
      for name in named where Bool.random(using: &random) { try connection.execute("DROP INDEX \(name)") }
    }
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: folder.path))
    defer { try? file.close() }
    // An empty leaf of an index (sqlite.org/fileformat2.html, 1.6), or nothing.
    let empty: [UInt8] = Bool.random(using: &random) ? [10, 0, 0, 0, 0, 0x10, 0, 0] : []
    for root in roots where Bool.random(using: &random) {
      try file.seek(toOffset: UInt64((root - 1) * pageSize))
      try file.write(contentsOf: empty + [UInt8](repeating: 0, count: pageSize - empty.count))
    }
  }
}
