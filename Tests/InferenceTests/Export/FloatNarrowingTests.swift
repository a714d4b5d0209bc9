import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct FloatNarrowingTests {
  private func narrowed(_ values: [Float], _ type: TensorElementType) -> [UInt16]? {
    FloatConversion.storedBytes(Matrix(rows: 1, columns: values.count, values: values), as: type).map { bytes in
      stride(from: 0, to: bytes.count, by: 2).map { UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8 }
    }
  }

  @Test func everyFiniteBFloat16ComesBack() {
    let patterns = (UInt16.min...UInt16.max).filter { $0 & 0x7F80 != 0x7F80 }
    #expect(narrowed(patterns.map { Float(bitPattern: UInt32($0) << 16) }, .bfloat16) == patterns)
  }

  @Test func everyFiniteHalfComesBack() {
    let patterns = (UInt16.min...UInt16.max).filter { $0 & 0x7C00 != 0x7C00 }
    #expect(narrowed(patterns.map { Float(Float16(bitPattern: $0)) }, .float16) == patterns)
  }

  @Test func halvesAreRoundedAsTheHardwareDoes() {
    var values: [Float] = []
    for pattern in stride(from: UInt32(0), to: 0x7F80_0000, by: 104_729) {
      values += [Float(bitPattern: pattern), -Float(bitPattern: pattern)]
    }
    for exponent in -26...15 {
      for offset in [UInt32(0), 0x0FFF, 0x1000, 0x1001, 0x2FFF, 0x3000, 0x3001] {
        values.append(Float(bitPattern: UInt32(exponent + 127) << 23 + offset))
      }
    }
    for value in values { #expect(FloatConversion.float16(value) == Float16(value).bitPattern, "\(value)") }
  }

  @Test func tiesGoToTheEvenNeighbour() {
    func bits(_ pattern: UInt32) -> UInt16 { FloatConversion.bfloat16(Float(bitPattern: pattern)) }
    #expect(bits(0x3F80_8000) == 0x3F80)
    #expect(bits(0x3F81_8000) == 0x3F82)
    #expect(bits(0x3F80_8001) == 0x3F81)
    #expect(bits(0x3F80_7FFF) == 0x3F80)
    #expect(bits(0xBFFF_FFFF) == 0xC000)
    #expect(FloatConversion.bfloat16(.nan) & 0x7FFF > 0x7F80)
  }

  @Test func whatDoesNotFitIsRefused() {
    #expect(narrowed([65504], .float16) == [0x7BFF])
    #expect(narrowed([65520], .float16) == nil)
    #expect(narrowed([1, .greatestFiniteMagnitude], .bfloat16) == nil)
    let values: [Float] = [1.5, -0, 3e38]
    let bytes = FloatConversion.storedBytes(Matrix(rows: 1, columns: 3, values: values), as: .float32)
    #expect(bytes == values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } })
    let wide = FloatConversion.storedBytes(Matrix(rows: 1, columns: 1, values: [1.5]), as: .float64)
    #expect(wide == withUnsafeBytes(of: (1.5 as Double).bitPattern.littleEndian) { Array($0) })
  }
}
