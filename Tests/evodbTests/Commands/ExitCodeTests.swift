import Foundation
import TestSupport
import Testing

/// The exit codes of `sysexits.h` at the edges of every verb, with texts that say what to do.
@Suite(.usualTimeLimit) struct ExitCodeTests {
  @Test(arguments: [
    [], ["nonsense"], ["init"], ["status"], ["search", "x.evodb"], ["query", "x.evodb"], ["data", "x.evodb", "n"],
    ["build", "x.evodb", "--bits", "9"], ["build", "x.evodb", "--bits", "a"], ["build", "x.evodb", "--method", "awq"],
    ["search", "x.evodb", "--target-bits", "0"], ["search", "x.evodb", "--target-bits", "three"],
    ["search", "x.evodb", "--target-bits", "3", "--tokens", "0"], ["status", "x.evodb", "--format", "xml"],
    ["data", "x.evodb", "n", "a.txt", "--token-ids", "b"], ["evaluate", "x.evodb", "dense", "--measure", "accuracy"],
    ["evaluate", "x.evodb", "dense", "--measure", "kl,kl"], ["evaluate", "x.evodb", "dense", "--measure", ""],
    ["evaluate", "x.evodb", "dense", "--measure", "topk-kl:5,topk-kl:10"],
    ["calibrate", "x.evodb", "--upstream", "gptq"], ["calibrate", "x.evodb", "--upstream", "gptq:3,what=1"],
    ["build", "x.evodb", "--threads", "0"], ["build", "x.evodb", "--memory", "much"],
    ["query", "x.evodb", "SELECT 1", "--param", "novalue"],
  ]) func wrongArgumentsEndWith64(arguments: [String]) throws {
    let folder = try TemporaryFolder()
    let result = try CommandLineRunner(workingDirectory: folder.url).run(arguments)
    // The catalog is not there; but what was typed wrong comes first.
    #expect(result.exitCode == 64, "\(arguments): \(result.exitCode) \(result.diagnostics)")
    #expect(result.output.isEmpty)
    #expect(!result.diagnostics.isEmpty)
  }

  @Test(arguments: [
    ["status"], ["log"], ["ls"], ["show"], ["show", "x"], ["digest"], ["query", "SELECT 1"],
    ["import", TinyCatalog.model],
    ["data", "n", "a.txt"], ["calibrate"], ["build"], ["search", "--target-bits", "3"], ["resume"],
    ["evaluate", "dense"], ["verify"], ["doctor"], ["backup", "out.evodb"], ["gc"], ["gc", "--dry-run"], ["upgrade"],
  ]) func aMissingCatalogEndsWith66AndIsNotMade(command: [String]) throws {
    let catalog = try TinyCatalog(.missing)
    let result = try catalog.run(command[0], Array(command.dropFirst()))
    #expect(result.exitCode == 66, "\(command): \(result.diagnostics)")
    #expect(result.diagnostics.contains("evodb init"))
    #expect(try catalog.files == [])
  }

  @Test func missingInputsEndWith66() throws {
    let catalog = try TinyCatalog()
    let missing = [
      ["import", "nowhere"], ["data", "n", "nowhere.txt"], ["data", "n", "--token-ids", "nowhere.safetensors"],
      ["search", "--target-bits", "3", "--data", "nothing"], ["evaluate", "f00dfeed", "--data", "validation"],
      ["evaluate", "no-such-run", "--data", "validation"], ["evaluate", "dense"], ["resume"], ["show"],
      ["show", "nothing"], ["resume", "nothing"], ["build", "--model", "nothing"],
    ]
    for command in missing {
      let result = try catalog.run(command[0], Array(command.dropFirst()))
      #expect(result.exitCode == 66, "\(command): \(result.exitCode) \(result.diagnostics)")
    }
    #expect(try CommandLineRunner().run(["check", "nowhere"]).exitCode == 66)
    #expect(try CommandLineRunner().run(["init", "/no-such-folder-of-evodb/a.evodb"]).exitCode == 66)
  }

  @Test func aTextWithoutATokenizerSaysToGiveTokenIds() throws {
    let catalog = try TinyCatalog()
    try Data("Some text.".utf8).write(to: catalog.folder.appendingPathComponent("a.txt"))
    let result = try catalog.run("data", "n", "a.txt")
    #expect(result.exitCode == 66)
    #expect(result.diagnostics.contains("give token ids"))
  }

  @Test func namesThatAreTakenEndWith73() throws {
    let catalog = try TinyCatalog(.searched)
    let before = try catalog.digest("--all")
    let other = catalog.folder.appendingPathComponent("other").path
    let taken = [
      ["data", "calibration", "--token-ids", "validation.safetensors"],
      ["search", "--target-bits", "3.5", "--name", "first", "--data", "calibration"],
      TinyCatalog.firstSearch.map { $0 == "first" ? "second" : $0 },
      ["import", other, "--name", "llama-gqa"],
    ]
    try FileManager.default.copyItem(at: Fixtures.url("golden/models/llama-tied-f16"), to: URL(fileURLWithPath: other))
    for command in taken {
      let result = try catalog.run(command[0], Array(command.dropFirst()))
      #expect(result.exitCode == 73, "\(command): \(result.exitCode) \(result.diagnostics)")
    }
    #expect(try catalog.run("init").exitCode == 73)
    #expect(try catalog.digest("--all") == before)
  }

  @Test(arguments: [
    (["--target-bits", "1"], "2.0 to 5.0"), (["--target-bits", "8"], "2.0 to 5.0"),
    (["--target-bits", "3", "--tokens", "64,999999"], "768"), (["--target-bits", "3", "--bits", "3,7"], "evodb build"),
    (["--target-bits", "3", "--method", "rtn"], "evodb build"),
    (["--target-bits", "2.5", "--initial", "uniform"], "random:N"),
    (["--target-stored-bits", "2"], "bits per weight"),
  ]) func impossibleRequestsEndWith78AndNameWhatIsPossible(options: [String], hint: String) throws {
    let catalog = try TinyCatalog()
    let before = try catalog.digest("--all")
    let result = try catalog.run("search", ["--data", "calibration"] + options)
    #expect(result.exitCode == 78, "\(options): \(result.exitCode) \(result.diagnostics)")
    #expect(result.diagnostics.contains(hint), "\(result.diagnostics)")
    #expect(try catalog.number("SELECT count(*) AS n FROM run") == 0)
    #expect(try catalog.digest("--all") == before)
  }

  @Test(arguments: [
    (["evaluate", "uniform:7", "--data", "validation"], "bits=5"),
    (["evaluate", "uniform:3", "--data", "validation", "--memory", "1M"], "the least is"),
    (["evaluate", "uniform:3", "--data", "validation", "--method", "rtn"], "evodb build"),
  ]) func evaluationsThatCannotBeEndWith78(command: [String], hint: String) throws {
    let result = try TinyCatalog().run(command[0], Array(command.dropFirst()))
    #expect(result.exitCode == 78)
    #expect(result.diagnostics.contains(hint), "\(result.diagnostics)")
  }

  @Test(arguments: [
    ["--survivors", "2,2", "--tokens", "64,256"], ["--survivors", "2,1", "--tokens", "64"], ["--initial", "random:0"],
  ]) func contradictoryRecipesEndWith64(options: [String]) throws {
    let catalog = try TinyCatalog()
    let result = try catalog.run("search", ["--target-bits", "3", "--data", "calibration"] + options)
    #expect(result.exitCode == 64, "\(options): \(result.exitCode) \(result.diagnostics)")
    #expect(try catalog.number("SELECT count(*) AS n FROM run") == 0)
  }

  /// sysfs takes no new files from anybody, root included.
  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/sys/kernel")))
  func aPlaceWhereNothingCanBeMadeEndsWith77() throws {
    let result = try CommandLineRunner().run(["init", "/sys/kernel/tiny.evodb"])
    #expect(result.exitCode == 77, "\(result.diagnostics)")
    #expect(!result.diagnostics.contains("Fatal"))
  }

  /// Root passes by permissions unless it gives the capability away.
  @Test func aReadOnlyFolderIsReadableAndEndsWith77ForWriters() throws {
    let catalog = try TinyCatalog(.searched)
    defer { chmod(catalog.folder.path, 0o755) }
    #expect(chmod(catalog.folder.path, 0o555) == 0)
    let drop =
      geteuid() == 0
      ? "setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-dac_override,-dac_read_search" : ""
    if geteuid() == 0, try catalog.runner.shell("\(drop) true").exitCode != 0 { return }
    let digest = try catalog.runner.shell("\(drop) \"$EVODB_BINARY\" digest tiny.evodb")
    #expect(digest.exitCode == 0, "\(digest.diagnostics)")
    for verb in ["resume tiny.evodb", "evaluate tiny.evodb dense --data validation", "init other.evodb"] {
      let result = try catalog.runner.shell("\(drop) \"$EVODB_BINARY\" \(verb)")
      #expect(result.exitCode == 77, "\(verb): \(result.exitCode) \(result.diagnostics)")
    }
    #expect(try catalog.files == ["tiny.evodb"])
  }

  /// A limit on file sizes stands in for a full disk: both are a write that fails, and the file must survive both.
  @Test(arguments: [700, 760, 900, 1200])
  func afterAFullDiskTheFileOpensAndTheCommandGoesOn(kilobytes: Int) throws {
    let catalog = try TinyCatalog(.filled)
    let build = "build tiny.evodb --data calibration --bits 2-5"
    let full = try catalog.runner.shell("trap '' XFSZ; ulimit -f \(kilobytes); exec \"$EVODB_BINARY\" \(build)")
    #expect(full.exitCode == 74, "\(full.diagnostics)")
    #expect(try catalog.run("status").exitCode == 0)
    try catalog.output("build", "--data", "calibration", "--bits", "2-5")
    #expect(try catalog.number("SELECT count(*) AS n FROM variant") == 84)
    #expect(try catalog.digest() == TinyCatalog(.built).digest())
    #expect(try catalog.files == ["tiny.evodb"])
  }

  @Test func aFullDiskLeavesNoHalfMadeCatalog() throws {
    let catalog = try TinyCatalog(.missing)
    let full = try catalog.runner.shell("trap '' XFSZ; ulimit -f 20; exec \"$EVODB_BINARY\" init tiny.evodb")
    #expect(full.exitCode == 74, "\(full.diagnostics)")
    #expect(try catalog.files == [])
  }
}
