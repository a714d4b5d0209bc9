import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct GGUFTypeTests {
  @Test func numbersAndNamesLeadBackToTheirTypes() {
    for type in GGUFType.allCases {
      #expect(GGUFType(number: type.number) == type)
      #expect(GGUFType(name: type.name) == type)
    }
    #expect(GGUFType(number: 4) == nil && GGUFType(number: .max) == nil)
    #expect(GGUFType(name: "Q4_2") == nil)
  }

  @Test func weightsCostWhatTheirBlocksTake() {
    let costs: [GGUFType: Double] = [
      .q40: 4.5, .q41: 5, .q50: 5.5, .q51: 6, .q80: 8.5, .iq4NL: 4.5, .iq4XS: 4.25, .q2K: 2.625, .q3K: 3.4375,
      .q4K: 4.5, .q5K: 5.5, .q6K: 6.5625, .float16: 16, .bfloat16: 16, .float32: 32,
    ]
    for (type, bits) in costs { #expect(type.bitsPerWeight == bits, "\(type.name)") }
  }

  @Test func rowsAreWholeBlocks() {
    #expect(GGUFType.q4K.rowByteCount(width: 512) == 288)
    #expect(GGUFType.q4K.rowByteCount(width: 320) == nil)
    #expect(GGUFType.q40.rowByteCount(width: 320) == 180)
    #expect(GGUFType.float16.rowByteCount(width: 7) == 14)
    for width in [0, -256] { #expect(GGUFType.q4K.rowByteCount(width: width) == nil) }
    #expect(GGUFType.float64.rowByteCount(width: .max) == nil)
  }

  @Test func typesOfLargeBlocksHaveOnesOfSmallBlocksInTheirPlace() {
    let fallbacks: [GGUFType: GGUFType] = [
      .q2K: .q40, .q3K: .q40, .q4K: .q50, .q5K: .q51, .q6K: .q80, .iq4XS: .iq4NL,
    ]
    for type in GGUFType.quantized {
      #expect(type.fallback(width: 1024) == type)
      #expect(type.fallback(width: 96) == fallbacks[type, default: type])
      #expect(type.fallback(width: 100) == .float16)
    }
    #expect(GGUFType.float32.fallback(width: 7) == .float32)
  }
}
