import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct WeightPackingTests {
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
      expectError(like: InferenceError.impossible(detail: "a weight of \(rows) × \(columns) cannot be packed; ")) {
        try WeightPacking.packedByteCount(rows: rows, columns: columns, parameters: QuantizationParameters(bits: 3))
      }
    }
  }
}

/// Bytes from elsewhere may be anything: they are refused with an error, never with a trap, and nothing large is allocated.
@Suite(.usualTimeLimit) struct HostilePackedWeightTests {
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

  private func expectRefused(
    _ bytes: [UInt8], _ detail: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    expectRefused(bytes, like: PackedContainer.invalid(detail), sourceLocation: sourceLocation)
  }

  private func expectRefused(
    _ bytes: [UInt8], like error: InferenceError, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    expectError(like: error, sourceLocation: sourceLocation) { try WeightPacking.decode(bytes) }
    expectError(like: error, sourceLocation: sourceLocation) { try WeightPacking.unpack(bytes) }
  }

  @Test func everyTruncationAndExtensionIsRefused() throws {
    let bytes = try sample()
    for count in 0..<24 { expectRefused(Array(bytes[0..<count]), "\(count) bytes are fewer than the header's 24") }
    for count in Array(24..<bytes.count) + [bytes.count + 1] {
      expectRefused(
        Array((bytes + [0])[0..<count]), "\(count) bytes are not what a weight of 3 × 11 with 3 bits takes")
    }
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
            expectSameRefusal(of: changed, error)
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
    func unsupported(_ detail: String) -> InferenceError { .unsupported(file: PackedContainer.name, detail: detail) }
    expectRefused(changing(0, to: [0]), "it does not begin with EVPW")
    expectRefused(changing(4, to: [2]), like: unsupported("container version 2"))
    expectRefused(changing(5, to: [9]), like: unsupported("content of kind 9"))
    expectRefused(changing(6, to: [0]), "bits must be from 1 to 8, not 0")
    expectRefused(changing(6, to: [9]), "bits must be from 1 to 8, not 9")
    expectRefused(changing(7, to: [16]), "flags 16 are unknown or contradict each other")
    // Symmetric with zero points.
    expectRefused(changing(7, to: [5]), "flags 5 are unknown or contradict each other")
    let largest = 2_147_483_647
    expectRefused(changing(8, to: [0, 0, 0, 0]), "rows must be from 1 to \(largest), not 0")
    expectRefused(changing(8, to: [255, 255, 255, 255]), "rows must be from 1 to \(largest), not 4294967295")
    expectRefused(
      changing(8, to: [255, 255, 255, 127, 255, 255, 255, 127, 1, 0, 0, 0]),
      "bytes are not what a weight of \(largest) × \(largest) with 3 bits takes")
    expectRefused(changing(16, to: [255, 255, 255, 255]), "must be from 0 to \(largest), not 4294967295")
    expectRefused(changing(20, to: [1]), "reserved bytes must be 0")
    let entry = Array(bytes[26..<28])
    expectRefused(changing(24, to: entry), "entry 1 of the permutation, \(entry[0]), is out of range or repeated")
    expectRefused(changing(24, to: [11, 0]), "entry 0 of the permutation, 11, is out of range or repeated")
    let scales = 24 + 2 * 11
    // Infinite, NaN, −0 and negative.
    for (pattern, value): ([UInt8], String) in [
      ([0x00, 0x7c], "inf"), ([0x01, 0x7e], "nan"), ([0x00, 0x80], "-0.0"), ([0x00, 0xbc], "-1.0"),
    ] {
      expectRefused(changing(scales, to: pattern), "scale 0 must be from 0 to 65504.0, not \(value)")
    }
    expectRefused(changing(bytes.count - 1, to: [bytes[bytes.count - 1] | 0x80]), "padding bits before byte ")
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

/// `WeightPacking.unpack` refuses bytes as the decoder of one kind did, unless they have become a weight of GGUF blocks, which
/// its own rules refuse.
func expectSameRefusal(
  of bytes: [UInt8], _ error: InferenceError, sourceLocation: SourceLocation = #_sourceLocation
) {
  guard error.description.hasSuffix("content of kind 3") else {
    #expect(throws: error, sourceLocation: sourceLocation) { try WeightPacking.unpack(bytes) }
    return
  }
  do {
    _ = try WeightPacking.unpack(bytes)
    Issue.record("taken for a weight of blocks", sourceLocation: sourceLocation)
  } catch {
    #expect(error is InferenceError && "\(error)".hasPrefix("packed weight: "), sourceLocation: sourceLocation)
  }
}
