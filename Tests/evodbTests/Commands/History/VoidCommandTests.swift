import Foundation
import TestSupport
import Testing

/// `evodb void`: what it excludes, previews and refuses.
@Suite(.usualTimeLimit) struct VoidCommandTests {
  private func found(_ catalog: TinyCatalog) throws -> String {
    try #require(try catalog.rows("SELECT found_assignment AS a FROM run_summary").first).text("a")
  }

  @Test func aVoidResultIsGoneFromTheReportUntilItIsComputedAgain() throws {
    let catalog = try TinyCatalog(.searched)
    let assignment = try found(catalog)
    let before = try catalog.json("show")
    let value = "SELECT count(*) FROM evaluation_summary WHERE assignment = '\(assignment)'"
    #expect(try catalog.number(value) == 4)
    let result = try catalog.json("void", "\(assignment.prefix(12)):validation", "--reason", "cut wrongly")
    #expect(try result.integer("voided_count") == 16)
    #expect(try result.integer("already_void_count") == 0)
    #expect(try catalog.number(value) == 2)
    #expect(try catalog.json("show").isNull("kl"))
    let again = try catalog.json("void", "\(assignment.prefix(12)):validation", "--reason", "cut wrongly")
    #expect(try again.integer("voided_count") == 0)
    #expect(try again.integer("already_void_count") == 16)

    let resumed = try catalog.json("resume", "first")
    #expect(try resumed.integer("evaluations") == 8)
    let after = try catalog.json("show")
    #expect(try after.number("kl") == before.number("kl"))
    #expect(try catalog.number("SELECT count(*) FROM observation WHERE attempt = 1") == 16)
    #expect(try catalog.json("resume", "first").integer("evaluations") == 0)
  }

  @Test func aBrokenJobIsVoidAsAWholeAndAPreviewChangesNothing() throws {
    let catalog = try TinyCatalog(.searched)
    let job = try #require(try catalog.rows("SELECT job FROM job_summary WHERE command = 'search'").first).text("job")
    let all = try catalog.number("SELECT count(*) FROM observation")
    let bytes = try Data(contentsOf: URL(fileURLWithPath: catalog.path))
    let preview = try catalog.json("void", "--job", String(job.prefix(8)), "--reason", "x", "--dry-run")
    #expect(try preview.number("would_void_count") == all)
    #expect(try Data(contentsOf: URL(fileURLWithPath: catalog.path)) == bytes)
    #expect(try catalog.json("void", "--job", job, "--reason", "x").number("voided_count") == all)
    #expect(try catalog.number("SELECT count(*) FROM evaluation") == 0)
    #expect(try catalog.number("SELECT count(*) FROM candidate_result WHERE NOT is_based_on_void") == 0)
  }

  private static let refused: [(arguments: [String], code: Int32)] = [
    (["ffffffff", "--reason", "x"], 66), (["first:nowhere", "--reason", "x"], 66),
    (["first:validation:topk-kl", "--reason", "x"], 66), (["--job", "ffffffff", "--reason", "x"], 66),
    (["--numerics", "0000000000", "--reason", "x"], 66), (["--job", "1", "--reason", "x"], 66),
    (["first"], 64), (["first", "--reason", ""], 64), (["--reason", "x"], 64), (["first:", "--reason", "x"], 64),
    ([":validation", "--reason", "x"], 64),
  ]

  @Test(arguments: refused) func whatNamesNothingIsRefusedAndChangesNothing(arguments: [String], code: Int32) throws {
    let catalog = try TinyCatalog(.searched)
    let result = try catalog.run("void", arguments)
    #expect(result.exitCode == code, "\(arguments): \(result.diagnostics)")
    #expect(try catalog.number("SELECT count(*) FROM observation_void") == 0)
  }
}
