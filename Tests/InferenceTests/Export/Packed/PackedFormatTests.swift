import TestSupport
import Testing

@testable import Inference

/// The tensors of packed formats against readers written bit by bit from their descriptions.
@Suite(.usualTimeLimit) struct PackedFormatTests {
  /// Code i at bit i · b of a stream of 32-bit words, lowest bit first.
  private func code(_ words: [UInt32], _ index: Int, bits: Int) -> Int {
    (0..<bits).reduce(0) { value, bit in
      let place = index * bits + bit
      return value | Int(words[place / 32] >> UInt32(place % 32) & 1) << bit
    }
  }

  private func words(_ bytes: [UInt8]) -> [UInt32] {
    stride(from: 0, to: bytes.count, by: 4).map { bytes.littleEndian(at: $0, as: UInt32.self) }
  }

  /// A weight with random codes, zero points and scales.
  private func weight(
    rows: Int, columns: Int, bits: Int, groupSize: Int, isSymmetric: Bool, isPermuted: Bool = false,
    scaleType: QuantizationParameters.ScaleType = .float16, leastZero: Int = 0, _ random: inout SplitMix64
  ) -> QuantizedWeight {
    let format = QuantizationFormat(
      bits: bits, symmetric: isSymmetric, quantizationGroupSize: groupSize, scaleType: scaleType,
      zeroPointsFitCodes: true)
    let groups = format.groupCount(columns: columns)
    let scales = (0..<rows * groups).map { _ -> Float in
      let scale = Float.random(in: 0.001...0.1, using: &random)
      return scaleType == .float16 ? Float(Float16(scale)) : scale
    }
    let zeros = (0..<rows * groups).map { _ in
      Int16(isSymmetric ? 1 << (bits - 1) : Int.random(in: leastZero...format.largestCode, using: &random))
    }
    return QuantizedWeight(
      rows: rows, columns: columns, format: format,
      codes: (0..<rows * columns).map { _ in UInt8.random(in: 0...UInt8(format.largestCode), using: &random) },
      scales: scales, zeroPoints: zeros,
      permutation: isPermuted ? (0..<Int32(columns)).shuffled(using: &random) : nil)
  }

  private func sameBits(_ a: Matrix, _ b: Matrix) -> Bool { a.hasSameBits(as: b) }

  @Test(arguments: [2, 3, 4, 5, 6, 7, 8], [true, false])
  func compressedTensorsAreWhatAPlainReaderSees(bits: Int, isSymmetric: Bool) throws {
    var random = SplitMix64(property: UInt64(bits) + (isSymmetric ? 100 : 200))
    // Rows of 15 and 48 inputs do not end with a word; 5 rows of zero points neither.
    for (rows, columns, group) in [(5, 48, 16), (3, 15, 0), (40, 96, 32), (2, 16, 128)] {
      for scaleType in [TensorElementType.float16, .float32] {
        let weight = weight(
          rows: rows, columns: columns, bits: bits, groupSize: group, isSymmetric: isSymmetric,
          scaleType: scaleType == .float16 ? .float16 : .float32, &random)
        let scheme = try PackedScheme(weight)
        let format = CompressedTensorsFormat(scaleType: scaleType)
        let tensors = format.tensors(scheme, rows: rows, columns: columns)
        let bytes = format.encode(weight, scheme)
        #expect(tensors.map(\.byteCount) == bytes.map(\.count))
        #expect(
          tensors.map(\.suffix)
            == ["weight_packed", "weight_scale"] + (isSymmetric ? [] : ["weight_zero_point"]) + ["weight_shape"])
        let packed = words(bytes[0])
        let rowWords = (columns * bits + 31) / 32
        let groups = weight.groupCount
        let length = columns / groups
        let dense = weight.dequantized()
        for row in 0..<rows {
          let own = Array(packed[row * rowWords..<(row + 1) * rowWords])
          for column in 0..<columns {
            let place = row * groups + column / length
            let scale =
              scaleType == .float16
              ? Float(Float16(bitPattern: bytes[1].littleEndian(at: 2 * place, as: UInt16.self)))
              : Float(bitPattern: bytes[1].littleEndian(at: 4 * place, as: UInt32.self))
            var zero = 1 << (bits - 1)
            if !isSymmetric {
              // Packed along the rows, one stream per group.
              let all = words(bytes[2])
              let stream = stride(from: column / length, to: all.count, by: groups).map { all[$0] }
              zero = code(stream, row, bits: bits)
            }
            let value = scale * Float(code(own, column, bits: bits) - zero)
            #expect(value.bitPattern == dense[row, column].bitPattern)
          }
        }
        #expect(bytes.last == [UInt8(rows), 0, 0, 0, 0, 0, 0, 0, UInt8(columns), 0, 0, 0, 0, 0, 0, 0])
        #expect(sameBits(format.decode(bytes, scheme, rows: rows, columns: columns), dense))
      }
    }
  }

  @Test(arguments: [2, 3, 4, 8], [true, false])
  func gptqTensorsAreWhatAPlainReaderSees(bits: Int, isSymmetric: Bool) throws {
    var random = SplitMix64(property: UInt64(bits) + (isSymmetric ? 300 : 400))
    for version in GPTQFormat.Version.allCases {
      for (rows, columns, group, isPermuted) in [(32, 96, 32, false), (64, 32, 0, true), (32, 64, 32, true)] {
        let weight = weight(
          rows: rows, columns: columns, bits: bits, groupSize: group, isSymmetric: isSymmetric, isPermuted: isPermuted,
          leastZero: version == .v1 ? 1 : 0, &random)
        let scheme = try PackedScheme(weight)
        #expect(scheme.hasActivationOrder == (isPermuted && group > 0))
        let format = GPTQFormat(version: version)
        let tensors = format.tensors(scheme, rows: rows, columns: columns)
        let bytes = format.encode(weight, scheme)
        #expect(tensors.map(\.byteCount) == bytes.map(\.count))
        #expect(tensors.map(\.suffix) == ["qweight", "qzeros", "scales", "g_idx"])
        let (packed, zeros) = (words(bytes[0]), words(bytes[1]))
        let dense = weight.dequantized()
        for row in 0..<rows {
          let stream = stride(from: row, to: packed.count, by: rows).map { packed[$0] }
          for column in 0..<columns {
            let place = Int(bytes[3].littleEndian(at: 4 * column, as: Int32.self))
            let zeroWords = Array(zeros[place * rows * bits / 32..<(place + 1) * rows * bits / 32])
            let zero = code(zeroWords, row, bits: bits) + (version == .v1 ? 1 : 0)
            let scale = Float(
              Float16(bitPattern: bytes[2].littleEndian(at: 2 * (place * rows + row), as: UInt16.self)))
            let value = scale * Float(code(stream, column, bits: bits) - zero)
            #expect(value.bitPattern == dense[row, column].bitPattern)
          }
        }
        #expect(sameBits(format.decode(bytes, scheme, rows: rows, columns: columns), dense))
      }
    }
  }

  /// The constants that readers of GPTQ checkpoints know for symmetric zero points.
  @Test func symmetricZeroPointsAreTheKnownWords() throws {
    var random = SplitMix64(property: 500)
    let known: [(bits: Int, version: GPTQFormat.Version, words: [UInt32])] = [
      (4, .v1, [0x7777_7777]), (4, .v2, [0x8888_8888]), (3, .v1, [0xDB6D_B6DB, 0xB6DB_6DB6, 0x6DB6_DB6D]),
      (3, .v2, [0x2492_4924, 0x4924_9249, 0x9249_2492]), (8, .v1, [0x7F7F_7F7F]), (8, .v2, [0x8080_8080]),
      (2, .v1, [0x5555_5555]), (2, .v2, [0xAAAA_AAAA]),
    ]
    for (bits, version, expected) in known {
      let weight = weight(rows: 32, columns: 32, bits: bits, groupSize: 0, isSymmetric: true, &random)
      let zeros = words(GPTQFormat(version: version).encode(weight, try PackedScheme(weight))[1])
      #expect(Array(zeros.prefix(expected.count)) == expected, "\(bits) bits, \(version)")
    }
  }

  /// Of 32 codes of 3 bits, the 11th and the 22nd straddle two of three words: 2 + 1 and 1 + 2 bits.
  @Test func codesOfThreeBitsStraddleWords() {
    func words(settingCode index: Int) -> [UInt32] {
      var codes = [UInt8](repeating: 0, count: 32)
      codes[index] = 7
      var bytes: [UInt8] = []
      WordPacking.append(codes[...], bits: 3, to: &bytes)
      return self.words(bytes)
    }
    #expect(words(settingCode: 0) == [7, 0, 0])
    #expect(words(settingCode: 10) == [0xC000_0000, 1, 0])
    #expect(words(settingCode: 21) == [0, 0x8000_0000, 3])
    #expect(words(settingCode: 31) == [0, 0, 0xE000_0000])
  }

  @Test func whatNoFormatHoldsIsRefused() throws {
    var random = SplitMix64(property: 600)
    let ragged = weight(rows: 2, columns: 48, bits: 4, groupSize: 32, isSymmetric: true, &random)
    #expect(
      throws: InferenceError.unfit(
        detail: "rows of 48 inputs end in a group of 16 beside groups of 32, which packed formats cannot store; build "
          + "with a group size that divides 48, or 0 for whole rows", mend: nil)
    ) { try PackedScheme(ragged) }
    let wide = QuantizedWeight(
      rows: 1, columns: 2,
      format: QuantizationFormat(
        bits: 2, symmetric: false, quantizationGroupSize: 0, scaleType: .float16, zeroPointsFitCodes: false),
      codes: [0, 3], scales: [1], zeroPoints: [-9], permutation: nil)
    #expect(
      throws: InferenceError.unfit(
        detail: "zero points reach beyond the codes 0 to 3, which packed formats cannot store", mend: nil)
    ) { try PackedScheme(wide) }
    let gptq = GPTQFormat(version: .v2)
    #expect(
      throws: InferenceError.unfit(
        detail: "gptq has codes of 2, 3, 4 and 8 bits, not 5; compressed-tensors has 2 to 8", mend: nil)
    ) { try gptq.validate(PackedScheme(bits: 5, isSymmetric: true, groupSize: nil), rows: 32, columns: 32) }
    #expect(
      throws: InferenceError.unfit(
        detail: "gptq needs multiples of 32 outputs and inputs, not 32 × 48", mend: nil)
    ) { try gptq.validate(PackedScheme(bits: 4, isSymmetric: true, groupSize: nil), rows: 32, columns: 48) }
    let tensors = CompressedTensorsFormat(scaleType: .float16)
    #expect(throws: InferenceError.unfit(detail: "compressed-tensors has codes of 2 to 8 bits, not 1", mend: nil)) {
      try tensors.validate(PackedScheme(bits: 1, isSymmetric: true, groupSize: nil), rows: 32, columns: 32)
    }
    expectError(like: InferenceError.unfit(detail: "activation order", mend: nil)) {
      try tensors.validate(
        PackedScheme(bits: 4, isSymmetric: true, groupSize: 32, hasActivationOrder: true), rows: 32, columns: 64)
    }
  }

  /// With one group for a row, codes can go back to the order of the inputs.
  @Test func anActivationOrderWithoutGroupsIsUndone() throws {
    var random = SplitMix64(property: 700)
    let weight = weight(
      rows: 4, columns: 32, bits: 3, groupSize: 0, isSymmetric: false, isPermuted: true, &random)
    let scheme = try PackedScheme(weight)
    #expect(!scheme.hasActivationOrder)
    let format = CompressedTensorsFormat(scaleType: .float16)
    let read = format.decode(format.encode(weight, scheme), scheme, rows: 4, columns: 32)
    #expect(sameBits(read, weight.dequantized()))
  }
}
