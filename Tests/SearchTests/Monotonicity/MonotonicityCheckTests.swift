import TestSupport
import Testing

@testable import Search

@Suite(.usualTimeLimit) struct MonotonicityCheckTests {
  private static let counts = [3, 5, 4, 3]

  /// Points with random errors and sums on four sequences.
  private func points(_ count: Int, seed: UInt64) -> [MonotonicityCheck.Point] {
    var random = RandomSource(seed: TestSeed.mixed(seed), generation: 0, stage: 0, purpose: .start)
    return (0..<count).map { index in
      MonotonicityCheck.Point(
        id: Int64(index), error: Double(random.below(30)), removed: [], parts: [],
        sums: Self.counts.map { Double($0 * (1 + random.below(50))) / 10 })
    }
  }

  private func fitness(_ point: MonotonicityCheck.Point) -> Double { point.sums.reduce(0, +) / 15 }

  @Test(arguments: [2, 10, 100])
  func countsWhatComparingAllPairsCounts(count: Int) {
    let points = points(count, seed: 4)
    var pairs = 0
    var violations = 0
    var largest = -Double.infinity
    for a in points {
      for b in points where (a.error ?? 0) < (b.error ?? 0) {
        pairs += 1
        guard fitness(a) > fitness(b) else { continue }
        violations += 1
        largest = max(largest, PairedDifference(a.sums, b.sums, predictionCounts: Self.counts).certainty)
      }
    }
    let result = MonotonicityCheck(points, predictionCounts: Self.counts, limit: 7).byError()
    #expect(result.pointCount == count)
    #expect(result.pairCount == pairs)
    #expect(result.violationCount == violations)
    #expect(result.violations.count == min(7, violations))
    if count <= MonotonicityCheck.partnersPerPoint, let first = result.violations.first {
      #expect(first.difference.certainty == largest)
    }
    #expect(result.violations.allSatisfy { $0.difference.value > 0 })
  }

  @Test func aMonotoneFileHasNoViolation() {
    let points = (0..<50).map { index in
      MonotonicityCheck.Point(
        id: Int64(index), error: Double(index), removed: [], parts: [], sums: Self.counts.map { Double($0 * index) })
    }
    let result = MonotonicityCheck(points, predictionCounts: Self.counts, limit: 5).byError()
    #expect(result.pairCount == 50 * 49 / 2 && result.violationCount == 0 && result.violations.isEmpty)
  }

  @Test func strictSubsetsOfEqualRestAreCompared() {
    func point(_ id: Int64, _ removed: Set<Int>, _ parts: [[Int64]], _ fitness: Double) -> MonotonicityCheck.Point {
      MonotonicityCheck.Point(
        id: id, error: nil, removed: removed, parts: parts, sums: Self.counts.map { Double($0) * fitness })
    }
    let dense: [[Int64]] = [[0], [0], [0]]
    let points = [
      point(1, [0], [[0], [0], [0]], 5), point(2, [0, 1], dense, 3), point(3, [1], dense, 1),
      point(4, [0, 1], [[9], [9], [7]], 0), point(5, [0, 2], dense, 6),
    ]
    let result = MonotonicityCheck(points, predictionCounts: Self.counts, limit: 5).bySubset()
    // {0} ⊂ {0,1}, {1} ⊂ {0,1} and {0} ⊂ {0,2}; point 4 keeps other weights.
    #expect(result.pairCount == 3)
    #expect(result.violationCount == 1)
    #expect(result.violations.map { points[$0.lighter].id } == [1])
    #expect(result.violations.map { points[$0.heavier].id } == [2])
  }

  @Test func thousandsOfPointsTakeAMoment() {
    let result = MonotonicityCheck(points(5000, seed: 9), predictionCounts: Self.counts, limit: 100).byError()
    #expect(result.violationCount > 1_000_000)
    #expect(result.violations.count == 100)
  }

  @Test func aRepeatedSequenceIsOneOfMoreWeight() {
    let once = PairedDifference([4, 6, 1], [1, 2, 3], predictionCounts: [2, 3, 4])
    let twice = PairedDifference([4, 6, 1], [1, 2, 3], predictionCounts: [2, 3, 4], occurrenceCounts: [2, 2, 2])
    #expect(twice == once)
    let uneven = PairedDifference([4, 6], [1, 2], predictionCounts: [2, 3], occurrenceCounts: [3, 1])
    #expect(uneven.value == 13.0 / 9)
    // Rests: 3 (3 − 26/9) = 1/3 and 4 − 39/9 = −1/3.
    #expect(abs(uneven.standardError - (2.0 / 9 * 2).squareRoot() / 9) < 1e-12)

    let points = points(40, seed: 2)
    let all = MonotonicityCheck(points, predictionCounts: Self.counts, limit: 50).byError()
    let weighted = MonotonicityCheck(
      points, predictionCounts: Self.counts, occurrenceCounts: [2, 2, 2, 2], limit: 50
    ).byError()
    #expect(weighted == all && !all.violations.isEmpty)
    let repeated = MonotonicityCheck(
      points, predictionCounts: Self.counts, occurrenceCounts: [1, 5, 1, 1], limit: 50
    ).byError()
    #expect(repeated.violationCount != all.violationCount, "means weigh what is repeated")
  }

  @Test func aPairedDifferenceIsThatOfARatio() {
    let difference = PairedDifference([4, 6], [1, 2], predictionCounts: [2, 3])
    #expect(difference.value == 7.0 / 5)
    // The rests are 3 − 2.8 and 4 − 4.2.
    #expect(abs(difference.standardError - (0.08 * 2.0).squareRoot() / 5) < 1e-12)
  }
}
