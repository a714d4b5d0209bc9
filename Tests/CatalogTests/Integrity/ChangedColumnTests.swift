import Foundation
import TestSupport
import Testing

@testable import Catalog

/// A value of every column of every table is changed, and whoever has to notice does.
@Suite(.usualTimeLimit) struct ChangedColumnTests {
  private static let checked = TableDescription.all.filter(\.hasRowCheck)

  /// The example with a second model, so that every reference can point elsewhere.
  private static func original() throws -> CatalogFolder {
    let (folder, _) = try CatalogFolder.filled()
    try folder.change { _ = try ExampleContents.storeModel(in: $0, name: "other", seed: "other") }
    return folder
  }

  @Test(arguments: checked.map(\.name)) func verifyNamesTheRowOfAChangedValue(table: String) throws {
    let table = TableDescription.named(table)
    let original = try Self.original()
    for column in table.columns {
      let folder = try original.copy()
      try ColumnChange(table, column).apply(to: folder, forgingCheck: false)
      // A file with another mark is refused as a whole.
      let names = [table.name, table.name == "catalog_property" ? "file" : ""]
      let findings = try DamagedFile(folder).findings().filter { names.contains($0.table) }
      // A flipped bit is told from other changes, and then names the column.
      #expect(
        findings.contains { $0.column == nil || $0.column == column.name }, "\(table.name).\(column.name): \(findings)")
    }
  }

  /// The effects of a change when the row has the right check.
  private struct Outcome {
    var findings: [IntegrityFinding]
    var digestChanged: Bool
    var isRefused = false
    var report = MergeReport()

    init(_ folder: CatalogFolder, mergedInto original: CatalogFolder) throws {
      findings = try DamagedFile(folder).findings()
      digestChanged = try (try? folder.digest()) != original.digest()
      do {
        report = try original.copy().merge([folder])
      } catch CatalogError.untrusted {
        isRefused = true
      }
    }

    /// Whether the merge sees another row, or the same row with other content.
    var mergeNotices: Bool { isRefused || report.conflictCount > 0 || report.newCount > 0 }
  }

  @Test(arguments: checked.filter(\.isMerged).map(\.name))
  func aForgedValueIsNoticedByItsKeyOrByItsContent(table: String) throws {
    let table = TableDescription.named(table)
    let original = try Self.original()
    for column in table.columns where column.name != "id" {
      let folder = try original.copy()
      try ColumnChange(table, column).apply(to: folder, forgingCheck: true)
      let outcome = try Outcome(folder, mergedInto: original)
      let place = "\(table.name).\(column.name)"
      switch column.scope {
      case .key, .shared:
        if table.kind == .accompanying {
          // The key of what they belong to tells; two processes are two jobs.
          #expect(!outcome.findings.isEmpty || table.name == "job" && outcome.mergeNotices, "\(place)")
        } else if table.digested.contains(table[column.name]) {
          #expect(outcome.digestChanged, "\(place): the digest is the same")
        }
        // A run's place among the branches follows from its generations, and its name is the file's own.
        if !["run.name", "run.origin_generation"].contains(place) {
          #expect(outcome.mergeNotices, "\(place): \(outcome.report)")
        }
      case .implied:
        #expect(!outcome.findings.isEmpty && outcome.isRefused, "\(place): \(outcome.findings)")
      case .provenance:
        // Another file may say otherwise. What contradicts other rows is refused nevertheless.
        #expect(outcome.isRefused || !outcome.digestChanged, "\(place): the digest differs")
        #expect(outcome.isRefused || outcome.report.conflictCount == 0, "\(place): \(outcome.report)")
        #expect(!outcome.isRefused || !outcome.findings.isEmpty, "\(place): \(outcome.findings)")
      case .local: break
      }
    }
  }
}

/// Another value in one column of one row.
private struct ColumnChange {
  let table: TableDescription
  let column: ColumnDescription

  init(_ table: TableDescription, _ column: ColumnDescription) {
    self.table = table
    self.column = column
  }

  /// Changes the first row that takes another value there.
  func apply(to folder: CatalogFolder, forgingCheck: Bool) throws {
    let connection = try Connection(path: folder.path, access: .readWrite, busyTimeoutMilliseconds: 1000)
    try connection.execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")
    var rows: [[SQLValue]] = []
    try connection.forEachRow("SELECT \(table.columnList) FROM \(table.name)") { rows.append($0.values) }
    let place = table[column.name]
    // Values rather than NULL.
    let ordered = rows.filter { $0[place] != .null } + rows.filter { $0[place] == .null }
    for row in ordered {
      for value in try others(row[place], rows, connection) where value != row[place] {
        var changed = row
        changed[place] = value
        do {
          try connection.run(
            "UPDATE \(table.name) SET \(column.name) = ?" + (forgingCheck ? ", row_check = ?" : "")
              + " WHERE \(table.orderCondition)",
            [value] + (forgingCheck ? [.integer(RowWriter.check(changed))] : [])
              + table.values(row, at: table.order))
          return
        } catch let error as SQLiteError where error.isConstraint {
          // Another row has that key.
          continue
        }
      }
    }
    Issue.record("\(table.name).\(column.name) has no value that could be another one")
  }

  /// Replacements for a value: those of other rows, and values close to it.
  private func others(_ value: SQLValue, _ rows: [[SQLValue]], _ connection: Connection) throws -> [SQLValue] {
    var found = rows.map { $0[table[column.name]] }.filter { $0 != .null }
    if let parent = column.parent {
      found = try connection.integers("SELECT id FROM \(parent) ORDER BY id").map { .integer($0) }
    }
    switch (value, column.type) {
    case (.integer(let number), _): found += [.integer(number + 1), .integer(number + 1000)]
    case (.real(let number), _): found.append(.real(number + 0.5))
    case (.text(let text), _): found.append(.text(text + "x"))
    case (.blob(let bytes), _): found.append(.blob([(bytes.first ?? 0) ^ 1] + bytes.dropFirst()))
    case (.null, .integer): found.append(.integer(Int64(1)))
    case (.null, .real): found.append(.real(0.5))
    case (.null, .text): found.append(.text("x"))
    case (.null, .blob): found.append(.blob([UInt8](repeating: 1, count: 32)))
    }
    return found
  }
}
