import Foundation
import TestSupport
import Testing

@testable import evodb

/// Every verb doing what it is for, as a table for people and as JSON with the names that scripts rely on.
@Suite(.usualTimeLimit) struct VerbTests {
  @Test func initMakesAnEmptyCatalogOfOneFile() throws {
    let catalog = try TinyCatalog(.missing)
    let result = try catalog.run("init")
    #expect(result.exitCode == 0)
    #expect(result.output.isEmpty)
    #expect(result.diagnostics.contains("evodb import"))
    #expect(try catalog.files == ["tiny.evodb"])
    #expect(try catalog.run("init", "--quiet").exitCode == 73)
    #expect(try catalog.json("status").integer("model_count") == 0)
  }

  @Test func importTakesAModelInAndFindsItAgain() throws {
    let catalog = try TinyCatalog(.made)
    let model = try catalog.json("import", TinyCatalog.model, "--name", "small")
    #expect(try model.text("model") == "small")
    #expect(try model.text("architecture") == "llama")
    #expect(try model.integer("block_count") == 3)
    #expect(try model.integer("compressible_weight_count") == 3 * (64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 112))
    let again = try catalog.json("import", TinyCatalog.model)
    #expect(try again.text("digest") == model.text("digest"))
    #expect(try catalog.number("SELECT count(*) AS n FROM model") == 1)
    #expect(try catalog.run("import", TinyCatalog.model).output.contains("compressible_weight_count"))
  }

  @Test func dataTakesTokenIdsAndFindsThemAgain() throws {
    let catalog = try TinyCatalog(.filled)
    let command = ["data", "calibration", "--token-ids", "calibration.safetensors"]
    let set = try catalog.json(command)
    #expect(try set.integer("sequence_count") == 24)
    #expect(try set.integer("token_count") == 768)
    #expect(try set.integer("dropped_token_count") == 0)
    #expect(try catalog.run(command[0], Array(command.dropFirst())).diagnostics.contains("there already"))
    #expect(try catalog.number("SELECT count(*) AS n FROM data_set") == 2)
  }

  @Test func dataCutsATextAndSaysHowLongTheTailIs() throws {
    let catalog = try TinyCatalog(.made)
    try catalog.output("import", Fixtures.example("prose-10m").path)
    let text = String(repeating: "The river had risen in the night. ", count: 30)
    try Data(text.utf8).write(to: catalog.folder.appendingPathComponent("a.txt"))
    let set = try catalog.json("data", "prose", "a.txt", "--sequence-length", "32")
    let sequences = try set.integer("sequence_count")
    let tail = try set.integer("dropped_token_count")
    #expect(sequences > 1 && tail < 32)
    let two = try catalog.json("data", "two", "a.txt", "a.txt", "--sequence-length", "32", "--documents", "separate")
    #expect(try two.integer("sequence_count") == 2 * sequences)
    #expect(try two.integer("dropped_token_count") == 2 * tail)
    let limited = try catalog.json("data", "some", "a.txt", "--sequence-length", "32", "--tokens", "70")
    #expect(try limited.integer("token_count") == 64)
    let headed = try catalog.json("data", "bos", "a.txt", "--sequence-length", "32", "--bos", "each-sequence")
    #expect(try headed.integer("token_count") >= set.integer("token_count"))
  }

  @Test func calibrateKeepsStatisticsThatBuildUses() throws {
    let catalog = try TinyCatalog(.filled)
    let calibrated = try catalog.json("calibrate", "--data", "calibration")
    #expect(try calibrated.integer("computed_statistic_count") == 12)
    #expect(try calibrated.integer("built_variant_count") == 21, "the upstream variants, 7 layers in each of 3 blocks")
    #expect(try calibrated.integer("forward_tokens") > 0)
    let built = try catalog.json("build", "--bits", "2-4")
    #expect(try built.integer("found_statistic_count") == 12)
    #expect(try built.integer("built_variant_count") == 42)
    #expect(try built.integer("found_variant_count") == 21)
    #expect(try built.integer("forward_tokens") == 0)
    #expect(try built.integer("built_bytes") > 0)
  }

  @Test(arguments: ["all", "diagonal", "none"]) func dryRunsSayWhatIsThenStored(keeps: String) throws {
    let catalog = try TinyCatalog(.filled)
    let command = ["build", "--data", "calibration", "--bits", "2,3", "--keep-statistics", keeps]
    let estimate = try catalog.json(command + ["--dry-run"])
    #expect(try catalog.number("SELECT count(*) AS n FROM variant") == 0)
    try catalog.output(command)
    #expect(try estimate.number("variant_count") == catalog.number("SELECT count(*) AS n FROM variant"))
    #expect(
      try estimate.number("variant_bytes")
        == catalog.number("SELECT sum(byte_count) AS n FROM blob WHERE id IN (SELECT blob_id FROM variant)"))
    #expect(
      try estimate.number("statistic_bytes")
        == catalog.number(
          """
          SELECT coalesce(sum(byte_count), 0) AS n FROM statistic s
          JOIN blob b ON b.id IN (s.matrix_blob_id, s.diagonal_blob_id)
          """))
    #expect(try estimate.has("forward_tokens") && estimate.has("activation_bytes"))
  }

  @Test func roundToNearestNeedsNoData() throws {
    let catalog = try TinyCatalog(.filled)
    let built = try catalog.json("build", "--method", "rtn", "--bits", "3,4", "--symmetric")
    #expect(try built.integer("built_variant_count") == 42)
    #expect(try built.integer("forward_tokens") == 0)
    #expect(try built.integer("computed_statistic_count") == 0)
    let value = try catalog.json("evaluate", "uniform:4", "--method", "rtn", "--data", "validation")
    #expect(try value.number("kl") > 0)
  }

  @Test func evaluateGivesNamedNumbers() throws {
    let catalog = try TinyCatalog()
    let value = try catalog.json(
      "evaluate", "uniform:3", "--data", "validation", "--measure", "kl,topk-kl:5,perplexity")
    #expect(try value.number("average_bits") == 3)
    #expect(try value.number("average_stored_bits") > 3)
    #expect(try value.integer("stored_bytes") > 0)
    for name in ["kl", "topk_kl", "perplexity"] {
      #expect(try value.number(name) > 0)
      #expect(try value.number("\(name)_standard_error") > 0)
    }
    #expect(try value.integer("forward_tokens") > 0)
    let again = try catalog.json("evaluate", "uniform:3", "--data", "validation")
    #expect(try again.integer("forward_tokens") == 0)
    #expect(try again.integer("cache_hits") == 8)
    #expect(try again.number("kl") == value.number("kl"))
    let dense = try catalog.json("evaluate", "dense", "--data", "validation")
    #expect(try dense.number("kl") == 0)
    let digest = try value.text("assignment")
    #expect(try catalog.json("evaluate", String(digest.prefix(8)), "--data", "validation").text("assignment") == digest)
    let table = try catalog.output("evaluate", "uniform:3", "--data", "validation")
    #expect(table.contains("kl_standard_error") && table.contains("perplexity"))
  }

  @Test func searchPrintsWhatTheViewHolds() throws {
    let catalog = try TinyCatalog()
    let found = try catalog.json(TinyCatalog.firstSearch)
    for row in try catalog.rows("SELECT * FROM run_result WHERE run = 'first' AND data_set_role = 'validation'") {
      let point = try row.text("point")
      let prefix = point == "found" ? "" : "\(point)_"
      let measure = try row.text("measure")
      #expect(try found.number(prefix + measure) == row.number("value"))
      #expect(try found.number("\(prefix)\(measure)_standard_error") == row.number("standard_error"))
      #expect(try found.text("\(prefix)assignment") == row.text("assignment"))
      #expect(try found.number("\(prefix)average_bits") == row.number("average_bits"))
      #expect(try found.number("\(prefix)stored_bytes") == row.number("stored_bytes"))
    }
    #expect(try found.text("state") == "finished")
    #expect(try found.integer("forward_tokens") > 0)
    #expect(try found.integer("cache_hits") > 0)
    for name in ["average_stored_bits", "kl_difference", "kl_difference_standard_error", "kl_calibration"] {
      #expect(found.has(name), "\(name)")
    }
  }

  @Test func searchReportsInWords() throws {
    let catalog = try TinyCatalog(.searched)
    let shown = try catalog.output("show", "first")
    for text in ["calibration", "validation", "dense", "uniform 3", "found", "perplexity", "ecommended"] {
      #expect(shown.contains(text), "\(text) in:\n\(shown)")
    }
    #expect(try catalog.output("show", "first") == shown)
    #expect(try catalog.output("show") == shown)
  }

  @Test func theLooksAgreeWithEachOther() throws {
    let catalog = try TinyCatalog(.searched)
    let best = try catalog.json("show")
    #expect(try best.text("run") == "first")
    #expect(try best.text("recommendation") == "found" || best.text("recommendation") == "reference")
    #expect(!best.has("forward_tokens"), "nothing was computed")
    let runs = try catalog.output("ls", "runs", "--format", "jsonl")
    let run = try JSONFields(runs)
    #expect(try run.integer("generation") == 4)
    #expect(try run.number("value") == best.number("kl"))
    let status = try catalog.json("status")
    #expect(try status.integer("run_count") == 1)
    #expect(try status.integer("open_run_count") == 0)
    #expect(try status.integer("variant_count") == 84)
    #expect(try status.integer("forward_tokens") > 0)
    #expect(try status.integer("cache_hits") > 0)
    #expect(status.isNull("writer"))
    let layers = try catalog.output("show", best.text("assignment"), "--format", "jsonl").split(separator: "\n")
    #expect(layers.count == 21)
    let bits = try layers.map { try JSONFields(String($0)) }.reduce(0) {
      $0 + (try $1.number("bits")) * (try $1.number("weight_count"))
    }
    let weights = try catalog.number("SELECT compressible_weight_count AS n FROM model")
    #expect(bits / weights == (try best.number("average_bits")))
  }

  @Test(arguments: ["table", "json", "jsonl", "csv"]) func everyReadingVerbHasEveryFormat(format: String) throws {
    let catalog = try TinyCatalog(.searched)
    for command in [
      ["status"], ["log"], ["ls", "variants"], ["show"], ["show", "first"], ["digest"],
      ["query", "SELECT * FROM run_result"],
    ] {
      let text = try catalog.output(command + ["--format", format])
      switch format {
      case "json": #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(text.utf8)) }
      case "jsonl": for line in text.split(separator: "\n") { _ = try JSONFields(String(line)) }
      default: #expect(!text.isEmpty)
      }
    }
  }

  @Test func digestTellsContentFromProvenance() throws {
    let one = try TinyCatalog(.searched)
    let two = try TinyCatalog(.built)
    try two.output(TinyCatalog.firstSearch.map { $0 == "first" ? "another-name" : $0 })
    #expect(try one.digest() == two.digest())
    #expect(try one.digest("--all") != two.digest("--all"))
    #expect(try one.digest() != TinyCatalog(.built).digest())
  }

  @Test func checkSaysWhatAFolderIs() throws {
    let runner = try CommandLineRunner()
    let result = try JSONFields(runner.run(["check", TinyCatalog.model, "--format", "json"]).output)
    #expect(try result.text("architecture") == "llama")
    #expect(try result.text("supported") == "yes")
    #expect(try result.integer("vocabulary_size") == 96)
    #expect(try result.text("tokenizer") == "none")
    let example = try runner.run(["check", Fixtures.example("prose-10m").path])
    #expect(example.output.contains("4096 tokens"))
  }

  @Test func schemaPrintsTheFileThatDatabasesAreMadeFrom() throws {
    let schema = try String(contentsOf: Fixtures.repositoryFile("schema.sql"), encoding: .utf8)
    #expect(try CommandLineRunner().run(["schema"]).output == schema)
  }

  @Test func everyVerbHasAHelpPageWithAllItsOptions() throws {
    // In this process, which may know methods of other tests, and after the options were read.
    func page(_ arguments: [String]) -> String {
      let context = CommandContext()
      #expect(Evodb.registry.run(arguments, in: context) == .success)
      return context.output.captured
    }
    let options = Evodb.registry.commands.map { ArgumentSet(of: $0.init()).optionSpecifications }
    let markdown = page(["help", "--markdown"])
    let overview = page(["help"])
    for (command, options) in zip(Evodb.registry.commands, options) {
      let text = page([command.name, "--help"])
      #expect(text.contains("Usage: evodb \(command.name)") && !text.contains("……"))
      #expect(overview.contains(command.name) && overview.contains(command.abstract.prefix(30)))
      #expect(markdown.contains("## evodb \(command.name)\n"))
      for option in options {
        #expect(text.contains(option.name), "\(command.name) \(option.name)")
        #expect(markdown.contains(option.name), "\(command.name) \(option.name)")
      }
    }
  }
}
