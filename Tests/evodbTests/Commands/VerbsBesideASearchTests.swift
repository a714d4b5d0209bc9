import Foundation
import TestSupport
import Testing

@testable import evodb

extension WholeRunTests {
  /// Every verb, while a search writes to the catalog, under every kind of name that the file has.
  @Suite(.usualTimeLimit) struct VerbsBesideASearchTests {
    private static let target = ["--target-bits", "2.5", "--data", "calibration", "--validation", "validation"]
    /// Arguments after the catalog. They are right: without the search the verbs would do their work.
    private static let arguments: [String: [String]] = [
      "import": [TinyCatalog.model], "data": ["more", "--token-ids", "calibration.safetensors"],
      "calibrate": ["--data", "calibration"], "build": ["--data", "calibration", "--bits", "2-5"],
      "search": Array(TinyCatalog.firstSearch.dropFirst()), "baseline": ["random", "--candidates", "4"] + target,
      "resume": ["first"], "evaluate": ["uniform:3", "--data", "validation"], "import-profile": ["profile"],
      "export": ["first", "--to", "hf", "-o", "hf"], "merge": ["other.evodb"], "monotonicity": [],
      "branch": ["first", "--name", "other", "--set", "generations=6"],
      "void": ["first:validation", "--reason", "a test"], "gc": [], "upgrade": [],
      "backup": ["made"], "pack": ["-o", "made"], "salvage": ["-o", "made"],
      "status": [], "ls": [], "log": [], "show": ["first"],
      "compare": ["first", "--data", "validation"], "report": ["first"], "query": ["SELECT count(*) FROM model"],
      "digest": [],
      "replay": ["first"], "verify": [], "doctor": [], "sensitivity": ["--data", "calibration"],
      "front": ["--from", "3bit", "--to", "4bit", "--points", "2", "--data", "calibration"],
    ]

    /// Change the catalog, or make `auto`'s own.
    static let writing: Set = [
      "auto", "import", "data", "calibrate", "build", "search", "baseline", "resume", "evaluate", "import-profile",
      "export", "sensitivity", "front", "merge", "monotonicity", "branch", "replay", "void", "gc", "upgrade",
    ]
    /// Make another catalog of it.
    static let making: Set = ["backup", "pack", "salvage"]
    /// Only look.
    static let reading: Set = [
      "status", "ls", "log", "show", "compare", "report", "query", "digest", "verify", "doctor",
    ]
    /// Have no catalog yet, or none at all.
    static let others: Set = ["init", "schema", "check", "worker", "cluster"]

    @Test func everyVerbIsOfOneKind() {
      let kinds = [Self.writing, Self.making, Self.reading, Self.others]
      let all = kinds.reduce(into: Set<String>()) { $0.formUnion($1) }
      #expect(all == Set(Evodb.registry.commands.map { $0.name }))
      #expect(kinds.reduce(0) { $0 + $1.count } == all.count)
      #expect(all.subtracting(Self.others).subtracting(["auto"]) == Set(Self.arguments.keys))
    }

    private func command(_ verb: String, _ name: String) -> [String] {
      verb == "auto"
        ? [
          "auto", Fixtures.example("prose-10m").path, "--text", Fixtures.example("prose-10m").path + "/calibration.txt",
          "--target-bits", "3", "--catalog", name,
        ] : [verb, name] + (Self.arguments[verb] ?? [])
    }

    @Test func whoWritesIsRefusedUnderEveryNameAndWhoReadsIsNot() throws {
      let catalog = try TinyCatalog(.searched, linked: true)
      let other = try TinyCatalog(.filled)
      let manager = FileManager.default
      try manager.copyItem(atPath: other.path, toPath: catalog.folder.path + "/other.evodb")
      try manager.createSymbolicLink(atPath: catalog.folder.path + "/folder", withDestinationPath: "real")
      try catalog.output("export", "uniform:3", "--to", "evopress", "-o", "profile")
      let search = try catalog.start(endlessSearch)
      try #require(
        try catalog.wait(
          for: search, until: "SELECT count(*) AS n FROM run_progress WHERE run = 'long'", exceeds: 1))
      // Nothing of the search is in the way of a verb's own conditions, and it does not end before they are tried.
      func isAlive() -> Bool { search.isRunning }
      let names = [catalog.realPath, "next", catalog.path, "folder/tiny.evodb", "folder/../real/tiny.evodb"]
      for name in names {
        for verb in Self.writing.union(["salvage"]).sorted() {
          let result = try catalog.runner.run(command(verb, name))
          try #require(isAlive(), "\(search.diagnostics)")
          #expect(result.exitCode == 75, "\(command(verb, name)): \(result.exitCode) \(result.diagnostics)")
          #expect(result.diagnostics.contains("process \(search.processIdentifier) "), "\(verb): \(result.diagnostics)")
        }
        for verb in Self.reading.union(Self.making).subtracting(["salvage"]).sorted() {
          let result = try catalog.runner.run(command(verb, name))
          try #require(isAlive(), "\(search.diagnostics)")
          #expect(result.exitCode == 0, "\(command(verb, name)): \(result.exitCode) \(result.diagnostics)")
          try? manager.removeItem(atPath: catalog.folder.path + "/made")
        }
        #expect(try catalog.runner.run(["init", name]).exitCode == 73)
      }
      // A second name of the file itself: no log can be found under it.
      try manager.linkItem(atPath: catalog.realPath, toPath: catalog.folder.path + "/hard.evodb")
      for verb in Self.writing.union(Self.making).union(Self.reading).sorted() {
        let result = try catalog.runner.run(command(verb, "hard.evodb"))
        try #require(isAlive(), "\(search.diagnostics)")
        #expect(result.exitCode == 75, "\(command(verb, "hard.evodb")): \(result.exitCode) \(result.diagnostics)")
        #expect(result.diagnostics.contains("process \(search.processIdentifier) "), "\(verb): \(result.diagnostics)")
      }
      try manager.removeItem(atPath: catalog.folder.path + "/hard.evodb")
      #expect(
        !["hf", "made", "hard.evodb-lock"].contains { manager.fileExists(atPath: catalog.folder.path + "/" + $0) })
      search.send(SIGINT)
      #expect(try search.wait().exitCode == 75)
      #expect(try manager.contentsOfDirectory(atPath: catalog.folder.path + "/real") == ["tiny.evodb"])
      #expect(try catalog.run("verify").exitCode == 0)
      // Each was refused for the search's sake alone.
      for verb in Self.writing.subtracting(["auto"]).sorted() {
        let copy = try TinyCatalog(.searched)
        for file in ["other.evodb", "profile"] {
          try manager.copyItem(atPath: catalog.folder.path + "/" + file, toPath: copy.folder.path + "/" + file)
        }
        let result = try copy.runner.run(command(verb, copy.path))
        #expect(result.exitCode == 0, "\(verb): \(result.exitCode) \(result.diagnostics)")
      }
    }
  }
}
