import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference
@testable import Search

/// A disk that fills up in the middle of a search, played by SQLite's own limit of pages.
@Suite(.usualTimeLimit) struct FullDiskTests {
  @Test func aSearchOnAFullDiskStopsCleanlyAndGoesOnLater() throws {
    let undisturbed = try RunCatalog()
    try undisturbed.run(RunCatalog.recipe()).run()
    let digest = try undisturbed.digest()
    var failures = 0
    for step in [0, 1, 2, 4, 7, 11, 16, 24, 40, 80] as [Int64] {
      let limited = try RunCatalog()
      let pages = try limited.count("PRAGMA page_count")
      try limited.store.connection.execute("PRAGMA max_page_count = \(pages + step)")
      let before = try limited.count("SELECT count(*) FROM observation")
      do {
        try limited.run(RunCatalog.recipe()).run()
      } catch {
        failures += 1
        let failure = try #require(error as? SQLiteError, "\(error)")
        #expect(failure.isStorageFailure, "a full disk is exit code 74: \(failure)")
        // What was committed before is there, and nothing by halves.
        #expect(try limited.count("SELECT count(*) FROM observation") >= before)
        #expect(try limited.store.verify(onFinding: { Issue.record("\($0)") }).rowCount > 0)
      }
      let resumed = try RunCatalog(limited)
      try resumed.run(RunCatalog.recipe()).run()
      #expect(try resumed.digest() == digest, "\(step) pages")
    }
    #expect(failures > 4)
  }
}
