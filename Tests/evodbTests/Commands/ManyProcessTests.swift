import Foundation
import TestSupport
import Testing

extension WholeRunTests {
  /// Several processes on one file.
  @Suite(.usualTimeLimit) struct ManyProcessTests {
    @Test func ofEightSearchesAtOnceOneRuns() throws {
      let catalog = try TinyCatalog()
      let searches = try (0..<8).map { _ in try catalog.start(longSearch) }
      let results = try searches.map { try $0.wait(timeout: 120) }
      // One that starts when another has ended finds the run finished.
      #expect(results.contains { $0.exitCode == 0 })
      for result in results where result.exitCode != 0 {
        #expect(result.exitCode == 75)
        #expect(result.diagnostics.contains("in use by process"))
      }
      #expect(results.contains { $0.exitCode == 75 })
      #expect(try catalog.number("SELECT count(*) AS n FROM run") == 1)
      #expect(try catalog.run("verify").exitCode == 0)
      #expect(try catalog.files == ["tiny.evodb"])
    }
  }
}
