import TestSupport
import Testing

@testable import evodb

@Suite(.usualTimeLimit) struct ArgumentParsingTests {
  @Test func argumentsThatAreNotGivenHaveTheirDefaults() throws {
    let command = try SampleCommand.parsed("a.evodb")
    #expect(command.catalog == "a.evodb")
    #expect(command.files == [])
    #expect(command.seed == 7)
    #expect(command.damping == 0.01)
    #expect(command.size == nil)
    #expect(command.levels == [2, 3, 4])
    #expect(command.only == [])
    #expect(!command.force)
    #expect(command.output.format == .table)
    #expect(!command.dryRun.isDryRun)
    #expect(!command.$seed.wasGiven)
  }

  @Test func everyKindOfArgumentIsRead() throws {
    let command = try SampleCommand.parsed(
      "--seed", "12", "a.evodb", "--damping=0.5", "--size", "1GiB", "--levels", "2-4,8", "--survivors=4,4,1",
      "--only", "x", "--only=y", "--force", "--format", "jsonl", "--dry-run", "b", "c")
    #expect(command.catalog == "a.evodb")
    #expect(command.files == ["b", "c"])
    #expect(command.seed == 12)
    #expect(command.$seed.wasGiven)
    #expect(command.damping == 0.5)
    #expect(command.size?.bytes == 1 << 30)
    #expect(command.levels == [2, 3, 4, 8])
    #expect(command.survivors == [4, 4, 1])
    #expect(command.only == ["x", "y"])
    #expect(command.force)
    #expect(command.output.format == .jsonl)
    #expect(command.dryRun.isDryRun)
  }

  @Test func negativeNumbersAreValuesAndNotOptions() throws {
    #expect(try SampleCommand.parsed("a", "--offset", "-5").offset == -5)
    #expect(try SampleCommand.parsed("a", "--offset=-5").offset == -5)
    #expect(try SampleCommand.parsed("-5").catalog == "-5")
  }

  @Test func twoDashesEndTheOptions() throws {
    let command = try SampleCommand.parsed("--force", "--", "--seed", "--", "-h")
    #expect(command.catalog == "--seed")
    #expect(command.files == ["--", "-h"])
    #expect(!ArgumentSet.asksForHelp(["a", "--", "--help"]))
    #expect(ArgumentSet.asksForHelp(["a", "--help"]))
  }

  @Test func aSingleDashIsAFileName() throws {
    #expect(try SampleCommand.parsed("a", "--text", "-").text == "-")
  }

  @Test func aValueMayContainEqualSignsAndBeEmpty() throws {
    #expect(try SampleCommand.parsed("a", "--text=x=y=z").text == "x=y=z")
    #expect(try SampleCommand.parsed("a", "--text=").text == "")
  }

  @Test func listsAreJoinedWhenTheirOptionIsRepeated() throws {
    #expect(try SampleCommand.parsed("a", "--levels", "2,3", "--levels=3,8").levels == [2, 3, 8])
  }

  @Test func anOptionGivenTwiceIsAnErrorThatShowsBothValues() {
    let message = usageError { try SampleCommand.parsed("a", "--seed=1", "--seed=2") }
    #expect(message == "--seed is given twice, as ‘1’ and as ‘2’; give it once")
  }

  @Test func errorsNameTheArgumentTheRuleAndTheValue() {
    #expect(
      usageError { try SampleCommand.parsed("a", "--seed", "ten") } == "--seed must be an integer; received ‘ten’")
    #expect(
      usageError { try SampleCommand.parsed("a", "--damping", "0") }
        == "--damping must be above 0 and at most 1; received ‘0’")
    #expect(
      usageError { try SampleCommand.parsed("a", "--levels", "2,9") }
        == "--levels must be integers from 1 to 8; received ‘2,9’")
    #expect(
      usageError { try SampleCommand.parsed("a", "--format", "jsn") }
        == "--format must be one of table, json, jsonl, csv; received ‘jsn’; did you mean ‘json’?")
    #expect(usageError { try SampleCommand.parsed("a", "--force=yes") } == "--force takes no value; received ‘yes’")
    #expect(usageError { try SampleCommand.parsed() } == "CATALOG is missing: The catalog file.")
  }

  @Test func anOptionWithoutItsValueIsAnError() {
    #expect(
      usageError { try SampleCommand.parsed("a", "--seed") } == "--seed N needs a value, but is the last argument")
    #expect(usageError { try SampleCommand.parsed("a", "--seed", "--force") }.contains("followed by ‘--force’"))
  }

  @Test func unknownOptionsSuggestTheNearestName() {
    #expect(usageError { try SampleCommand.parsed("a", "--sede=1") } == "unknown option --sede; did you mean --seed?")
    #expect(
      usageError { try SampleCommand.parsed("a", "--surviv=1") } == "unknown option --surviv; did you mean --survivors?"
    )
    #expect(usageError { try SampleCommand.parsed("a", "--unrelated") } == "unknown option --unrelated")
    #expect(usageError { try SampleCommand.parsed("a", "-x") } == "unknown option -x")
  }

  @Test func errorsCannotCarryEscapeSequences() {
    let message = usageError { try SampleCommand.parsed("a", "--seed", "\u{1B}[31m") }
    #expect(message.contains("‘\\x1B[31m’"))
  }
}
