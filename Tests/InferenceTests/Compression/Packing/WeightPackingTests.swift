import TestSupport
import Testing

@testable import Inference

@Suite struct WeightPackingTests {
  private func quantized(
    rows: Int, columns: Int, _ parameters: QuantizationParameters, seed: UInt64 = 5
  ) throws -> QuantizedWeight {
    let layer = RandomLayer(rows: rows, columns: columns, seed: seed)
    let factor = try HessianFactor(
      hessian: layer.hessian, dampingFraction: parameters.dampingFraction, activationOrder: parameters.activationOrder)
    return try GPTQ.quantize(weight: layer.weight, factor: factor, parameters: parameters)
  }

  @Test(arguments: 1...8) func everythingComesBackExactly(bits: Int) throws {
    for (rows, columns) in [(1, 1), (3, 7), (2, 8), (5, 9), (9, 67), (16, 128)] {
      for symmetric in [false, true] {
        for scaleType in QuantizationParameters.ScaleType.allCases {
          for (activationOrder, rangeContainsZero, groupSize) in [(false, true, 16), (true, false, 5), (true, true, 0)]
          {
            let parameters = QuantizationParameters(
              bits: bits, symmetric: symmetric, quantizationGroupSize: groupSize, activationOrder: activationOrder,
              rangeContainsZero: rangeContainsZero, scaleType: scaleType)
            let weight = try quantized(rows: rows, columns: columns, parameters)
            let bytes = WeightPacking.encode(weight)
            #expect(try WeightPacking.decode(bytes) == weight)
            #expect(try WeightPacking.unpack(bytes).values == weight.dequantized().values)
            #expect(
              try WeightPacking.packedByteCount(rows: rows, columns: columns, parameters: parameters) == bytes.count)
          }
        }
      }
    }
  }

  @Test func storedSizeStaysWithinItsPromise() throws {
    for bits in 1...8 {
      for (rows, columns) in [(128, 256), (768, 256), (256, 768), (7, 131)] {
        for symmetric in [false, true] {
          let parameters = QuantizationParameters(bits: bits, symmetric: symmetric)
          let groups = parameters.format.groupCount(columns: columns)
          let stored = try 8 * WeightPacking.packedByteCount(rows: rows, columns: columns, parameters: parameters)
          #expect(stored <= bits * rows * columns + 32 * rows * groups + 24 * 8)
        }
      }
    }
    // The header is below 1 % of even a small layer.
    #expect(PackedWeightHeader.byteCount * 100 < 128 * 256 * 2 / 8)
  }

  @Test func theLayoutIsWhatTheHeaderDocuments() throws {
    let weight = Matrix(rows: 1, columns: 8, values: [-2, -1, 0, 1, 2, 3, 4, 5])
    let packed = WeightPacking.encode(
      try RoundToNearest.quantize(weight: weight, parameters: QuantizationParameters(bits: 3)))
    #expect(
      packed == Array("EVPW".utf8) + [1, 1, 3, 0, 1, 0, 0, 0, 8, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0]
        + [0x00, 0x3c]  // scale 1 in binary16
        + [2]  // zero point
        + [0b1000_1000, 0b1100_0110, 0b1111_1010])  // 0…7, lowest first
  }

  @Test func sizesThatCannotBePackedAreRefused() {
    for (rows, columns) in [(0, 5), (5, 0), (-1, 5), (1 << 31, 5), (Int.max, Int.max)] {
      #expect(throws: InferenceError.self) {
        try WeightPacking.packedByteCount(rows: rows, columns: columns, parameters: QuantizationParameters(bits: 3))
      }
    }
  }
}

/// Bytes from elsewhere may be anything: they are refused with an error, never with a trap, and nothing large is allocated.
@Suite struct HostilePackedWeightTests {
  private func sample(
    symmetric: Bool = false, activationOrder: Bool = true, rangeContainsZero: Bool = true
  ) throws -> [UInt8] {
    let layer = RandomLayer(rows: 3, columns: 11)
    let parameters = QuantizationParameters(
      bits: 3, symmetric: symmetric, quantizationGroupSize: 4, activationOrder: activationOrder,
      rangeContainsZero: rangeContainsZero)
    return WeightPacking.encode(
      try GPTQ.quantize(
        weight: layer.weight, factor: layer.factor(activationOrder: activationOrder), parameters: parameters))
  }

  private func expectRefused(_ bytes: [UInt8], _ comment: Comment) {
    #expect(throws: InferenceError.self, comment) { try WeightPacking.decode(bytes) }
    #expect(throws: InferenceError.self, comment) { try WeightPacking.unpack(bytes) }
  }

  @Test func everyTruncationAndExtensionIsRefused() throws {
    let bytes = try sample()
    for count in 0..<bytes.count { expectRefused(Array(bytes[0..<count]), "\(count) bytes") }
    expectRefused(bytes + [0], "one byte too many")
  }

  @Test func everyFlippedBitIsRefusedOrAnotherValidWeight() throws {
    for symmetric in [false, true] {
      for rangeContainsZero in [false, true] {
        let bytes = try sample(symmetric: symmetric, rangeContainsZero: rangeContainsZero)
        for bit in 0..<8 * bytes.count {
          var changed = bytes
          changed[bit / 8] ^= 1 << UInt8(bit % 8)
          do {
            let weight = try WeightPacking.decode(changed)
            #expect(WeightPacking.encode(weight) == changed)
            #expect(try WeightPacking.unpack(changed).values.allSatisfy { $0.isFinite })
          } catch let error as InferenceError {
            #expect(error.description.hasPrefix("packed weight: "))
            #expect(throws: error) { try WeightPacking.unpack(changed) }
          }
        }
      }
    }
  }

  @Test func eachFieldIsChecked() throws {
    let bytes = try sample()
    func changing(_ offset: Int, to value: [UInt8]) -> [UInt8] {
      var changed = bytes
      changed.replaceSubrange(offset..<offset + value.count, with: value)
      return changed
    }
    expectRefused(changing(0, to: [0]), "magic")
    expectRefused(changing(4, to: [2]), "version")
    expectRefused(changing(5, to: [9]), "kind")
    expectRefused(changing(6, to: [0]), "no bits")
    expectRefused(changing(6, to: [9]), "9 bits")
    expectRefused(changing(7, to: [16]), "unknown flag")
    expectRefused(changing(7, to: [5]), "symmetric with zero points")
    expectRefused(changing(8, to: [0, 0, 0, 0]), "no rows")
    expectRefused(changing(8, to: [255, 255, 255, 255]), "negative rows")
    expectRefused(changing(8, to: [255, 255, 255, 127, 255, 255, 255, 127, 1, 0, 0, 0]), "huge")
    expectRefused(changing(16, to: [255, 255, 255, 255]), "negative group size")
    expectRefused(changing(20, to: [1]), "reserved")
    expectRefused(changing(24, to: Array(bytes[26..<28])), "repeated permutation entry")
    expectRefused(changing(24, to: [11, 0]), "permutation entry out of range")
    let scales = 24 + 2 * 11
    for pattern: [UInt8] in [[0x00, 0x7c], [0x01, 0x7e], [0x00, 0x80], [0x00, 0xbc]] {
      expectRefused(changing(scales, to: pattern), "scale infinite, NaN, −0 or negative")
    }
    expectRefused(changing(bytes.count - 1, to: [bytes[bytes.count - 1] | 0x80]), "padding")
  }

  @Test func random24BytesAndMoreAreRefused() {
    var generator = SplitMix64(property: 3)
    for _ in 0..<2000 {
      var bytes = PackedContainer.magic + [1, 1]
      bytes += (0..<Int.random(in: 18...80, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator)
      }
      if let weight = try? WeightPacking.decode(bytes) { #expect(WeightPacking.encode(weight) == bytes) }
    }
  }
}
