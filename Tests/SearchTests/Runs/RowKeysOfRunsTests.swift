import TestSupport
import Testing

@testable import Catalog

/// The keys that a real import, build and search wrote are those that the catalog recomputes from the rows.
@Suite(.usualTimeLimit) struct RowKeysOfRunsTests {
  @Test func whatARealRunWroteHasTheKeysOfItsContent() throws {
    let catalog = try RunCatalog()
    try catalog.run(RunCatalog.recipe()).run()
    let defects = try catalog.store.read { transaction in
      var found: [RowDefect] = []
      for table in RowKeys.tables { try RowKeys(transaction).check(table) { found.append($0) } }
      return found
    }
    #expect(defects == [])
    // A search asks no multiple choice.
    for table in RowKeys.tables where table.name != "task" {
      #expect(try catalog.count("SELECT count(*) FROM \(table.name)") > 0, "\(table.name)")
    }
  }
}
