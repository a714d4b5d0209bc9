import Foundation
import TestSupport
import Testing

/// The estimates of dry runs, held against the time and memory then used.
@Suite(.usualTimeLimit) struct EstimateTests {
  private static let names = ["disk_bytes", "forward_tokens", "peak_memory_bytes", "seconds"]

  @Test(arguments: [["calibrate"], ["build", "--bits", "2-5"], ["build", "--method", "rtn", "--bits", "4"]])
  func dryRunsChangeNothingAndRealRunsKeepTheirOwnEstimate(_ command: [String]) throws {
    let catalog = try TinyCatalog(.filled)
    let command = command + ["--data", "calibration"]
    let before = try Data(contentsOf: URL(fileURLWithPath: catalog.path))
    let estimate = try catalog.json(command + ["--dry-run"])
    #expect(try Data(contentsOf: URL(fileURLWithPath: catalog.path)) == before)
    #expect(try catalog.files == ["tiny.evodb"])
    for name in Self.names { #expect(try estimate.number(name) >= 0, "\(name)") }
    #expect(try estimate.number("seconds") > 0 && estimate.number("peak_memory_bytes") > 1e6)

    let real = try catalog.json(command)
    let job = try #require(try catalog.rows("SELECT * FROM job_summary ORDER BY job_id DESC LIMIT 1").first)
    #expect(try job.number("estimated_forward_token_count") == estimate.number("forward_tokens"))
    #expect(try job.number("estimated_disk_bytes") == estimate.number("disk_bytes"))
    #expect(try job.number("estimated_peak_memory_bytes") == estimate.number("peak_memory_bytes"))
    #expect(try job.number("estimated_seconds") > 0 && job.number("elapsed_seconds") > 0)
    #expect(try job.number("forward_token_count") == real.number("forward_tokens"))
    // The passes are counted, not measured: the estimate is exact.
    #expect(try job.number("estimated_forward_token_count") == real.number("forward_tokens"))
    #expect(try job.number("peak_memory_bytes") > 1e6)
    #expect(try job.number("disk_bytes") > 0)
    let status = try catalog.output("status")
    #expect(status.contains("\(command[0]), done: ") && status.contains("(estimated "), "\(status)")
  }

  @Test func theChoiceOfTheFirstParentCounts() throws {
    let catalog = try TinyCatalog()
    let search = [
      "search", "--target-bits", "2.5", "--data", "calibration", "--generations", "0", "--initial-tokens", "128",
      "--strategy", "evopress",
    ]
    let one = try catalog.json(search + ["--initial", "random:1", "--dry-run"]).integer("forward_tokens")
    let many = try catalog.json(search + ["--initial", "random:50", "--dry-run"]).integer("forward_tokens")
    #expect(many - one == 50 * 128)
  }

  @Test func whatIsThereAlreadyIsExpectedToTakeNothing() throws {
    let catalog = try TinyCatalog(.built)
    let estimate = try catalog.json("build", "--data", "calibration", "--bits", "2-5", "--dry-run")
    #expect(try estimate.number("seconds") == 0)
    #expect(try estimate.number("forward_tokens") == 0 && estimate.number("disk_bytes") == 0)
    let other = try catalog.json("build", "--data", "calibration", "--bits", "2-6", "--dry-run")
    #expect(try other.number("seconds") > 0 && other.number("disk_bytes") > 0)
  }

  @Test func tooLittleMemoryIsRefusedByDryRunsAndRealRunsAlike() throws {
    let catalog = try TinyCatalog(.filled)
    for options in [[], ["--dry-run"]] {
      let result = try catalog.run("build", ["--data", "calibration", "--memory", "1M"] + options)
      #expect(result.exitCode == 78 && result.diagnostics.contains("the least is"), "\(result.diagnostics)")
    }
  }

  @Test func searchesKeepTheirEstimateToo() throws {
    let catalog = try TinyCatalog(.built)
    let command = ["search", "--data", "calibration"] + TinyCatalog.recipe
    let estimate = try catalog.json(command + ["--dry-run"])
    for name in Self.names { #expect(try estimate.number(name) > 0, "\(name)") }
    try catalog.output(command)
    let job = try #require(try catalog.rows("SELECT * FROM job_summary ORDER BY job_id DESC LIMIT 1").first)
    #expect(try job.number("estimated_forward_token_count") == estimate.number("forward_tokens"))
    // Some candidates meet sequences that they were evaluated on before.
    #expect(try job.number("forward_token_count") <= job.number("estimated_forward_token_count"))
    #expect(try job.number("forward_token_count") > 0.5 * job.number("estimated_forward_token_count"))
    #expect(try job.number("estimated_seconds") > 0)
    #expect(try catalog.output("status").contains("search, done: "))
    // Nothing is left to do: nothing is expected.
    try catalog.output(command)
    #expect(
      try catalog.number("SELECT estimated_seconds IS NULL AS n FROM job_summary ORDER BY job_id DESC LIMIT 1") == 1)
  }
}
