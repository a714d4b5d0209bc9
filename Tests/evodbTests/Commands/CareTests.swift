import Foundation
import TestSupport
import Testing

@testable import Catalog

/// The verbs that look after a catalog, as a user meets them.
@Suite(.usualTimeLimit) struct CareTests {
  /// Flips a bit of the size of variant 3.
  private func damage(_ catalog: TinyCatalog) throws {
    let connection = try Connection(path: catalog.path, access: .readWrite, busyTimeoutMilliseconds: 1000)
    try connection.execute("UPDATE variant SET code_bits = code_bits + 1 WHERE id = 3")
  }

  @Test func verifyPraisesAWholeCatalog() throws {
    let catalog = try TinyCatalog(.searched)
    let result = try catalog.run("verify")
    #expect(result.exitCode == 0)
    #expect(result.output.contains("everything is as it was written"))
    #expect(try catalog.output("verify", "--format", "json") == "[]\n")
    #expect(try catalog.files == ["tiny.evodb"])
  }

  @Test func verifyNamesWhatIsDamagedAndOtherVerbsSendToIt() throws {
    let catalog = try TinyCatalog(.searched)
    try damage(catalog)
    let result = try catalog.run("verify", "--format", "jsonl")
    #expect(result.exitCode == 65)
    #expect(result.diagnostics.contains("evodb salvage"))
    #expect(result.output.contains("variant 3: model.layers."))
    #expect(result.output.contains("code_bits"))
  }

  @Test func aFileCutShortIsRefusedByEveryVerb() throws {
    let catalog = try TinyCatalog(.searched)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: catalog.path))
    try bytes.prefix(bytes.count - 5000).write(to: URL(fileURLWithPath: catalog.path))
    for verb in [
      ["verify"], ["status"], ["log"], ["ls"], ["show"], ["resume"], ["backup", "o.evodb"], ["gc"], ["digest"],
    ] {
      let result = try catalog.run(verb[0], Array(verb.dropFirst()))
      #expect(result.exitCode == 65, "\(verb): \(result.exitCode) \(result.diagnostics)")
      #expect(result.diagnostics.contains("evodb salvage"))
    }
  }

  @Test func verifyComputesEvaluationsAgain() throws {
    let catalog = try TinyCatalog(.searched)
    let result = try catalog.run("verify", "--recompute", "12")
    #expect(result.exitCode == 0)
    #expect(result.diagnostics.contains("of 12 evaluations computed again 12 have the same bits"))
  }

  @Test func doctorLooksAtProgramAndCatalog() throws {
    let catalog = try TinyCatalog(.searched)
    let alone = try CommandLineRunner().run(["doctor"])
    #expect(alone.exitCode == 0)
    for word in ["SQLite", "OpenBLAS", "evodb"] { #expect(alone.output.contains(word)) }
    let all = try catalog.output("doctor")
    for word in ["file system", "writer", "table observation", "packed variants", "model llama-gqa"] {
      #expect(all.contains(word), "\(word)")
    }
    #expect(!all.contains("revision"))
  }

  @Test func backupCopiesAndNeverOverwrites() throws {
    let catalog = try TinyCatalog(.searched)
    let copy = try catalog.json("backup", "copy.evodb")
    #expect(try copy.integer("file_bytes") > 0)
    let digest = try catalog.runner.run(["digest", "--all", "copy.evodb"]).output
    #expect(try digest == catalog.digest("--all"))
    #expect(try catalog.run("backup", "copy.evodb").exitCode == 73)
    #expect(try catalog.run("backup", catalog.path).exitCode == 73)
  }

  @Test func gcDropsOnlyWhatNothingNeeds() throws {
    let catalog = try TinyCatalog(.searched)
    // Levels that the run's space holds stay; these do not belong to any.
    try catalog.output("build", "--method", "rtn", "--bits", "7")
    let preview = try catalog.output("gc", "--dry-run")
    #expect(preview.contains("variants") && preview.contains("dense states"))
    #expect(try catalog.number("SELECT count(*) AS n FROM variant WHERE level = 'bits=7'") == 21)
    let best = try catalog.output("show", "first")
    let size = try Data(contentsOf: URL(fileURLWithPath: catalog.path)).count
    try catalog.output("gc")
    #expect(try catalog.number("SELECT count(*) AS n FROM variant WHERE level = 'bits=7'") == 0)
    #expect(try Data(contentsOf: URL(fileURLWithPath: catalog.path)).count < size)
    #expect(try catalog.run("verify").exitCode == 0)
    #expect(try catalog.output("show", "first") == best)
    #expect(try catalog.json(TinyCatalog.firstSearch).integer("forward_tokens") == 0)
    #expect(try catalog.run("gc", "--what", "statistics").exitCode == 0)
    #expect(try catalog.number("SELECT count(*) AS n FROM statistic WHERE matrix_blob_id IS NOT NULL") == 0)
    #expect(try catalog.run("verify").exitCode == 0)
    #expect(try catalog.files == ["tiny.evodb"])
  }

  @Test func upgradeLeavesACurrentCatalogAlone() throws {
    let catalog = try TinyCatalog(.searched)
    let before = try Data(contentsOf: URL(fileURLWithPath: catalog.path))
    let result = try catalog.run("upgrade")
    #expect(result.exitCode == 0)
    #expect(result.diagnostics.contains("up to date"))
    #expect(try Data(contentsOf: URL(fileURLWithPath: catalog.path)) == before)
    #expect(try catalog.files == ["tiny.evodb"])
  }
}
