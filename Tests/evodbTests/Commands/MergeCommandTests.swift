import Foundation
import TestSupport
import Testing

/// `evodb merge` and `evodb pack` as two people use them.
@Suite(.usualTimeLimit) struct MergeCommandTests {
  private func other(_ catalog: TinyCatalog, named name: String = "other.evodb") throws -> String {
    let path = catalog.folder.appendingPathComponent(name).path
    try FileManager.default.copyItem(atPath: catalog.path, toPath: path)
    return path
  }

  @Test func aSearchOfSomebodyElseIsWarmAfterMerging() throws {
    let hers = try TinyCatalog(.searched)
    let mine = try TinyCatalog(.built)
    let dry = try mine.run("merge", hers.path, "--dry-run")
    #expect(dry.exitCode == 0 && dry.diagnostics.contains("dry run: nothing was changed"))
    #expect(try mine.number("SELECT count(*) AS n FROM run") == 0)
    let merged = try mine.run("merge", hers.path)
    #expect(merged.exitCode == 0, "\(merged.diagnostics)")
    #expect(merged.output == dry.output)
    #expect(merged.diagnostics.contains("84 of 84 variants of the merged files are here with their weights"))
    #expect(try mine.digest("--all") == hers.digest("--all"))
    let again = try mine.run("merge", hers.path, hers.path)
    #expect(again.exitCode == 0 && again.diagnostics.contains("nothing new"))
    let before = try mine.number("SELECT sum(forward_token_count) AS n FROM job")
    try mine.output(TinyCatalog.firstSearch)
    #expect(try mine.number("SELECT sum(forward_token_count) AS n FROM job") == before)
    #expect(try mine.files == ["tiny.evodb"])
  }

  /// Like every other verb, those that only move rows say what they did: in the file that they write.
  @Test func mergePackAndSalvageLeaveAJob() throws {
    let catalog = try TinyCatalog(.searched)
    let digest = try catalog.digest("--all")
    func jobs(_ path: String) throws -> [String] {
      let result = try catalog.runner.run([
        "query", path, "SELECT command || ' ' || outcome AS job FROM job_summary ORDER BY job_id", "--format", "jsonl",
      ])
      return try result.output.split(separator: "\n").map { try JSONFields(String($0)).text("job") }
    }
    let before = try jobs(catalog.path)
    for (verb, option) in [("pack", "-o"), ("salvage", "--output")] {
      #expect(try catalog.run(verb, option, "\(verb).evodb").exitCode == 0)
      #expect(try jobs("\(verb).evodb") == before + ["\(verb) done"])
      #expect(try catalog.runner.run(["digest", "--all", "\(verb).evodb"]).output == digest)
      #expect(try catalog.runner.run(["verify", "\(verb).evodb"]).exitCode == 0)
    }
    #expect(try jobs(catalog.path) == before)
    #expect(try catalog.run("merge", "pack.evodb").exitCode == 0)
    #expect(try jobs(catalog.path) == before + ["pack done", "merge done"])
    #expect(try catalog.digest("--all") == digest)
  }

  @Test func theMergedTableIsData() throws {
    let hers = try TinyCatalog(.searched)
    let mine = try TinyCatalog(.made)
    let text = try mine.output("merge", hers.path, "--format", "jsonl", "--quiet")
    let rows = try text.split(separator: "\n").map { try JSONFields(String($0)) }
    #expect(try rows.map { try $0.text("table") }.contains("observation"))
    #expect(try rows.allSatisfy { try $0.integer("conflicting") == 0 && $0.integer("equal") == 0 })
  }

  @Test func exitCodesOfMerge() throws {
    let catalog = try TinyCatalog(.built)
    let before = try catalog.digest("--all")
    let text = catalog.folder.appendingPathComponent("text.evodb").path
    try Data("not a database, only words".utf8).write(to: URL(fileURLWithPath: text))
    let copy = try other(catalog)
    for (arguments, code) in [
      ([], 64), ([catalog.path], 64), (["nowhere.evodb"], 66), ([text], 65), ([catalog.folder.path], 65),
      ([copy, "nowhere.evodb"], 66), ([copy, text], 65),
    ] as [([String], Int32)] {
      let result = try catalog.run("merge", arguments)
      #expect(result.exitCode == code, "\(arguments): \(result.exitCode) \(result.diagnostics)")
    }
    #expect(try catalog.run("pack").exitCode == 64)
    #expect(try catalog.run("pack", "-o", text).exitCode == 73)
    #expect(try catalog.run("pack", "-o", "p.evodb", "--with", "everything").exitCode == 64)
    #expect(try catalog.run("pack", "-o", "p.evodb", "--run", "nothing").exitCode == 66)
    #expect(try catalog.run("pack", "-o", "/nowhere/p.evodb").exitCode == 66)
    #expect(try catalog.digest("--all") == before)
  }

  @Test func aMergeThatIsKilledLeavesTheFileAndRepeatingFinishesIt() throws {
    let hers = try TinyCatalog(.searched)
    let whole = try hers.digest("--all")
    for milliseconds in [5, 20, 40, 60, 80, 110, 150] {
      let mine = try TinyCatalog(.made)
      let before = try mine.digest("--all")
      let running = try mine.runner.start(["merge", mine.path, hers.path])
      usleep(UInt32(milliseconds) * 1000)
      try running.killAtOnce()
      let now = try mine.digest("--all")
      #expect(now == before || now == whole, "\(milliseconds) ms")
      try mine.output("merge", hers.path)
      #expect(try mine.digest("--all") == whole)
      #expect(try mine.files == ["tiny.evodb"])
    }
  }

  @Test func aSecondWriterIsRefusedByTheName() throws {
    let mine = try TinyCatalog(.built)
    let copy = try other(mine)
    let search = try mine.start(WholeRunTests.endlessSearch)
    try #require(try mine.wait(for: search, until: "SELECT count(*) AS n FROM generation", exceeds: 0))
    let refused = try mine.run("merge", copy)
    #expect(refused.exitCode == 75 && refused.diagnostics.contains("evodb search"), "\(refused.diagnostics)")
    #expect(refused.diagnostics.contains("process \(search.processIdentifier) "), "\(refused.diagnostics)")
    search.send(SIGTERM)
    #expect(try search.wait().exitCode == 75)
  }

  @Test func aPackIsReadFromAReadOnlyFolderAndSearchedOnAfterImport() throws {
    let hers = try TinyCatalog(.searched)
    let out = hers.folder.appendingPathComponent("pack.evodb").path
    let report = try hers.json("pack", "-o", out, "--with", "variants", "--run", "first")
    #expect(try report.integer("variant_with_weights_count") == 84)
    let mine = try TinyCatalog(.missing)
    try FileManager.default.copyItem(atPath: out, toPath: mine.path)
    #expect(try mine.digest("--all") == hers.digest("--all"))
    // Without its model's folder nothing can be computed, and the message says what to do.
    let lost = try mine.run("search", "--target-bits", "3", "--seed", "5", "--data", "calibration")
    #expect(lost.exitCode == 66 && lost.diagnostics.contains("import"), "\(lost.diagnostics)")
    let wrong = try mine.run("import", Fixtures.url("golden/models/llama-tied-f16").path)
    #expect(wrong.exitCode == 0)
    try mine.output("import", TinyCatalog.model)
    #expect(try mine.number("SELECT count(*) AS n FROM model") == 2)
    let before = try mine.number("SELECT count(*) AS n FROM variant")
    try mine.output(TinyCatalog.firstSearch + ["--model", "llama-gqa"])
    try mine.output(
      ["search"] + TinyCatalog.recipe + [
        "--data", "calibration", "--name", "second", "--seed", "5", "--model", "llama-gqa",
      ])
    #expect(try mine.number("SELECT count(*) AS n FROM variant") == before)
    #expect(try mine.number("SELECT sum(cache_hit_count) AS n FROM job WHERE command = 'search'") > 0)
  }

  /// The kernels of another processor give other bytes for some layers: nothing of the results may pass for theirs.
  @Test func packsOfOneProcessorUnderAnother() throws {
    let hers = try TinyCatalog(.filled)
    func shell(_ catalog: TinyCatalog, _ core: String, _ command: String) throws {
      let result = try catalog.runner.shell("OPENBLAS_CORETYPE=\(core) \"$EVODB_BINARY\" \(command)")
      try #require(result.exitCode == 0, "\(command): \(result.diagnostics)")
    }
    try shell(hers, "Haswell", "build tiny.evodb --data calibration --bits 2-5")
    try shell(hers, "Haswell", TinyCatalog.firstSearch.inserted("tiny.evodb", at: 1).joined(separator: " "))
    for contents in ["variants", "results"] {
      let out = hers.folder.appendingPathComponent("\(contents).evodb").path
      try hers.output("pack", "-o", out, "--with", contents)
      let mine = try TinyCatalog(.missing)
      try FileManager.default.copyItem(atPath: out, toPath: mine.path)
      try mine.output("import", TinyCatalog.model)
      let core = "Prescott"
      if contents == "results" { try shell(mine, core, "build tiny.evodb --data calibration --bits 2-5") }
      let search =
        ["search", "tiny.evodb"] + TinyCatalog.recipe + ["--data", "calibration", "--name", "mine", "--seed", "3"]
      try shell(mine, core, search.joined(separator: " "))
      let hits = try mine.number(
        "SELECT cache_hit_count AS n FROM job WHERE command = 'search' ORDER BY id DESC LIMIT 1")
      if contents == "variants" {
        #expect(try mine.number("SELECT count(*) AS n FROM variant") == 84)
        #expect(hits > 0)
      }
      // Whatever was hit had the very weights that are here: each variant of the run's space has its bytes in this
      // file, and each evaluation of its candidates that another arithmetic made is of an assignment with these
      // contents.
      let absent = try mine.number(
        """
        SELECT count(*) AS n FROM run r JOIN space_member m ON m.space_id = r.space_id JOIN variant v ON v.id = m.variant_id
        JOIN blob b ON b.id = v.blob_id WHERE r.name = 'mine' AND b.chunk_count = 0
        """)
      #expect(absent == 0)
      let strangers = try mine.number(
        """
        SELECT count(*) AS n FROM candidate c JOIN run r ON r.id = c.run_id JOIN assignment a ON a.id = c.assignment_id
        JOIN json_each(a.variant_ids) j JOIN variant v ON v.id = j.value
        WHERE r.name = 'mine' AND v.id NOT IN (SELECT variant_id FROM space_member WHERE space_id = r.space_id
          AND variant_id IS NOT NULL)
        """)
      #expect(strangers == 0)
    }
  }
}

extension [String] {
  fileprivate func inserted(_ element: String, at index: Int) -> [String] {
    var copy = self
    copy.insert(element, at: index)
    return copy
  }
}
