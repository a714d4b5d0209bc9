import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct QuantizationParametersTests {
  @Test func defaultsAreValidAtEveryBitWidth() throws {
    for bits in 1...8 { try QuantizationParameters(bits: bits).validate() }
  }

  @Test(arguments: [
    (QuantizationParameters(bits: 0), "bits must be from 1 to 8, not 0"),
    (QuantizationParameters(bits: 9), "bits must be from 1 to 8, not 9"),
    (
      QuantizationParameters(bits: 3, quantizationGroupSize: -1),
      "quantizationGroupSize must be 0 (the whole row) or a positive 32-bit number, not -1"
    ),
    (QuantizationParameters(bits: 3, columnBlockSize: 0), "columnBlockSize must be at least 1, not 0"),
    (
      QuantizationParameters(bits: 3, dampingFraction: -0.5), "dampingFraction must be from 0 to 1000.0, not -0.5"
    ),
    (QuantizationParameters(bits: 3, dampingFraction: .nan), "dampingFraction must be from 0 to 1000.0, not nan"),
  ])
  func eachRuleIsNamedWithTheReceivedValue(parameters: QuantizationParameters, detail: String) {
    #expect(throws: InferenceError.impossible(detail: detail)) { try parameters.validate() }
  }

  @Test func groupsCoverARowWithoutGaps() {
    for columns in 1...40 {
      for groupSize in [0, 1, 7, 16, 64] {
        let format = QuantizationParameters(bits: 3, quantizationGroupSize: groupSize).format
        let groups = (0..<format.groupCount(columns: columns)).flatMap { format.columns(ofGroup: $0, of: columns) }
        #expect(groups == Array(0..<columns))
      }
    }
  }
}
