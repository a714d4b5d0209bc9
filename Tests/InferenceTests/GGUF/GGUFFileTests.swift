import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct GGUFFileTests {
  private let folder: TemporaryFolder
  private let fixture = Fixtures.url("gguf/values.gguf")

  init() throws { folder = try TemporaryFolder() }

  private func write(
    _ name: String, fields: [GGUFField], tensors: [GGUFTensorDescription], bytes: [[UInt8]], pieceByteCount: Int = 7
  ) throws -> URL {
    let url = folder.url.appendingPathComponent(name)
    let writer = try GGUFWriter(url, fields: fields, tensors: tensors)
    for tensor in bytes {
      for start in stride(from: 0, to: tensor.count, by: pieceByteCount) {
        try writer.append(tensor[start..<min(tensor.count, start + pieceByteCount)])
      }
    }
    try writer.finish()
    return url
  }

  @Test func valuesAreThoseThatPythonWrote() throws {
    let file = try GGUFFile(fixture)
    let expected: [GGUFField] = [
      GGUFField("general.architecture", .string("llama")), GGUFField("general.alignment", .uint32(64)),
      GGUFField("a.uint8", .uint8(200)), GGUFField("a.int8", .int8(-5)), GGUFField("a.uint16", .uint16(65535)),
      GGUFField("a.int16", .int16(-3)), GGUFField("a.uint32", .uint32(1 << 31)), GGUFField("a.int32", .int32(-7)),
      GGUFField("a.float32", .float32(1.5)), GGUFField("a.true", .bool(true)), GGUFField("a.false", .bool(false)),
      GGUFField("a.string", .string("h\u{E9}llo")), GGUFField("a.uint64", .uint64(1 << 63)),
      GGUFField("a.int64", .int64(-9)), GGUFField("a.float64", .float64(1e300)),
      GGUFField("a.strings", .array(GGUFArray(strings: ["a", "", "\u{FC}"]))),
      GGUFField("a.integers", .array(try #require(GGUFArray([.int32(1), .int32(2), .int32(3)], of: .int32)))),
      GGUFField("a.floats", .array(try #require(GGUFArray([.float32(1), .float32(2.5)], of: .float32)))),
      GGUFField("a.bools", .array(try #require(GGUFArray([.bool(true), .bool(false)], of: .bool)))),
    ]
    #expect(file.fields == expected)
    for field in expected { #expect(file[field.key] == field.value) }
    #expect(file["a.none"] == nil && file.tensor(named: "none") == nil)
  }

  @Test func tensorsAreThoseThatPythonWrote() throws {
    let file = try GGUFFile(fixture)
    #expect(file.tensors.map(\.name) == ["plain", "half", "vector", "blocks", "bytes"])
    #expect(file.tensors.map(\.type) == [.float32, .float16, .float32, .q80, .int8])
    #expect(file.tensors.map(\.shape) == [[2, 3], [2, 2, 3], [5], [2, 32], [5]])
    #expect(try file.matrix(named: "plain").values == (0..<6).map { Float($0) - 2.5 })
    let half = try file.matrix(named: "half")
    #expect((half.rows, half.columns) == (4, 3) && half.values == (0..<12).map { Float($0) / 4 })
    let vector = try file.matrix(named: "vector")
    #expect((vector.rows, vector.columns) == (1, 5) && vector.values == [0, 1, 2, 3, 4])
    #expect(try file.bytes(ofTensor: "bytes") == [0, 1, 2, 3, 4])
    let weight = Matrix(rows: 2, columns: 32, values: (0..<64).map { Float($0) - 32 })
    #expect(try file.quantized(named: "blocks") == GGUFTensor(quantizing: weight, as: .q80))
    #expect(try file.matrix(named: "blocks").values == file.quantized(named: "blocks").dequantized().values)
    expectError(like: InferenceError.unsupported(file: fixture.path, detail: "reading weights of type I8")) {
      try file.matrix(named: "bytes")
    }
    expectError(like: InferenceError.unsupported(file: fixture.path, detail: "reading weights of type F32")) {
      try file.quantized(named: "plain")
    }
    expectError(like: InferenceError.invalidData(file: fixture.path, detail: "there is no tensor none")) {
      try file.bytes(ofTensor: "none")
    }
  }

  @Test func writtenAgainItHasTheSameBytes() throws {
    let file = try GGUFFile(fixture)
    let url = try write(
      "again.gguf", fields: file.fields, tensors: file.tensors,
      bytes: file.tensors.map { try file.bytes(ofTensor: $0.name) })
    #expect(try Data(contentsOf: url) == Data(contentsOf: fixture))
  }

  @Test(arguments: [nil, UInt32(1), 8, 32, 4096])
  func tensorsBeginAtMultiplesOfTheAlignment(_ alignment: UInt32?) throws {
    let fields = alignment.map { [GGUFField(GGUFHeader.alignmentKey, .uint32($0))] } ?? []
    let tensors = try [1, 3, 32, 33].map {
      try GGUFTensorDescription(name: ByteString("t\($0)"), type: .int8, shape: [$0])
    }
    let bytes = tensors.map { [UInt8](repeating: UInt8($0.byteCount), count: $0.byteCount) }
    let url = try write("aligned.gguf", fields: fields, tensors: tensors, bytes: bytes)
    let file = try GGUFFile(url)
    #expect(file.fields == fields && file.tensors == tensors)
    for (tensor, expected) in zip(tensors, bytes) { #expect(try file.bytes(ofTensor: tensor.name) == expected) }
    #expect(try Data(contentsOf: url).count.isMultiple(of: Int(alignment ?? 32)))
  }

  @Test func aFileMayBeWithoutTensorsAndMetadata() throws {
    let file = try GGUFFile(write("empty.gguf", fields: [], tensors: [], bytes: []))
    #expect(file.fields.isEmpty && file.tensors.isEmpty)
  }

  @Test(arguments: GGUFType.quantized) func quantizedTensorsSurviveAFile(_ type: GGUFType) throws {
    let weight = Matrix(rows: 3, columns: 256, values: (0..<768).map { Float($0 % 17) - 8 })
    let tensor = try GGUFTensor(quantizing: weight, as: type)
    let description = try GGUFTensorDescription(name: "w", type: type, shape: [3, 256])
    let file = try GGUFFile(
      write("blocks.gguf", fields: [], tensors: [description], bytes: [tensor.bytes], pieceByteCount: 100))
    #expect(try file.quantized(named: "w") == tensor)
    #expect(try file.matrix(named: "w").values == tensor.dequantized().values)
  }

  @Test func nothingIsOverwritten() throws {
    let url = try write("once.gguf", fields: [], tensors: [], bytes: [])
    expectError(like: InferenceError.inputOutput(path: url.path, detail: "cannot be made")) {
      try GGUFWriter(url, fields: [], tensors: [])
    }
  }

  @Test func whatTheFormatDoesNotAllowIsNotWritten() throws {
    func refuse(_ detail: String, fields: [GGUFField] = [], names: [ByteString] = []) {
      expectError(like: InferenceError.impossible(detail: detail)) {
        try GGUFHeader(
          fields: fields,
          tensors: names.map { try GGUFTensorDescription(name: $0, type: .float32, shape: [1]) })
      }
    }
    refuse("a key of the metadata is empty", fields: [GGUFField("", .bool(true))])
    refuse("occurs twice", fields: [GGUFField("a", .bool(true)), GGUFField("a", .uint8(1))])
    refuse("occurs twice", names: ["a", "b", "a"])
    refuse("at most 63 bytes in GGUF, not 64", names: [ByteString(String(repeating: "x", count: 64))])
    for value in [GGUFValue.uint32(0), .uint32(48), .uint64(32), .string("32")] {
      refuse("power of two", fields: [GGUFField(GGUFHeader.alignmentKey, value)])
    }
    #expect(GGUFArray([.bool(true), .uint8(1)], of: .bool) == nil)
    #expect(GGUFArray([], of: .array) == nil)
  }

  @Test(arguments: [
    ([], "dimensions, not 0"), ([1, 1, 1, 1, 256], "dimensions, not 5"), ([0, 256], "at least 1"),
    ([-1, 256], "at least 1"), ([1, 255], "a multiple of 256"), ([1 << 40, 1 << 40], "64 bits"),
  ])
  func impossibleShapesAreRefused(_ shape: [Int], _ rule: String) {
    expectError(like: InferenceError.impossible(detail: rule)) {
      try GGUFTensorDescription(name: "w", type: .q4K, shape: shape)
    }
  }
}
