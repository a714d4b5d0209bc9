import TestSupport
import Testing

@testable import evodb

@Suite(.usualTimeLimit) struct HumanFormatTests {
  @Test(
    arguments: [
      (0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567"), (.min, "-9,223,372,036,854,775,808"),
    ] as [(Int64, String)])
  func countsHaveThousandsSeparators(value: Int64, text: String) {
    #expect(HumanFormat.count(value) == text)
  }

  @Test(
    arguments: [
      (0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (12_897_484, "12.3 MiB"), (1_048_575, "1.00 MiB"),
      (1 << 40, "1.00 TiB"),
      (.max, "8.00 EiB"),
    ] as [(Int64, String)])
  func bytesHaveThreeDigits(value: Int64, text: String) {
    #expect(HumanFormat.bytes(value) == text)
  }

  @Test(
    arguments: [
      (0, "0 ms"), (0.85, "850 ms"), (0.9996, "1.0 s"), (12.34, "12.3 s"), (59.96, "1 min 0 s"), (92, "1 min 32 s"),
      (7500, "2 h 5 min"), (273_600, "3 d 4 h"), (-5, "-5.0 s"), (.infinity, "inf"), (1e300, "1.16e+295 d"),
    ] as [(Double, String)])
  func durationsHaveTheirTwoLargestUnits(seconds: Double, text: String) {
    #expect(HumanFormat.duration(seconds: seconds) == text)
  }

  @Test(
    arguments: [
      (0, 3, "0"), (0.041234, 3, "0.0412"), (9.996, 3, "10.0"), (112.987, 4, "113.0"), (123456, 3, "123456"),
      (1e-7, 3, "1.00e-07"),
      (-0.5, 2, "-0.50"), (1e20, 3, "1.00e+20"), (.nan, 3, "nan"),
    ] as [(Double, Int, String)])
  func numbersHaveSignificantDigits(value: Double, digits: Int, text: String) {
    #expect(HumanFormat.number(value, significantDigits: digits) == text)
  }

  @Test func percentagesReachHundredOnlyAtTheEnd() {
    #expect(HumanFormat.percent(0.125) == "12.5 %")
    #expect(HumanFormat.percent(0.99999) == "99.9 %")
    #expect(HumanFormat.percent(1) == "100.0 %")
  }
}
