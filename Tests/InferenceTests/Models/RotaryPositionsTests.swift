import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct RotaryPositionsTests {
  private func configuration(_ scaling: RopeScaling, maximumPositions: Int = 64) -> ModelConfiguration {
    var configuration = ModelConfiguration(
      architecture: Llama.architecture, hiddenSize: 16, intermediateSize: 16, blockCount: 1, headCount: 2,
      keyValueHeadCount: 2, headDimension: 8, vocabularySize: 16, maximumPositions: maximumPositions, normEpsilon: 1e-5,
      ropeTheta: 10_000, tiedEmbeddings: false)
    configuration.ropeScaling = scaling
    return configuration
  }

  /// The angle of each pair at position 1, from cosine and sine, and the amplitude.
  private func turn(_ table: RotaryTable) -> (angles: [Double], amplitude: Double) {
    let pairs = (0..<table.cosine.columns).map { (Double(table.cosine[1, $0]), Double(table.sine[1, $0])) }
    return (pairs.map { atan2($0.1, $0.0) }, hypot(pairs[0].0, pairs[0].1))
  }

  private func expect(_ angles: [Double], _ expected: [Double]) {
    for (angle, expected) in zip(angles, expected) { #expect(abs(angle - expected) < 1e-6) }
  }

  private let plain = [1, 0.1, 0.01, 0.001]

  @Test func linearScalingDividesEveryFrequency() {
    let positions = RotaryPositions(
      configuration(.linear(factor: 4)), ForwardSettings(longestSequence: 8, constants: .float32))
    expect(turn(positions.table(length: 8)).angles, plain.map { $0 / 4 })
  }

  @Test func llama3ScalingKeepsShortWavelengthsAndStretchesLongOnes() {
    // Wavelengths 6.3, 62.8, 628, 6283; whole below 400 / 4 = 100, stretched above 400 / 1, blended between.
    let scaling = RopeScaling.Llama3(
      factor: 8, lowFrequencyFactor: 0.5, highFrequencyFactor: 4, originalPositions: 400)
    let positions = RotaryPositions(
      configuration(.llama3(scaling)), ForwardSettings(longestSequence: 8, constants: .float32))
    let blend = (400 / (2 * Double.pi / 0.01) - 0.5) / 3.5
    expect(
      turn(positions.table(length: 8)).angles, [1, 0.1, 0.01 * ((1 - blend) / 8 + blend), 0.001 / 8])
  }

  /// Bits that PyTorch 2 and transformers 5.24 compute in float32; over thousands of tokens one of them would show.
  @Test func frequenciesHaveTheBitsOfTransformers() {
    let plain = RotaryTable.frequencies(headDimension: 64, theta: 500_000)
    #expect(
      plain.map(\.bitPattern) == [
        0x3F800000, 0x3F29E1C6, 0x3EE177BC, 0x3E959EE3, 0x3E4693B0, 0x3E03C6A0, 0x3DAEE4AD, 0x3D681E67, 0x3D1A08C8,
        0x3CCC6F49, 0x3C87A9C3, 0x3C340D6D, 0x3BEEF74F, 0x3B9E9402, 0x3B527720, 0x3B0BAA41, 0x3AB95D21, 0x3A7603EA,
        0x3A23418D, 0x39D8AC81, 0x398FC8F8, 0x393ED4F4, 0x38FD45C3, 0x38A8126B, 0x385F10C4, 0x381406CB, 0x37C47610,
        0x37825F34, 0x372D07A7, 0x36E5A54D, 0x369864A7, 0x364A41B0,
      ])
    func scaled(_ size: Int, _ theta: Double, _ original: Int) -> [UInt32] {
      let scaling = RopeScaling.Llama3(
        factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: original)
      return RotaryPositions.scaled(
        RotaryTable.frequencies(headDimension: size, theta: theta), .llama3(scaling)
      ).map(\.bitPattern)
    }
    #expect(scaled(8, 10_000, 16) == [0x3F13786E, 0x3C4CCCCD, 0x3AA3D70A, 0x3903126F])
    // Those of Llama 3.1 that are blended, with their neighbours.
    #expect(
      scaled(128, 500_000, 8192)[24..<44] == [
        0x3BEEF74F, 0x3BC2AA76, 0x3B9E9402, 0x3B812E35, 0x3B527720, 0x3B0DFD06, 0x3AB3D11D, 0x3A60979E, 0x3A0995D2,
        0x39A3F108, 0x393B2DD2, 0x38C86886, 0x38A3418D, 0x3884FDBF, 0x3858AC81, 0x38308199, 0x380FC8F8, 0x37EA426F,
        0x37BED4F4, 0x379B7475,
      ])
  }

  @Test func longRopeChoosesByLength() {
    let scaling = RopeScaling.LongRope(
      shortFactors: [1, 2, 3, 4], longFactors: [5, 6, 7, 8], originalPositions: 16, attentionFactor: 1.25)
    let positions = RotaryPositions(
      configuration(.longRope(scaling)), ForwardSettings(longestSequence: 40, constants: .float32))
    let short = positions.table(length: 16)
    let long = positions.table(length: 17)
    #expect(abs(turn(short).amplitude - 1.25) < 1e-6 && abs(turn(long).amplitude - 1.25) < 1e-6)
    expect(turn(short).angles, zip(plain, [1, 2, 3, 4]).map { $0 / $1 })
    expect(turn(long).angles, zip(plain, [5, 6, 7, 8]).map { $0 / $1 })
    #expect(short.cosine.rows == 16 && long.cosine.rows == 40)
    let onlyShort = RotaryPositions(
      configuration(.longRope(scaling)), ForwardSettings(longestSequence: 16, constants: .float32))
    #expect(onlyShort.byteCount == short.byteCount)
  }

  @Test func tablesReachNoFurtherThanTheModel() {
    let positions = RotaryPositions(configuration(.none), ForwardSettings(longestSequence: 1000, constants: .float32))
    #expect(positions.table(length: 64).cosine.rows == 64)
  }

  @Test func constantsAreRoundedHalfToEven() {
    #expect(ConstantPrecision.float32.round(0.1) == 0.1)
    #expect(ConstantPrecision.float16.round(0.1) == Float(Float16(0.1)))
    #expect(ConstantPrecision.bfloat16.round(Float(bitPattern: 0x3f80_8000)) == Float(bitPattern: 0x3f80_0000))
    #expect(ConstantPrecision.bfloat16.round(Float(bitPattern: 0x3f81_8000)) == Float(bitPattern: 0x3f82_0000))
    #expect(ConstantPrecision.bfloat16.round(Float(bitPattern: 0x3f80_8001)) == Float(bitPattern: 0x3f81_0000))
    #expect(ConstantPrecision(castTo: .float32) == nil)
    #expect(ConstantPrecision(castTo: .bfloat16) == .bfloat16)
  }
}
