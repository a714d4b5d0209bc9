import Foundation
import TestSupport
import Testing

/// Searches whose target is a whole file.
@Suite(.usualTimeLimit) struct FileBudgetVerbTests {
  private static let size = 140_000
  private static let search = [
    "search", "--budget", "file", "--target-bytes", "\(size)", "--embedding-type", "Q8_0", "--generations", "2",
    "--offspring", "4", "--survivors", "2,1", "--tokens", "64,128", "--data", "calibration", "--validation",
    "validation", "--name", "sized",
  ]

  private func built() throws -> TinyCatalog {
    let catalog = try TinyCatalog(.filled)
    try catalog.output("build", "--data", "calibration", "--method", "kquant", "--types", "Q2_K,Q4_K,Q8_0")
    return catalog
  }

  private func exported(_ catalog: TinyCatalog, _ options: [String], to name: String) throws -> (
    size: Int, notes: String
  ) {
    let result = try catalog.run("export", options + ["--to", "gguf", "-o", name])
    #expect(result.exitCode == 0, "\(result.diagnostics)")
    let path = catalog.folder.appendingPathComponent(name).path
    let size = try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
    return (size, result.diagnostics)
  }

  @Test(arguments: ["guided", "evopress"]) func theExportedFileHasAtMostTheTarget(strategy: String) throws {
    let catalog = try built()
    let sizes = try catalog.json(Self.search + ["--strategy", strategy, "--dry-run"])
    #expect(try sizes.integer("smallest_file_bytes") < Self.size && sizes.integer("largest_file_bytes") > Self.size)
    let found = try catalog.json(Self.search + ["--strategy", strategy])
    let file = try exported(catalog, ["sized"], to: "sized.gguf")
    #expect(try file.size == found.integer("file_bytes") && file.size <= Self.size)
    // By its digest it is an assignment like any other; and who asks for more than the budget is told.
    let plain = try exported(catalog, [found.text("assignment")], to: "plain.gguf")
    #expect(plain.size > file.size)
    let wide = try exported(catalog, ["sized", "--embedding-type", "F32"], to: "wide.gguf")
    #expect(wide.size > plain.size)
    #expect(!file.notes.contains("budget"))
    #expect(wide.size > Self.size && wide.notes.contains("more than the \(Self.size) of the run's budget"))
    let row = try #require(try catalog.rows("SELECT target_bytes FROM run_summary WHERE run = 'sized'").first)
    #expect(try row.integer("target_bytes") == Self.size)
    let again = try catalog.json(Self.search + ["--strategy", strategy])
    #expect(try again.integer("forward_tokens") == 0)
    let branch = try catalog.json("branch", "sized", "--name", "smaller", "--set", "target-bytes=125000")
    #expect(try branch.integer("file_bytes") <= 125_000)
    let smaller = try exported(catalog, ["smaller"], to: "smaller.gguf")
    #expect(try smaller.size == branch.integer("file_bytes"))
    // Another embedding leaves other room for the layers.
    let other = try catalog.json("branch", "sized", "--name", "dense-embedding", "--set", "embedding-type=F32")
    #expect(try exported(catalog, ["dense-embedding"], to: "other.gguf").size == other.integer("file_bytes"))
    #expect(try other.integer("file_bytes") <= Self.size)
    #expect(try catalog.run("verify").exitCode == 0)
  }

  @Test func frontsAndBaselinesCountTheFile() throws {
    let catalog = try built()
    let front = try catalog.output(
      "front", "--from", "125000B", "--to", "145000B", "--points", "3", "--budget", "file", "--sweep-tokens", "64",
      "--data", "calibration", "--format", "jsonl")
    let rows = try front.split(separator: "\n").map { try JSONFields(String($0)) }
    #expect(try zip(rows, [125_000, 135_000, 145_000]).allSatisfy { try $0.integer("file_bytes") <= $1 })
    let point = try #require(rows.last)
    #expect(
      try exported(catalog, [point.text("assignment")], to: "point.gguf").size == point.integer("file_bytes"))
    let baseline = try catalog.json(
      "baseline", "dp", "--target-bytes", "140000", "--budget", "file", "--data", "calibration", "--name", "dp")
    #expect(try exported(catalog, ["dp"], to: "dp.gguf").size == baseline.integer("file_bytes"))
    #expect(try baseline.integer("file_bytes") <= 140_000)
  }

  @Test func wrongRequestsEndWithTheirCode() throws {
    let catalog = try built()
    let cases: [([String], Int32, String)] = [
      (["--target-bits", "5", "--budget", "file"], 64, "--budget file needs a target in bytes"),
      (["--target-stored-bits", "5", "--budget", "file"], 64, "--budget file needs a target in bytes"),
      (["--target", "drop=1", "--budget", "file"], 64, "--budget file needs a target in bytes"),
      (["--target-bytes", "140000", "--budget", "files"], 64, "--budget"),
      (["--target-bytes", "140000", "--budget", "file", "--for", "vllm"], 64, "--for vllm runs none"),
      (["--target-bytes", "140000", "--budget", "file", "--allow-drop"], 64, "does not go with --allow-drop"),
      (
        ["--target-bytes", "140000", "--budget", "file", "--method", "gptq"], 64, "needs --method kquant or kquant-gptq"
      ),
      (["--target-bytes", "140000", "--embedding-type", "Q6_K"], 64, "--embedding-type is for --budget file"),
      (["--target-bytes", "140000", "--no-tokenizer"], 64, "--no-tokenizer is for --budget file"),
      (["--target-bytes", "20000", "--budget", "file"], 78, "the smallest has"),
      (["--target-bytes", "60M", "--budget", "file"], 78, "the largest"),
    ]
    for (options, code, text) in cases {
      let result = try catalog.run("search", options)
      #expect(result.exitCode == code, "\(options): \(result.exitCode) \(result.diagnostics)")
      #expect(result.diagnostics.contains(text), "\(options): \(result.diagnostics)")
    }
    let sensitivity = try catalog.run("sensitivity", ["--budget", "file"])
    #expect(sensitivity.exitCode == 64 && sensitivity.diagnostics.contains("--budget file has no use"))
    let opt = try catalog.run("import", [Fixtures.url("golden/models/opt").path, "--name", "opt"])
    #expect(opt.exitCode == 0, "\(opt.diagnostics)")
    let family = try catalog.run(
      "search", ["--model", "opt", "--target-bytes", "140000", "--budget", "file", "--data", "calibration"])
    #expect(family.exitCode == 78 && family.diagnostics.contains("family opt"), "\(family.diagnostics)")
  }

  @Test func severalMethodsWithTypesAreToldApart() throws {
    let catalog = try built()
    try catalog.output("build", "--data", "calibration", "--method", "kquant-gptq", "--types", "Q2_K,Q8_0")
    let search = [
      "--target", "7.5bit", "--for", "gguf", "--generations", "1", "--offspring", "2", "--survivors", "1", "--tokens",
      "64", "--data", "calibration",
    ]
    let open = try catalog.run("search", search)
    #expect(open.exitCode == 0 && open.diagnostics.contains("the types are those of kquant; kquant-gptq is built too"))
    let named = try catalog.run("search", search + ["--method", "kquant-gptq", "--name", "named"])
    #expect(named.exitCode == 0 && !named.diagnostics.contains("is built too"), "\(named.diagnostics)")
    let methods = try catalog.rows(
      "SELECT DISTINCT l.method FROM assignment_layer l JOIN run_summary r ON r.found_assignment = l.assignment "
        + "WHERE r.run = 'named'")
    #expect(try methods.map { try $0.text("method") } == ["kquant-gptq"])
  }
}
