import TestSupport
import Testing

@testable import evodb

@Suite(.usualTimeLimit) struct ArgumentValueTests {
  @Test(
    arguments: [
      ("0", 0), ("4096", 4096), ("4GiB", 4 << 30), ("512M", 512 << 20), ("512m", 512 << 20), ("1.5K", 1536),
      ("2GB", 2_000_000_000), ("3 kB", 3000), ("1TiB", 1 << 40), ("7B", 7),
    ] as [(String, Int64)])
  func sizesAreRead(text: String, bytes: Int64) {
    #expect(ByteSize(argument: text)?.bytes == bytes)
  }

  @Test(arguments: ["", "GiB", "-1", "4 GiB x", "1e3", "0x10", ".", "1.2.3K", "9223372036854775807K", "99999999999T"])
  func sizesThatAreNoneAreRefused(text: String) {
    #expect(ByteSize(argument: text) == nil)
  }

  @Test func sizesAreShownAsTyped() {
    #expect(ByteSize(bytes: 4 << 30).argumentText == "4GiB")
    #expect(ByteSize(bytes: 1000).argumentText == "1000")
  }

  @Test(
    arguments: [
      ("2", [2]), ("2,3,4", [2, 3, 4]), ("2-5", [2, 3, 4, 5]), ("8,2-3", [8, 2, 3]), ("-3--1", [-3, -2, -1]),
      ("-1-1", [-1, 0, 1]),
      ("2, 3", [2, 3]),
    ] as [(String, [Int])])
  func listsOfIntegersAreRead(text: String, values: [Int]) {
    #expect(IntegerList(argument: text)?.values == values)
  }

  @Test(arguments: [
    "", ",", "2,", "a", "2-", "5-2", "2,2", "1-3,2", "0-99999999999", "-9223372036854775808-9223372036854775807", "1.5",
  ])
  func listsThatAreNoneAreRefused(text: String) {
    #expect(IntegerList(argument: text) == nil)
  }

  @Test(
    arguments: [("4", [4]), ("4,2,1", [4, 2, 1]), ("1,1", [1, 1]), ("512, 2048", [512, 2048])] as [(String, [Int])])
  func countsAreReadInOrderAndMayRepeat(text: String, values: [Int]) {
    #expect(CountList(argument: text)?.values == values)
    #expect(CountList(argument: text)?.argumentText == values.map { String($0) }.joined(separator: ","))
  }

  @Test(arguments: ["", ",", "4,", "0", "4,0,1", "-1", "1.5", "2-4", "a", "99999999999999999999"])
  func countsThatAreNoneAreRefused(text: String) {
    #expect(CountList(argument: text) == nil)
  }

  @Test(arguments: ["nan", "inf", "1e999", "", "1,5"])
  func numbersMustBeFinite(text: String) {
    #expect(Double(argument: text) == nil)
  }

  @Test func theNearestNameIsFoundByEditDistance() {
    #expect(Suggestion.editDistance(Array("kitten"), Array("sitting")) == 3)
    #expect(Suggestion.editDistance(Array("ab"), Array("ba")) == 1)
    #expect(Suggestion.editDistance([], Array("abc")) == 3)
    #expect(Suggestion.nearest(to: "verfy", among: ["merge", "verify"]) == "verify")
    #expect(Suggestion.nearest(to: "xyz", among: ["merge", "verify"]) == nil)
    #expect(Suggestion.nearest(to: "a", among: []) == nil)
  }
}
