import Foundation
import Inference
import TestSupport
import Testing

extension WholeRunTests {
  /// One arithmetic on every machine: what kernels and threads may change, and what is kept apart.
  @Suite(.usualTimeLimit) struct ArithmeticTests {
    private static let steps = [
      ["build", "--bits", "2-4", "--data", "calibration"],
      ["search"] + TinyCatalog.guidedRecipe + ["--data", "calibration", "--name", "first"],
      ["evaluate", "first", "--data", "validation", "--arithmetic", "bfloat16"],
    ]

    /// A catalog with levels, a search and an evaluation in bfloat16, made by a kernel set.
    private func made(by kernels: KernelSet, threads: Int) throws -> TinyCatalog {
      let catalog = try TinyCatalog(.filled)
      for step in Self.steps { try work(step, in: catalog, kernels, threads: threads) }
      return catalog
    }

    @discardableResult
    private func work(
      _ step: [String], in catalog: TinyCatalog, _ kernels: KernelSet, threads: Int = 1
    ) throws -> JSONFields {
      var runner = catalog.runner
      runner.environment[KernelSet.variable] = kernels.rawValue
      let result = try runner.run(
        [step[0], catalog.path] + step.dropFirst() + ["--threads", "\(threads)", "--format", "json"])
      try #require(result.exitCode == 0, "\(kernels), \(step): \(result.diagnostics)")
      return try JSONFields(result.output)
    }

    @Test func everyKernelSetAndThreadCountGivesTheSameDigest() throws {
      let expected = try made(by: .portable, threads: 1).digest()
      for kernels in KernelSet.available {
        for threads in [1, 3] where kernels != .portable || threads > 1 {
          #expect(try made(by: kernels, threads: threads).digest() == expected, "\(kernels), \(threads) threads")
        }
      }
    }

    @Test func resultsOfOneKernelSetAreWarmUnderAnother() throws {
      let mine = try made(by: .portable, threads: 1)
      let pack = mine.folder.appendingPathComponent("pack.evodb").path
      try mine.output("pack", "--run", "first", "-o", pack)
      // Hers has the same levels, built by her own processor.
      let theirs = try TinyCatalog(.filled)
      try work(Self.steps[0], in: theirs, .fastest)
      try theirs.output("merge", pack)
      let search = try work(Self.steps[1], in: theirs, .fastest)
      #expect(try search.integer("forward_tokens") == 0)
    }

    @Test func bfloat16AnswersQuestionsOfItsOwn() throws {
      let catalog = try TinyCatalog(.built)
      let question = ["evaluate", "uniform:3", "--data", "validation", "--measure", "kl,perplexity"]
      let rough = try catalog.json(question + ["--arithmetic", "bfloat16"])
      let exact = try catalog.json(question)
      #expect(try rough.integer("forward_tokens") > 0 && exact.integer("forward_tokens") > 0)
      for name in ["kl", "perplexity"] {
        let (a, b) = (try rough.number(name), try exact.number(name))
        // Two arithmetics, one model.
        #expect(a != b && abs(a / b - 1) < 0.1, "\(name): \(a), \(b)")
      }
      #expect(try catalog.json(question + ["--arithmetic", "bfloat16"]).integer("forward_tokens") == 0)
      let labels = try catalog.rows("SELECT DISTINCT measure FROM evaluation_summary ORDER BY 1")
      #expect(try labels.map { try $0.text("measure") } == ["kl", "kl-bfloat16", "perplexity", "perplexity-bfloat16"])
      // Float32 products of OpenBLAS differ by rounding only: their answers stand for each other.
      #expect(try catalog.json(question + ["--arithmetic", "openblas"]).integer("forward_tokens") == 0)
    }

    @Test func aSearchKeepsItsArithmetic() throws {
      let catalog = try TinyCatalog(.built)
      let search = TinyCatalog.firstSearch + ["--arithmetic", "bfloat16"]
      let whole = try catalog.json(search)
      #expect(try catalog.json(["resume", "first"]).integer("forward_tokens") == 0)
      #expect(try catalog.json(["replay", "first"]).text("equal_numerics") == "yes")
      let measure = "SELECT DISTINCT measure FROM run_result WHERE run = 'first' ORDER BY 1"
      #expect(
        try catalog.rows(measure).map { try $0.text("measure") } == ["kl-bfloat16", "perplexity-bfloat16"])
      #expect(try whole.number("kl") > 0)
      let refused = try catalog.run("resume", "first", "--arithmetic", "float32")
      #expect(refused.exitCode == 64 && refused.diagnostics.contains("kl-bfloat16"), "\(refused.diagnostics)")
      try catalog.output("branch", "first@2", "--name", "second", "--set", "generations=3", "--set", "seed=4")
      let branch = try catalog.rows("SELECT measure FROM run_summary WHERE run = 'second'")
      #expect(try branch[0].text("measure") == "kl-bfloat16")
      // The fitness of stages is held against its sums, which are logarithms here.
      let likelihood = ["--data", "calibration", "--name", "third", "--measure", "perplexity"]
      try catalog.output(["search"] + TinyCatalog.recipe + likelihood + ["--arithmetic", "bfloat16"])
      try catalog.output("verify")
    }

    @Test func whatCannotBeInBFloat16IsRefused() throws {
      let catalog = try TinyCatalog(.filled)
      for command in [
        ["build", "--bits", "3", "--data", "calibration"], ["calibrate", "--data", "calibration"],
        ["evaluate", "dense", "--tasks", "tasks.jsonl"],
        ["data", "generated", "--generate", "--tokens", "64", "--sequence-length", "32"],
      ] {
        let result = try catalog.run(command[0], Array(command.dropFirst()) + ["--arithmetic", "bfloat16"])
        #expect(result.exitCode == 64 && result.diagnostics.contains("bfloat16"), "\(command): \(result.diagnostics)")
      }
    }

    @Test func kernelsThatAreNotHereAreRefusedByEveryVerb() throws {
      let catalog = try TinyCatalog(.made)
      var runner = catalog.runner
      let missing = try #require(KernelSet.allCases.first { !$0.isAvailable })
      for (value, reason) in [("fast", "no such kernel set"), (missing.rawValue, missing.rawValue)] {
        runner.environment[KernelSet.variable] = value
        for verb in ["status", "doctor", "search"] {
          let result = try runner.run([verb, catalog.path])
          #expect(result.exitCode == 78 && result.diagnostics.contains(reason), "\(verb): \(result.diagnostics)")
        }
      }
    }

    @Test func doctorNamesTheProcessorAndItsKernels() throws {
      let catalog = try TinyCatalog(.made)
      var runner = catalog.runner
      runner.environment[KernelSet.variable] = KernelSet.portable.rawValue
      let lines = try runner.run(["doctor", "--format", "jsonl"]).output.split(separator: "\n")
      let kernels = try #require(lines.first { $0.contains(#""kernels""#) })
      #expect(kernels.contains("portable, of \(KernelSet.available.map(\.rawValue).joined(separator: " "))"))
      #expect(lines.contains { $0.contains(#""arithmetic""#) && $0.contains(Arithmetic.bfloat16.identity) })
      #expect(lines.contains { $0.contains(#""processor""#) })
    }
  }
}
