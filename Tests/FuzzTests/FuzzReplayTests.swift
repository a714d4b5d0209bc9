import Foundation
import FuzzTargets
import TestSupport
import Testing

/// Replays the inputs that fuzzing found, and inputs near the seeds, without a fuzzer: `make fuzz` looks for new ones.
@Suite(.usualTimeLimit) struct FuzzReplayTests {
  /// A target that a test can name.
  struct Named: CustomTestStringConvertible, Sendable {
    let target: FuzzTarget
    var testDescription: String { target.name }
    static let all = FuzzTarget.all.map { Named(target: $0) }
  }

  @Test(arguments: Named.all) func whatWasFoundOnceStaysMended(_ named: Named) throws {
    let folder = try TemporaryFolder()
    let body = try named.target.body(in: folder.url)
    let findings = Fixtures.url("fuzz/\(named.target.name)")
    for name in ((try? FileManager.default.contentsOfDirectory(atPath: findings.path)) ?? []).sorted() {
      let input = [UInt8](try Data(contentsOf: findings.appendingPathComponent(name)))
      #expect(throws: Never.self, "\(name)") { try body(input) }
    }
  }

  @Test func everyFindingBelongsToATarget() throws {
    let folders = try FileManager.default.contentsOfDirectory(atPath: Fixtures.url("fuzz").path)
    #expect(!folders.isEmpty && folders.allSatisfy { FuzzTarget.named($0) != nil })
  }

  @Test(arguments: Named.all) func seedsAndTheirMutationsBreakNoRule(_ named: Named) throws {
    let folder = try TemporaryFolder()
    let body = try named.target.body(in: folder.url)
    let seeds = try named.target.seeds()
    #expect(!seeds.isEmpty)
    var random = SplitMix64(property: 11)
    // A database takes milliseconds.
    let count = ["merge", "catalog"].contains(named.target.name) ? 40 : 400
    for round in 0..<count {
      var input = seeds.count > round ? seeds[round] : seeds.randomElement(using: &random) ?? []
      if round >= seeds.count || round % 2 == 1 {
        for _ in 0..<Int.random(in: 1...4, using: &random) { mutate(&input, with: seeds, &random) }
      }
      #expect(throws: Never.self, "\(input)") { try body(Array(input.prefix(named.target.longestInput))) }
    }
  }

  private func mutate(_ input: inout [UInt8], with seeds: [[UInt8]], _ random: inout SplitMix64) {
    let place = Int.random(in: 0...input.count, using: &random)
    switch Int.random(in: 0..<5, using: &random) {
    case 0 where place < input.count: input[place] = UInt8.random(in: 0...255, using: &random)
    case 1: input.insert(UInt8.random(in: 0...255, using: &random), at: place)
    case 2: input.removeSubrange(place..<min(input.count, place + Int.random(in: 1...8, using: &random)))
    case 3:
      let other = seeds.randomElement(using: &random) ?? []
      let start = Int.random(in: 0...other.count, using: &random)
      input.insert(contentsOf: other[start...].prefix(16), at: place)
    default:
      if place < input.count { input[place] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
    }
  }
}
