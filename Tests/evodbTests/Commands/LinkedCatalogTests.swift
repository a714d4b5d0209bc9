import Foundation
import TestSupport
import Testing

extension WholeRunTests {
  /// Commands on one catalog under several names, and on one that changes its name or place while a search writes to it.
  @Suite(.usualTimeLimit) struct LinkedCatalogTests {
    private func searching(_ catalog: TinyCatalog, _ search: [String] = endlessSearch) throws -> RunningCommand {
      let running = try catalog.start(search)
      let isAtWork = try catalog.wait(for: running, until: "SELECT count(*) AS n FROM generation", exceeds: 1)
      try #require(isAtWork, "\(running.diagnostics)")
      return running
    }

    private func place(_ catalog: TinyCatalog, _ name: String) -> String {
      catalog.folder.appendingPathComponent(name).path
    }

    private func verify(_ catalog: TinyCatalog, _ name: String) throws {
      let result = try catalog.runner.run(["verify", name])
      #expect(result.exitCode == 0, "\(result.output)\(result.diagnostics)")
    }

    @Test func aSearchUnderALinkLocksTheFileAndIsSeenUnderItsName() throws {
      let catalog = try TinyCatalog(linked: true)
      let search = try searching(catalog)
      for name in [catalog.realPath, "next", catalog.path] {
        for command in [
          ["build", name], ["gc", name], ["merge", name, "nothing"], ["upgrade", name],
          ["import", name, TinyCatalog.model],
          ["salvage", name, "-o", "saved.evodb"], ["search", name] + firstSearch,
        ] {
          let result = try catalog.runner.run(command)
          #expect(result.exitCode == 75, "\(command): \(result.exitCode) \(result.diagnostics)")
          #expect(result.diagnostics.contains("process \(search.processIdentifier) "), "\(result.diagnostics)")
        }
        let status = try JSONFields(try catalog.runner.run(["status", name, "--format", "json"]).output)
        #expect(try status.integer("file_bytes") > 10_000)
        #expect(try status.integer("log_bytes") > 0)
        #expect(try status.text("writer").contains("\(search.processIdentifier)"))
        #expect(try !catalog.runner.run(["doctor", name]).output.contains("was killed"))
        #expect(try catalog.runner.run(["query", name, "SELECT 1"]).exitCode == 0)
      }
      try search.killAtOnce()
      // The log counts for everybody who reads or saves.
      let rows = try catalog.number("SELECT count(*) AS n FROM observation")
      #expect(try catalog.runner.run(["doctor", "next"]).output.contains("was killed"))
      #expect(try catalog.runner.run(["salvage", catalog.path, "-o", "saved.evodb"]).exitCode == 0)
      let saved = try catalog.runner.run([
        "query", "saved.evodb", "SELECT count(*) FROM observation", "--format", "csv",
      ])
      #expect(saved.output.split(whereSeparator: \.isNewline).last.flatMap { Double($0) } == rows)
      try catalog.output("gc")
      #expect(try FileManager.default.contentsOfDirectory(atPath: place(catalog, "real")) == ["tiny.evodb"])
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: catalog.path) == "next")
      try verify(catalog, catalog.path)
    }

    private static var firstSearch: [String] { Array(TinyCatalog.firstSearch.dropFirst()) }
    private var firstSearch: [String] { Self.firstSearch }

    @Test func aHardLinkAdmitsNoSecondWriter() throws {
      let catalog = try TinyCatalog()
      let other = place(catalog, "b.evodb")
      let search = try searching(catalog)
      try FileManager.default.linkItem(atPath: catalog.path, toPath: other)
      try FileManager.default.removeItem(atPath: catalog.path + "-lock")
      for command in [
        ["build", other], ["build", catalog.path], ["status", other], ["merge", "b.evodb", "b.evodb-none"],
      ] {
        let result = try catalog.runner.run(command)
        #expect(result.exitCode == 75, "\(command): \(result.exitCode) \(result.diagnostics)")
        #expect(result.diagnostics.contains("process \(search.processIdentifier) "), "\(result.diagnostics)")
      }
      search.send(SIGINT)
      #expect(try search.wait().exitCode == 75)
      for name in [other, catalog.path] {
        let result = try catalog.runner.run(["gc", name])
        #expect(result.exitCode == 78)
        #expect(result.diagnostics.contains("hard links") && result.diagnostics.contains("evodb backup"))
        try verify(catalog, name)
      }
    }

    /// A change to the catalog, the file in which its rows must be afterwards, and a word of the error.
    private static let changes: [(change: @Sendable (String, String) throws -> Void, rows: String, word: String)] = [
      ({ path, _ in try FileManager.default.removeItem(atPath: path) }, "tiny.evodb.rescued", "removed"),
      ({ path, _ in try FileManager.default.moveItem(atPath: path, toPath: path + "2") }, "tiny.evodb2", "renamed"),
      (
        { path, other in if rename(other, path) != 0 { throw POSIXError(.EIO) } }, "tiny.evodb.rescued", "replaced"
      ),
      ({ path, _ in try FileManager.default.removeItem(atPath: path + "-wal") }, "tiny.evodb", "lost its"),
    ]

    @Test(arguments: changes.indices) func aSearchStopsAndKeepsItsRowsWhen(change index: Int) throws {
      let (change, rows, word) = Self.changes[index]
      let catalog = try TinyCatalog()
      let other = place(catalog, "other.evodb")
      try FileManager.default.copyItem(atPath: catalog.path, toPath: other)
      let search = try searching(catalog)
      let seen = try catalog.number("SELECT count(*) AS n FROM observation")
      if word == "renamed" {
        // Until the search has noticed it, which it cannot do while it is stopped, a command on the new name must wait.
        search.send(SIGSTOP)
        try change(catalog.path, other)
        let result = try catalog.runner.run(["gc", "tiny.evodb2"])
        search.send(SIGCONT)
        #expect(result.exitCode == 75, "\(result.exitCode) \(result.diagnostics)")
      } else {
        try change(catalog.path, other)
      }
      let end = try search.wait()
      #expect(end.exitCode == 74, "\(end.diagnostics)")
      #expect(end.diagnostics.contains(word) && end.diagnostics.contains(rows), "\(end.diagnostics)")
      #expect(!end.diagnostics.contains("nothing is lost"))
      try verify(catalog, rows)
      func observations() throws -> Double? {
        let result = try catalog.runner.run(["query", rows, "SELECT count(*) FROM observation", "--format", "csv"])
        return result.output.split(whereSeparator: \.isNewline).last.flatMap { Double($0) }
      }
      let count = try #require(try observations())
      #expect(count >= seen)
      // The search goes on there.
      let resumed = try catalog.runner.start(["resume", rows, "long"])
      while resumed.isRunning, try observations() ?? 0 <= count {}
      #expect(resumed.isRunning, "\(resumed.diagnostics)")
      resumed.send(SIGINT)
      #expect(try resumed.wait().exitCode == 75)
      try verify(catalog, rows)
    }

    @Test func interruptingAfterTheCatalogIsGoneDoesNotSayThatNothingIsLost() throws {
      let catalog = try TinyCatalog()
      let search = try searching(catalog)
      // Stopped, it cannot notice it by itself.
      search.send(SIGSTOP)
      try FileManager.default.removeItem(atPath: catalog.path)
      search.send(SIGINT)
      search.send(SIGCONT)
      let end = try search.wait()
      #expect(end.exitCode == 74, "\(end.diagnostics)")
      #expect(end.diagnostics.contains("tiny.evodb.rescued") && !end.diagnostics.contains("nothing is lost"))
      try verify(catalog, "tiny.evodb.rescued")
    }

    @Test func aCatalogThatIsRenamedAfterAKillIsRefusedUntilItsLogIsThere() throws {
      let catalog = try TinyCatalog()
      let search = try searching(catalog)
      try search.killAtOnce()
      let rows = try catalog.number("SELECT count(*) AS n FROM observation")
      let moved = place(catalog, "moved.evodb")
      try FileManager.default.moveItem(atPath: catalog.path, toPath: moved)
      for command in [
        ["status", moved], ["gc", moved], ["query", moved, "SELECT 1"], ["backup", moved, "copy"], ["verify", moved],
        ["pack", moved, "-o", "pack"], ["resume", moved], ["upgrade", moved],
      ] {
        let result = try catalog.runner.run(command)
        #expect(result.exitCode == 65, "\(command): \(result.exitCode) \(result.diagnostics)")
        #expect(result.diagnostics.contains("moved.evodb-wal"), "\(result.diagnostics)")
      }
      try FileManager.default.moveItem(atPath: catalog.path + "-wal", toPath: moved + "-wal")
      let result = try catalog.runner.run(["query", moved, "SELECT count(*) FROM observation", "--format", "csv"])
      #expect(result.output.split(whereSeparator: \.isNewline).last.flatMap { Double($0) } == rows)
      #expect(try catalog.runner.run(["gc", moved]).exitCode == 0)
      try verify(catalog, moved)
    }

    @Test func linksToNowhereAndPathsTooLongHaveTheirExitCodes() throws {
      let catalog = try TinyCatalog(.searched)
      let nowhere = place(catalog, "nowhere")
      try FileManager.default.createSymbolicLink(atPath: nowhere, withDestinationPath: "none")
      for command in [
        ["init", nowhere], ["backup", catalog.path, nowhere], ["pack", catalog.path, "-o", nowhere],
        ["salvage", catalog.path, "-o", nowhere], ["export", catalog.path, "first", "--to", "hf", "-o", nowhere],
      ] {
        let result = try catalog.runner.run(command)
        #expect(result.exitCode == 73, "\(command): \(result.exitCode) \(result.diagnostics)")
      }
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: nowhere) == "none")
      #expect(!FileManager.default.fileExists(atPath: place(catalog, "none")))
      #expect(try catalog.runner.run(["status", nowhere]).exitCode == 66)
      let long = place(catalog, "") + String(repeating: "n", count: 600)
      for command in [
        ["init", long], ["status", long], ["gc", long], ["backup", catalog.path, long], ["merge", catalog.path, long],
        ["merge", long, catalog.path], ["pack", catalog.path, "-o", long], ["salvage", catalog.path, "-o", long],
        ["salvage", long, "-o", "saved"], ["upgrade", long], ["verify", long], ["query", long, "SELECT 1"],
        ["doctor", long], ["resume", long], ["import", long, TinyCatalog.model],
      ] {
        let result = try catalog.runner.run(command)
        #expect(result.exitCode == 78, "\(command.first ?? ""): \(result.exitCode) \(result.diagnostics)")
        #expect(result.diagnostics.contains("490"), "\(result.diagnostics)")
      }
      // One letter is a name like any other.
      #expect(try catalog.runner.run(["init", "A"]).exitCode == 0)
      #expect(try catalog.runner.run(["status", "B"]).exitCode == 66)
    }

    @Test func anOutputBehindALinkedFolderLiesWhereTheLinkLeads() throws {
      let catalog = try TinyCatalog(.searched)
      let inner = catalog.folder.appendingPathComponent("deep/inner")
      try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
      try FileManager.default.createSymbolicLink(atPath: place(catalog, "link"), withDestinationPath: "deep/inner")
      for command in [
        ["backup", "link/../backup"], ["pack", "-o", "link/../pack"], ["salvage", "-o", "link/../salvage"],
        ["export", "first", "--to", "hf", "-o", "link/../hf/"],
        ["export", "first", "--to", "evopress", "-o", "link/../profile"],
      ] {
        try catalog.output(command)
        #expect(try catalog.run(command[0], Array(command.dropFirst())).exitCode == 73, "\(command)")
      }
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: place(catalog, "deep")).sorted()
          == ["backup", "hf", "inner", "pack", "profile", "salvage"])
    }

    @Test func anOutputIsNeverTheInput() throws {
      let catalog = try TinyCatalog(.searched, linked: true)
      try FileManager.default.linkItem(atPath: catalog.realPath, toPath: place(catalog, "hard"))
      let before = try Data(contentsOf: URL(fileURLWithPath: catalog.realPath))
      for target in [catalog.path, catalog.realPath, "next", "hard", "real/../hard"] {
        for command in [
          ["backup", catalog.path, target], ["pack", catalog.path, "-o", target],
          ["salvage", catalog.path, "-o", target],
        ] { #expect(try catalog.runner.run(command).exitCode == 73, "\(command)") }
        #expect(try catalog.runner.run(["merge", catalog.path, target]).exitCode == 64)
      }
      #expect(try Data(contentsOf: URL(fileURLWithPath: catalog.realPath)) == before)
    }
  }
}
