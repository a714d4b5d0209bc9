import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct SafetensorsFileTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func open(_ builder: SafetensorsBuilder) throws -> SafetensorsFile {
    try SafetensorsFile(try folder.write(builder.bytes(), to: "test.safetensors"))
  }

  @Test func tensorsAreSortedByTheBytesOfTheirNames() throws {
    var builder = SafetensorsBuilder()
    builder.add("b", shape: [1], floats: [1])
    builder.add("\u{E9}", shape: [1], floats: [2])
    builder.add("e\u{301}", shape: [2], floats: [3, 4])
    builder.add("B", shape: [], floats: [5])
    builder.addHeaderText(#""__metadata__":{"format":"pt"}"#)
    let file = try open(builder)
    #expect(file.tensors.map(\.key) == ["B", "b", "e\u{301}", "\u{E9}"])
    #expect(file.tensors[2].shape == [2])
    #expect(file.tensors[2].byteCount == 8)
    #expect(file.tensors[2].elementType == .float32)
    #expect(file.metadata == ["format": "pt"])
    #expect(try file.matrix(named: "\u{E9}").values == [2])
    #expect(try file.matrix(named: "e\u{301}").values == [3, 4])
  }

  @Test func shapesBecomeRowsAndColumns() throws {
    var builder = SafetensorsBuilder()
    builder.add("scalar", shape: [], floats: [7])
    builder.add("vector", shape: [3], floats: [1, 2, 3])
    builder.add("matrix", shape: [2, 3], floats: [1, 2, 3, 4, 5, 6])
    builder.add("cube", shape: [2, 2, 2], floats: [1, 2, 3, 4, 5, 6, 7, 8])
    builder.add("empty", shape: [0, 5], floats: [])
    let file = try open(builder)
    func size(_ name: String) throws -> [Int] {
      let matrix = try file.matrix(named: name)
      return [matrix.rows, matrix.columns]
    }
    #expect(try size("scalar") == [1, 1])
    #expect(try size("vector") == [1, 3])
    #expect(try size("matrix") == [2, 3])
    #expect(try size("cube") == [4, 2])
    #expect(try size("empty") == [0, 5])
    #expect(try file.matrix(named: "cube")[3, 1] == 8)
  }

  @Test func storedFloatsAreWidenedExactly() throws {
    let all = (0...UInt16.max as ClosedRange<UInt16>).map { $0 }
    let bytes = all.flatMap { SafetensorsBuilder.littleEndian($0) }
    let doubles: [Double] = [0.1, -1e300, 5e-324, .infinity, 1 + 0x1p-24]
    var builder = SafetensorsBuilder()
    // More than one conversion buffer.
    builder.add("bf16", dtype: "BF16", shape: [4, 65536], bytes: bytes + bytes + bytes + bytes)
    builder.add("f16", dtype: "F16", shape: [65536], bytes: bytes)
    builder.add(
      "f64", dtype: "F64", shape: [5], bytes: doubles.flatMap { SafetensorsBuilder.littleEndian($0.bitPattern) })
    let file = try open(builder)

    let brain = try file.matrix(named: "bf16")
    #expect(
      (0..<4).allSatisfy { row in all.allSatisfy { brain[row, Int($0)].bitPattern == UInt32($0) << 16 } })
    let half = try file.matrix(named: "f16")
    for pattern in all {
      let expected = Self.halfPrecisionValue(pattern)
      let found = half[0, Int(pattern)]
      guard found.bitPattern != expected.bitPattern, !(found.isNaN && expected.isNaN) else { continue }
      Issue.record("half 0x\(String(pattern, radix: 16)) gives \(found), expected \(expected)")
    }
    #expect(try file.matrix(named: "f64").values == doubles.map { Float($0) })
  }

  /// IEEE 754 binary16 by its definition.
  private static func halfPrecisionValue(_ pattern: UInt16) -> Float {
    let sign: Float = pattern >> 15 == 0 ? 1 : -1
    let exponent = Int(pattern >> 10 & 0x1F)
    let fraction = Float(pattern & 0x3FF)
    switch exponent {
    case 0: return sign * fraction * 0x1p-24
    case 31: return fraction == 0 ? sign * .infinity : .nan
    default: return sign * (1 + fraction * 0x1p-10) * Float(sign: .plus, exponent: exponent - 15, significand: 1)
    }
  }

  @Test func integersAreReadExactly() throws {
    var builder = SafetensorsBuilder()
    let wide: [Int64] = [.min, -1, 9_007_199_254_740_993]
    builder.add("i32", dtype: "I32", shape: [1, 2], bytes: [1, 0, 0, 0, 0xFE, 0xFF, 0xFF, 0xFF])
    builder.add("i64", dtype: "I64", shape: [3], bytes: wide.flatMap { SafetensorsBuilder.littleEndian($0) })
    let file = try open(builder)
    #expect(try file.integers(named: "i32").shape == [1, 2])
    #expect(try file.integers(named: "i32").values == [1, -2])
    #expect(try file.integers(named: "i64").values == wide)
    #expect(throws: InferenceError.unsupported(file: file.path, detail: "tensor i32: reading I32 as floats")) {
      try file.matrix(named: "i32")
    }
    #expect(throws: InferenceError.invalidData(file: file.path, detail: "there is no tensor absent")) {
      try file.integers(named: "absent")
    }
  }

  @Test(arguments: [1, 7, 1000, 1 << 20]) func chunksTogetherAreTheStoredBytes(_ chunkByteCount: Int) throws {
    let stored = (0..<2500).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    var builder = SafetensorsBuilder()
    builder.add("before", dtype: "U8", shape: [3], bytes: [1, 2, 3])
    builder.add("t", dtype: "F8_E4M3", shape: [50, 50], bytes: stored)
    builder.add("none", dtype: "BOOL", shape: [0], bytes: [])
    let file = try open(builder)
    var gathered: [UInt8] = []
    try file.forEachChunk(ofTensor: "t", chunkByteCount: chunkByteCount) { chunk in
      #expect(chunk.count <= chunkByteCount)
      gathered += chunk
    }
    #expect(gathered == stored)
    try file.forEachChunk(ofTensor: "none") { _ in Issue.record("an empty tensor has no chunk") }
  }

  @Test func aFileThatShrinksAfterOpeningIsAnError() throws {
    var builder = SafetensorsBuilder()
    builder.add("t", shape: [1000], floats: Array(repeating: 1, count: 1000))
    let file = try open(builder)
    #expect(truncate(file.path, 500) == 0)
    for read in [{ _ = try file.matrix(named: "t") }, { try file.forEachChunk(ofTensor: "t") { _ in } }] {
      do {
        try read()
        Issue.record("the read of a cut file succeeded")
      } catch InferenceError.inputOutput(_, let detail) {
        #expect(detail.contains("shorter"))
      }
    }
  }

  @Test func aReplacedFileIsReadAsItWasOpened() throws {
    var builder = SafetensorsBuilder()
    builder.add("t", shape: [1], floats: [1])
    let file = try open(builder)
    try FileManager.default.removeItem(atPath: file.path)
    #expect(try file.matrix(named: "t").values == [1])
  }

  @Test func whatIsNotAFileIsAnError() throws {
    #expect(throws: InferenceError.invalidData(file: folder.url.path, detail: "not a regular file")) {
      try SafetensorsFile(folder.url)
    }
    let absent = folder.url.appendingPathComponent("absent")
    #expect(throws: InferenceError.missingInput(path: absent.path, reason: "no such file")) {
      try SafetensorsFile(absent)
    }
    let pipe = folder.url.appendingPathComponent("pipe")
    #expect(mkfifo(pipe.path, 0o600) == 0)
    #expect(throws: InferenceError.invalidData(file: pipe.path, detail: "not a regular file")) {
      try SafetensorsFile(pipe)
    }
  }

  @Test func manyThreadsReadTheSameFile() async throws {
    var builder = SafetensorsBuilder()
    for index in 0..<20 { builder.add("t\(index)", shape: [999], floats: Array(repeating: Float(index), count: 999)) }
    let file = try open(builder)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for index in 0..<200 {
        group.addTask { try file.matrix(named: "t\(index % 20)").values.allSatisfy { $0 == Float(index % 20) } }
      }
      for try await same in group { #expect(same) }
    }
  }
}
