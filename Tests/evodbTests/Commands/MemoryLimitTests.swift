import Foundation
import TestSupport
import Testing

/// `--memory` is kept, and changes no result.
@Suite(.usualTimeLimit) struct MemoryLimitTests {
  /// The example model with sequences of 512 tokens, which make activations larger than weights.
  private func prepared() throws -> TinyCatalog {
    let catalog = try TinyCatalog(.made)
    let example = Fixtures.example("prose-10m")
    try catalog.output("import", example.path)
    try catalog.output(
      "data", "long", example.appendingPathComponent("calibration.txt").path, "--sequence-length", "512", "--tokens",
      "4096")
    return catalog
  }

  /// The least that works, from the refusal of one byte.
  private func least(_ catalog: TinyCatalog, _ command: [String]) throws -> Int {
    let refused = try catalog.run(command[0], command.dropFirst() + ["--memory", "1"])
    #expect(refused.exitCode == 78, "\(refused.diagnostics)")
    let text = refused.diagnostics.components(separatedBy: "the least is ").last ?? ""
    return try #require(Int(text.prefix { $0.isNumber }), "\(refused.diagnostics)")
  }

  @Test func limitsAreKeptAndChangeNoBit() throws {
    let build = ["build", "--bits", "2,3", "--layers", #"^model\.layers\.[01]\."#, "--upstream", "dense"]
    let quantize = ["build", "--method", "rtn", "--bits", "3"]
    let evaluate = ["evaluate", "uniform:3", "--method", "rtn", "--data", "long", "--measure", "kl,perplexity"]
    var digests: Set<String> = []
    var figures: Set<String> = []
    for extra in [0, 60, 400] {
      let catalog = try prepared()
      for command in [build, quantize, evaluate] {
        let limit = try least(catalog, command) + extra
        let result = try catalog.run(command[0], command.dropFirst() + ["--memory", "\(limit)M", "--format", "json"])
        #expect(result.exitCode == 0, "\(command) with \(limit)M: \(result.diagnostics)")
        let peak = try catalog.number("SELECT peak_memory_bytes AS n FROM job_summary ORDER BY job_id DESC LIMIT 1")
        // What threads free at one time the allocator keeps for another: on a loaded machine tens of MiB beyond the plan.
        let largest = max(1.1 * Double(limit << 20), Double((limit + 48) << 20))
        #expect(peak > 0 && peak < largest, "\(command) with \(limit)M: \(peak)")
        if command[0] == "evaluate" {
          let fields = try JSONFields(result.output)
          figures.insert("\(try fields.number("kl")) \(try fields.number("perplexity"))")
        }
      }
      digests.insert(try catalog.digest())
    }
    #expect(digests.count == 1 && figures.count == 1, "\(figures)")
  }
}
