import TestSupport
import Testing

@testable import Inference

/// ggml's own bytes for one matrix, and what gguf's reader makes of them.
private struct GoldenBlocks {
  let file: SafetensorsFile
  let weight: Matrix
  let importance: [Float]

  init() throws {
    file = try SafetensorsFile(Fixtures.url("golden/gguf/blocks.safetensors"))
    weight = try file.matrix(named: "weight")
    importance = try file.matrix(named: "importance").values
  }

  func bytes(_ name: String) throws -> [UInt8] {
    var result: [UInt8] = []
    try file.forEachChunk(ofTensor: name + ".bytes") { result += $0 }
    return result
  }

  func dequantized(_ name: String) throws -> [UInt32] {
    try file.matrix(named: name + ".dequantized").values.map(\.bitPattern)
  }
}

@Suite(.usualTimeLimit) struct GGUFTensorTests {
  private func random(rows: Int, columns: Int, _ stream: UInt64) -> Matrix {
    var generator = SplitMix64(property: stream)
    return Matrix(
      rows: rows, columns: columns, values: (0..<rows * columns).map { _ in 0.02 * generator.normal() })
  }

  private func importance(_ count: Int, _ stream: UInt64) -> [Float] {
    var generator = SplitMix64(property: stream)
    return (0..<count).map { _ in abs(generator.normal()) }
  }

  private func row(_ matrix: Matrix, _ row: Int, columns: Range<Int>) -> Matrix {
    Matrix(rows: 1, columns: columns.count, values: columns.map { matrix[row, $0] })
  }

  private func bits(_ matrix: Matrix) -> [UInt32] { matrix.values.map(\.bitPattern) }

  @Test(arguments: GGUFType.quantized, [false, true])
  func bytesAreThoseOfGGML(_ type: GGUFType, isWeighted: Bool) throws {
    let golden = try GoldenBlocks()
    let name = isWeighted ? "\(type.name).importance" : type.name
    let tensor = try GGUFTensor(
      quantizing: golden.weight, as: type, importance: isWeighted ? golden.importance : nil)
    #expect(tensor.bytes == (try golden.bytes(name)))
  }

  @Test(arguments: GGUFType.quantized, [false, true])
  func valuesAreThoseOfGGML(_ type: GGUFType, isWeighted: Bool) throws {
    let golden = try GoldenBlocks()
    let name = isWeighted ? "\(type.name).importance" : type.name
    let tensor = try GGUFTensor(type: type, rows: 8, columns: 512, bytes: golden.bytes(name))
    #expect(bits(tensor.dequantized()) == (try golden.dequantized(name)))
  }

  /// Blocks are searched eight at a time; neither their neighbours nor their number may matter.
  @Test(arguments: GGUFType.quantized) func everyBlockStandsForItself(_ type: GGUFType) throws {
    let length = type.blockLength
    for blockCount in [1, 3, 9] {
      let weight = random(rows: 3, columns: blockCount * length, UInt64(blockCount))
      var blocks: [UInt8] = []
      for index in 0..<3 * blockCount {
        let start = index % blockCount * length
        let block = row(weight, index / blockCount, columns: start..<start + length)
        blocks += try GGUFTensor(quantizing: block, as: type).bytes
      }
      #expect(try GGUFTensor(quantizing: weight, as: type).bytes == blocks)
    }
  }

  @Test(arguments: GGUFType.quantized) func everyRowStandsForItselfUnderImportances(_ type: GGUFType) throws {
    let columns = 3 * type.blockLength
    let weight = random(rows: 5, columns: columns, 1)
    let importance = importance(columns, 2)
    let rows = try (0..<5).flatMap {
      try GGUFTensor(quantizing: row(weight, $0, columns: 0..<columns), as: type, importance: importance).bytes
    }
    #expect(try GGUFTensor(quantizing: weight, as: type, importance: importance).bytes == rows)
  }

  @Test(arguments: GGUFType.quantized) func moreBitsMeanLessError(_ type: GGUFType) throws {
    // Normalised squared errors of ggml on the golden matrix, with some room.
    let limits: [GGUFType: Double] = [
      .q40: 0.009, .q41: 0.008, .q50: 0.003, .q51: 0.002, .q80: 0.0001, .iq4NL: 0.008, .iq4XS: 0.008, .q2K: 0.12,
      .q3K: 0.03, .q4K: 0.007, .q5K: 0.002, .q6K: 0.0006,
    ]
    let weight = random(rows: 16, columns: 1024, 3)
    let result = try GGUFTensor(quantizing: weight, as: type).dequantized()
    var (error, norm) = (0.0, 0.0)
    for (x, y) in zip(weight.values, result.values) {
      error += Double(x - y) * Double(x - y)
      norm += Double(x) * Double(x)
    }
    #expect(error / norm < (try #require(limits[type])))
  }

  @Test(arguments: GGUFType.quantized, [false, true])
  func zerosStayZeros(_ type: GGUFType, isWeighted: Bool) throws {
    let weight = Matrix(rows: 3, columns: 512)
    for column in 0..<512 { weight[1, column] = Float(column % 7) - 3 }
    let tensor = try GGUFTensor(
      quantizing: weight, as: type, importance: isWeighted ? importance(512, 4) : nil)
    let values = tensor.dequantized().values
    #expect(values[..<512].allSatisfy { $0 == 0 } && values[1024...].allSatisfy { $0 == 0 })
    #expect(values[512..<1024].contains { $0 != 0 })
  }

  /// The largest error that one step of the widest grid, of Q2_K and IQ4, can leave.
  @Test(arguments: GGUFType.quantized, [Float(0.75), -0.75, 1e-20, -3e4])
  func constantRowsAreKeptNearly(_ type: GGUFType, value: Float) throws {
    let weight = Matrix(rows: 1, columns: 512, values: [Float](repeating: value, count: 512))
    let values = try GGUFTensor(quantizing: weight, as: type).dequantized().values
    // 1e-20 is below half the least half, 3e-8, and so below every scale but of no type above it.
    let expected = abs(value) < 1e-15 ? 0 : value
    #expect(values.allSatisfy { abs($0 - expected) <= 0.02 * abs(expected) })
  }

  @Test(arguments: GGUFType.quantized) func aBlockWithoutImportanceIsStillFinite(_ type: GGUFType) throws {
    var importance = importance(512, 5)
    for index in 0..<256 { importance[index] = 0 }
    let values = try GGUFTensor(quantizing: random(rows: 2, columns: 512, 6), as: type, importance: importance)
      .dequantized().values
    #expect(values.allSatisfy { $0.isFinite })
  }

  @Test(arguments: GGUFType.quantized) func extremesAreKeptFiniteOrRefused(_ type: GGUFType) throws {
    let extremes: [Float] = [
      .leastNonzeroMagnitude, .leastNormalMagnitude / 4, .leastNormalMagnitude, 1e-30, 1e-16, 3e-8, 1, 1e5, 1e6, 1e9,
      1e30,
      .greatestFiniteMagnitude,
    ]
    for (index, extreme) in extremes.enumerated() {
      for importance in [nil, importance(256, 7)] {
        let weight = random(rows: 2, columns: 256, UInt64(index))
        for column in stride(from: 0, to: 256, by: 5) { weight[1, column] = column % 2 == 0 ? extreme : -extreme }
        do {
          let values = try GGUFTensor(quantizing: weight, as: type, importance: importance).dequantized().values
          #expect(values.allSatisfy { $0.isFinite })
          #expect(extreme < 1e9)
        } catch InferenceError.invalidData(_, let detail) {
          #expect(detail.contains("too large") && extreme >= 1e5)
        }
      }
    }
  }

  @Test(arguments: GGUFType.quantized) func whatIsNotFiniteIsRefused(_ type: GGUFType) {
    for value in [Float.nan, .infinity, -.infinity] {
      let weight = Matrix(rows: 2, columns: 256)
      weight[1, 255] = value
      expectError(like: InferenceError.invalidData(file: "weight", detail: "NaN or an infinity")) {
        try GGUFTensor(quantizing: weight, as: type)
      }
    }
    for value in [Float.nan, .infinity, -1] {
      expectError(like: InferenceError.impossible(detail: "importances must be finite and not negative")) {
        try GGUFTensor(
          quantizing: Matrix(rows: 1, columns: 256), as: type,
          importance: [Float](repeating: 1, count: 255) + [value])
      }
    }
  }

  @Test(arguments: GGUFType.quantized) func otherShapesAreRefused(_ type: GGUFType) {
    for columns in [1, 31, type.blockLength - 1, type.blockLength + 16] {
      expectError(like: InferenceError.impossible(detail: "a multiple of \(type.blockLength) long, not \(columns)")) {
        try GGUFTensor(quantizing: Matrix(rows: 1, columns: columns), as: type)
      }
    }
    expectError(like: InferenceError.invalidData(file: "weight", detail: "no elements")) {
      try GGUFTensor(quantizing: Matrix(rows: 0, columns: 256), as: type)
    }
    expectError(like: InferenceError.impossible(detail: "256 columns need as many importances, not 255")) {
      try GGUFTensor(
        quantizing: Matrix(rows: 1, columns: 256), as: type, importance: [Float](repeating: 1, count: 255))
    }
    expectError(like: InferenceError.impossible(detail: "")) {
      try GGUFTensor.byteCount(type, rows: .max / 2, columns: 1 << 40)
    }
  }

  @Test func typesWithoutBlocksOfWeightsAreRefused() {
    for type in GGUFType.allCases where !type.isQuantized {
      expectError(like: InferenceError.impossible(detail: "not to \(type.name)")) {
        try GGUFTensor(quantizing: Matrix(rows: 1, columns: 256), as: type)
      }
    }
  }

  @Test(arguments: GGUFType.quantized) func storedBlocksAreHeldAgainstTheirShape(_ type: GGUFType) throws {
    let tensor = try GGUFTensor(quantizing: random(rows: 2, columns: 256, 8), as: type)
    #expect(try GGUFTensor(type: type, rows: 2, columns: 256, bytes: tensor.bytes) == tensor)
    for bytes in [tensor.bytes.dropLast(), tensor.bytes + [0]] {
      expectError(like: InferenceError.invalidData(file: type.name, detail: "not \(bytes.count)")) {
        try GGUFTensor(type: type, rows: 2, columns: 256, bytes: Array(bytes))
      }
    }
  }

  /// Any bytes are blocks, unless a half in them is not finite.
  @Test(arguments: GGUFType.quantized) func anyBlocksAreFiniteOrRefused(_ type: GGUFType) throws {
    var generator = SplitMix64(property: 9)
    var readCount = 0
    for _ in 0..<100 {
      let bytes = (0..<type.blockByteCount).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
      do {
        let tensor = try GGUFTensor(type: type, rows: 1, columns: type.blockLength, bytes: bytes)
        #expect(tensor.dequantized().values.allSatisfy { $0.isFinite })
        readCount += 1
      } catch InferenceError.invalidData(let file, let detail) {
        #expect(file == type.name && detail.contains("NaN or infinite"))
      }
    }
    #expect(readCount > 50)
  }
}
