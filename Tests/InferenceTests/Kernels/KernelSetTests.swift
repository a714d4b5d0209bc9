import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct KernelSetTests {
  @Test func withoutAWishTheFastestSetIsTaken() throws {
    #expect(try KernelSet.requested(by: nil) == KernelSet.fastest)
    #expect(try KernelSet.requested(by: "") == KernelSet.fastest)
    #expect(KernelSet.available.first == .portable)
    #expect(KernelSet.available.last == KernelSet.fastest)
  }

  @Test(arguments: KernelSet.allCases) func aSetIsForcedOrRefusedByName(_ set: KernelSet) throws {
    if set.isAvailable {
      #expect(try KernelSet.requested(by: set.rawValue) == set)
    } else {
      let error = expectError(like: InferenceError.impossible(detail: "EVODB_KERNELS=\(set.rawValue): ")) {
        try KernelSet.requested(by: set.rawValue)
      }
      #expect(error?.description.contains("This machine has portable") == true)
    }
  }

  @Test(arguments: ["sse", "AVX2", "avx-512", "amx "]) func unknownSetsAreRefused(_ name: String) {
    let names = KernelSet.available.map(\.rawValue).joined(separator: ", ")
    #expect(
      throws: InferenceError.impossible(
        detail: """
          EVODB_KERNELS=\(name): there is no such kernel set. This machine has \(names); set one of them, or leave the \
          variable out for the fastest
          """)
    ) { try KernelSet.requested(by: name) }
  }

  @Test func setsNeedTheFeaturesTheyAreMadeOf() {
    let features = Processor.features
    #expect(KernelSet.avx2.isAvailable == features.contains(.avx2))
    #expect(KernelSet.avx512.isAvailable == features.contains(.avx512))
    #expect(KernelSet.amx.isAvailable == features.contains([.amx, .amxPermission]))
    #expect(KernelSet.neon.isAvailable == features.contains(.neon))
    #expect(!features.contains(.avx512) || features.contains(.avx2))
    #expect(!features.contains(.avx2) || features.contains(.fusedMultiplyAdd))
  }

  @Test func arithmeticsAreNamedWithoutAMachine() {
    #expect(Arithmetic.float32.identity == "evodb-float32-1")
    #expect(Arithmetic.bfloat16.identity == "evodb-bfloat16-1")
  }
}
