import Foundation
import TestSupport
import Testing

@testable import evodb

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// Whether a text is well-formed XML, as Foundation reads it.
func isWellFormed(_ text: some StringProtocol) -> Bool { XMLParser(data: Data(text.utf8)).parse() }

@Suite(.usualTimeLimit) struct ChartTests {
  @Test(arguments: [
    ("a<b>&\"'", "a&lt;b&gt;&amp;&quot;&#39;"), ("\u{1B}[31m", "\\x1B[31m"), ("\u{202E}x", "\\u{202E}x"),
    ("two\nlines", "two\\nlines"), ("\u{FFFE}\u{FFFF}", "\\u{FFFE}\\u{FFFF}"), ("&amp;", "&amp;amp;"), ("é漢🙂", "é漢🙂"),
  ])
  func textIsNeverMarkup(text: String, escaped: String) {
    #expect(Markup.escaped(text) == escaped)
  }

  @Test func aNameIsCutAsItIsShown() {
    #expect(Markup.short("\u{1B}\u{1B}\u{1B}", to: 6) == "\\x1B\\…")
    #expect(Markup.short("run-1", to: 6) == "run-1")
  }

  @Test func everyScalarGivesWellFormedMarkup() {
    for start in [0, 0x80, 0xFFF0, 0x1FFF0] {
      let text = (start..<(start + 0x80)).compactMap { Unicode.Scalar(UInt32($0)) }.map { String($0) }.joined()
      var canvas = SVGCanvas(width: 10, height: 10)
      canvas.text(text, 1, 1)
      canvas.mark(.circle, 1, 1, .mark(0), title: text)
      #expect(isWellFormed(canvas.element(id: "a", title: text, description: text, isDocument: true)), "\(start)")
    }
    #expect(!isWellFormed("<svg><text>a & b</text></svg>"))
  }

  @Test(arguments: [
    ([0.0, 10.0], false, ["0", "2", "4", "6", "8", "10"]),
    ([-0.3, 0.2], false, ["−0.3", "−0.2", "−0.1", "0", "0.1", "0.2"]),
    ([0.001, 0.1], true, ["0.001", "0.002", "0.005", "0.01", "0.02", "0.05", "0.1"]),
    ([1e-9, 1e3], true, ["1e−9", "1e−6", "0.001", "1", "1000"]),
    ([0.03, 0.05], true, ["0.03", "0.035", "0.04", "0.045", "0.05"]),
  ])
  func ticksAreRound(values: [Double], isLogarithmic: Bool, labels: [String]) {
    let scale = ChartScale(of: values, isLogarithmic: isLogarithmic, from: 0, to: 100)
    #expect(scale.ticks(about: 6).map(\.label) == labels)
  }

  @Test(
    arguments: [
      [], [0], [5], [-5], [.nan], [.infinity, 1], [1e-300, 1e300], [1e300, -1e300], [Double.leastNonzeroMagnitude, 1],
    ] as [[Double]])
  func everyValueHasAPlaceOnPaper(values: [Double]) {
    for isLogarithmic in [false, true] {
      let scale = ChartScale(of: values, isLogarithmic: isLogarithmic, from: 10, to: 110)
      #expect(scale.lower < scale.upper, "\(values)")
      for value in values + [0, -1, .nan, .infinity, -.infinity] {
        #expect((10...110).contains(scale(value)), "\(value) of \(values)")
      }
      #expect(scale.ticks(about: 6).count <= 30)
    }
  }

  @Test func aLogarithmicScaleKeepsRatios() {
    let scale = ChartScale(of: [0.01, 1], isLogarithmic: true, from: 0, to: 1)
    let steps: [Double] = [scale(1) - scale(0.1), scale(0.1) - scale(0.01)]
    #expect(abs(steps[0] - steps[1]) < 1e-12)
  }

  @Test(arguments: [(0.04, "0"), (1.25, "1.3"), (-0.55, "-0.6"), (12.0, "12"), (.nan, "0"), (-3.02, "-3")])
  func coordinatesHaveOneDecimal(value: Double, text: String) {
    #expect(SVGCanvas.number(value) == text)
  }

  /// The boxes of drawn names, by what was drawn.
  private func boxes(_ body: String) -> [(x: ClosedRange<Double>, y: Double)] {
    body.matches(of: /<text class="t" x="([0-9.-]+)" y="([0-9.-]+)"( text-anchor="end")?>([^<]*)</).map { match in
      let (x, y) = (Double(match.1) ?? .nan, Double(match.2) ?? .nan)
      let width = SVGCanvas.characterWidth * Double(match.4.count)
      return (match.3 == nil ? x...(x + width) : (x - width)...x, y)
    }
  }

  @Test func namesNeverCoverEachOther() {
    var state: UInt64 = 7
    func next(_ limit: Double) -> Double {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(state >> 33) / Double(1 << 31) * limit
    }
    let labels = (0..<200).map { PointLabels.Label(x: 40 + next(440), y: 30 + next(40), text: "run-\($0)") }
    let names = PointLabels(labels, left: 30, right: 510, top: 20, bottom: 290)
    var canvas = SVGCanvas(width: 520, height: 300)
    names.draw(on: &canvas)
    let drawn = boxes(canvas.body)
    #expect(drawn.count + names.omittedCount == 200 && drawn.count > 15 && names.omittedCount > 0)
    for (index, one) in drawn.enumerated() {
      #expect(one.x.lowerBound >= 29 && one.x.upperBound <= 511)
      for other in drawn[(index + 1)...] {
        #expect(abs(one.y - other.y) >= 13 || !one.x.overlaps(other.x), "\(one) \(other)")
      }
    }
  }

  @Test func shadesRiseWithTheValue() {
    let few = RampSteps([2, 3, 4, 3, 2])
    #expect([2, 3, 4].map { few.step(of: $0) } == [0, 3, 7])
    #expect(few.shown == [2, 3, 4])
    let many = RampSteps((0...100).map { Double($0) })
    let steps = (0...100).map { many.step(of: Double($0)) }
    #expect(steps == steps.sorted() && Set(steps) == Set(0...7))
    #expect(RampSteps([5]).step(of: 5) == 3 && RampSteps([]).step(of: 1) == 3)
  }

  /// Relative luminance (WCAG 2.2), of the colours of a ramp in the style sheet.
  private func luminances(_ sheet: Substring) -> [Double] {
    sheet.matches(of: /\.r[0-7]\{fill:#([0-9a-f]{6})/).map { match in
      let channels = stride(from: 0, to: 6, by: 2).map { offset -> Double in
        let start = match.1.index(match.1.startIndex, offsetBy: offset)
        let value = Double(Int(match.1[start...].prefix(2), radix: 16) ?? 0) / 255
        return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
      }
      return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]
    }
  }

  @Test func rampsReadInGrey() throws {
    let halves = ChartStyle.pageSheet.split(separator: "@media")
    #expect(halves.count == 2)
    let (light, dark) = (luminances(halves[0]), luminances(halves[1]))
    #expect(light.count == 8 && dark.count == 8)
    #expect(light == light.sorted(by: >) && dark == dark.sorted())
    // Neighbours differ by enough to be told apart.
    for ramp in [light, dark.reversed()] {
      for (one, next) in zip(ramp, ramp.dropFirst()) { #expect((one + 0.05) / (next + 0.05) > 1.15) }
    }
  }

  @Test func pausesAreShortened() {
    let day = 86400.0
    let spans: [(start: Double, end: Double)] = [(0, 100), (100, 160), (day, day + 40), (3 * day, 3 * day + 200)]
    let time = BrokenTime(spans, from: 0, to: 428)
    #expect(time.stretches.count == 3)
    let moments: [Double] = [0, 160, day, 3 * day + 200]
    #expect(moments.map { (time($0) * 1e6).rounded() / 1e6 } == [0, 160, 174, 428])
    #expect(BrokenTime([], from: 0, to: 10)(5) == 0)
    let days = (0..<500).map { (start: Double($0) * day, end: Double($0) * day + 1) }
    #expect(BrokenTime(days, from: 0, to: 300).stretches.count == 1)
  }
}
