import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Search

/// Files of a real search, parted and put together again.
@Suite(.usualTimeLimit) struct MergedSearchTests {
  /// A file with a part of the whole: some observations, and the run up to a generation.
  private func part(_ index: Int, of count: Int, from whole: Data) throws -> TemporaryFolderOwner {
    let folder = TemporaryFolderOwner()
    try whole.write(to: URL(fileURLWithPath: folder.path))
    let store = try CatalogStore(path: folder.path, mode: .write, command: "test")
    defer { store.close() }
    try store.write { tx in
      try tx.connection.run(
        """
        DELETE FROM observation WHERE (assignment_id * 31 + sequence_id * 7 + measure_id) % ? <> ?
          AND (assignment_id * 17 + sequence_id * 13 + measure_id * 5 + ?) % 3 > 0
        """, [.integer(count), .integer(index), .integer(index)])
      guard index > 0 else { return }
      let kept = index % 5
      for table in ["stage_result", "stage", "candidate", "generation"] {
        try tx.connection.run("DELETE FROM \(table) WHERE generation_index >= ?", [.integer(kept)])
      }
      var changes: [String: SQLValue] = ["state": .text("open"), "found_assignment_id": .null, "recommendation": .null]
      if kept == 0 { changes["start_assignment_id"] = .null }
      for run in try tx.runs() { try tx.rows.update(.run, id: run.id, changes) }
    }
    return folder
  }

  private func digest(_ path: String) throws -> Digest {
    let store = try CatalogStore(path: path, mode: .read)
    defer { store.close() }
    return try store.read { try $0.sharedDigest(includingProvenance: true) }
  }

  @Test(arguments: [2, 5, 16]) func partsOfASearchMakeTheSearch(count: Int) throws {
    let catalog = try RunCatalog()
    try catalog.run(RunCatalog.recipe()).run()
    catalog.store.close()
    let whole = try Data(contentsOf: URL(fileURLWithPath: catalog.folder.path))
    let expected = try digest(catalog.folder.path)
    var parts = try (0..<count).map { try part($0, of: count, from: whole) }
    var step = count
    while parts.count > 1 {
      step = (step * 5 + 3) % 17
      let taken = parts.remove(at: step % parts.count)
      let target = parts[(step * 3) % parts.count]
      let store = try CatalogStore(path: target.path, mode: .write, command: "merge")
      defer { store.close() }
      _ = try CatalogMerge(into: store).run([taken.path])
    }
    #expect(try digest(parts[0].path) == expected)
  }

  @Test func aCopyThatFinishedElsewhereEndsTheRunHere() throws {
    let mine = try RunCatalog { progress, cancellation in
      if progress.details.contains(where: { $0.name == "generation" && $0.value.hasPrefix("2/") }) {
        cancellation.request()
      }
    }
    #expect { try mine.run(RunCatalog.recipe()).run() } throws: { isStop($0) }
    let hers = try RunCatalog(mine)
    try hers.run(RunCatalog.recipe()).run()
    let expected = try hers.digest()
    let store = try CatalogStore(path: mine.folder.path, mode: .write, command: "merge")
    let report = try CatalogMerge(into: store).run([hers.folder.path])
    #expect(report.conflictCount == 0)
    store.close()
    #expect(try digest(mine.folder.path).hex == expected)
  }
}
