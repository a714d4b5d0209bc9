import Search
import TestSupport
import Testing

@testable import evodb

/// `--target` in one word.
@Suite(.usualTimeLimit) struct SearchTargetTests {
  @Test func everyFormIsRead() {
    let forms: [(text: String, target: SearchRecipe.Target, cost: SearchRecipe.Cost)] = [
      ("3bit", .bits(3), .codes), ("2.25bits", .bits(2.25), .codes), ("3.1bit-stored", .bits(3.1), .stored),
      ("3.1bits-stored", .bits(3.1), .stored), ("50%", .sparsity(0.5), .weights),
      ("drop=0.25", .drop(0.25), .subblocks),
      ("drop=25%", .drop(0.25), .subblocks), ("drop=3", .dropCount(3), .subblocks), ("drop=1.0", .drop(1), .subblocks),
      ("3.2MB", .bytes(3_200_000), .stored), ("3M", .bytes(3 << 20), .stored), ("4096B", .bytes(4096), .stored),
    ]
    for form in forms {
      #expect(SearchTarget(argument: form.text) == SearchTarget(form.target, form.cost), "\(form.text)")
    }
  }

  @Test(arguments: [
    "", "3", "0.5", "bit", "0bit", "-1bit", "nanbit", "101%", "-5%", "drop=", "drop=1.5", "drop=-1", "3bitstored",
    "3 apples", "inf%",
  ])
  func everythingElseIsRefused(text: String) {
    #expect(SearchTarget(argument: text) == nil)
  }

  @Test func aTargetIsWrittenAsItIsRead() {
    for text in ["3bit", "2.25bit", "3.1bit-stored", "50%", "drop=25%", "drop=3", "4096B"] {
      #expect(SearchTarget(argument: text)?.argumentText == text)
    }
  }
}
