import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct BLASKernelSetTests {
  private static let haswell: Processor.Features = [.avx, .avx2]
  private static let skylake: Processor.Features = [.avx, .avx2, .avx512]
  private static let emeraldRapids: Processor.Features = [.avx, .avx2, .avx512, .avx512BFloat16]

  private func better(_ used: String, _ features: Processor.Features) -> String? {
    BLASKernelAdvice(used: used, features: features, canChoose: true, request: nil)?.better
  }

  @Test func whatTheProcessorCanDoIsAdvised() {
    #expect(better("Prescott", Self.emeraldRapids) == "Cooperlake")
    #expect(better("Haswell", Self.emeraldRapids) == "Cooperlake")
    #expect(better("Prescott", Self.skylake) == "SkylakeX")
    #expect(better("Zen", Self.skylake) == "SkylakeX")
    #expect(better("Prescott", Self.haswell) == "Haswell")
    #expect(better("Sandybridge", Self.haswell) == "Haswell")
    #expect(better("prescott", .avx) == "Sandybridge")
    #expect(better("Prescott", [.avx, .avx2, .amd]) == "Zen")
    #expect(better("Nehalem", [.avx, .avx2, .avx512, .avx512BFloat16, .amd]) == "Zen")
  }

  @Test func setsThatAreAsFastAsAnyAreNotAdvisedAgainst() {
    for (used, features) in [
      ("Cooperlake", Self.emeraldRapids), ("SkylakeX", Self.emeraldRapids), ("SkylakeX", Self.skylake),
      ("Haswell", Self.haswell), ("Zen", Self.haswell), ("Prescott", []), ("Haswell", [.avx, .avx2, .amd]),
      ("Zen", [.avx, .avx2, .avx512, .amd]), ("SkylakeX", [.avx, .avx2, .avx512, .amd]),
    ] as [(String, Processor.Features)] {
      #expect(better(used, features) == nil, "\(used)")
    }
  }

  @Test func unknownSetsAreNotJudged() {
    for used in ["neoversen1", "Katmai2030", "VORTEX", ""] { #expect(better(used, Self.emeraldRapids) == nil) }
  }

  @Test func theTextNamesTheRemedyAndWhoChose() throws {
    let found = try #require(
      BLASKernelAdvice(used: "Prescott", features: Self.emeraldRapids, canChoose: true, request: nil))
    #expect(!found.isUsersChoice && "\(found)".contains("OPENBLAS_CORETYPE=Cooperlake evodb …"))
    let chosen = try #require(
      BLASKernelAdvice(used: "Haswell", features: Self.emeraldRapids, canChoose: true, request: "haswell"))
    #expect(chosen.isUsersChoice && "\(chosen)".contains("has chosen Haswell"))
    let fixed = try #require(BLASKernelAdvice(used: "Haswell", features: Self.skylake, canChoose: false, request: ""))
    #expect(!fixed.isUsersChoice && "\(fixed)".contains("DYNAMIC_ARCH") && !"\(fixed)".contains("CORETYPE="))
  }

  @Test func theTableIsOrderedAndNamesEachSetOnce() {
    let names = BLASKernelSet.all.map { $0.name.lowercased() }
    #expect(Set(names).count == names.count)
    #expect(BLASKernelSet.all.map(\.rank) == BLASKernelSet.all.map(\.rank).sorted())
    #expect(BLASKernelSet.runnable(on: Self.emeraldRapids) == BLASKernelSet.compared)
    #expect(BLASKernelSet.runnable(on: Self.haswell) == ["Prescott", "Sandybridge", "Haswell"])
    #expect(BLASKernelSet.runnable(on: []) == ["Prescott"])
  }
}
