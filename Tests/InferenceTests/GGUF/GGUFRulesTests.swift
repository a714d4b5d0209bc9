import Foundation
import TestSupport
import Testing

@testable import Inference

/// One malformed file for every rule of the format.
@Suite(.usualTimeLimit) struct GGUFRulesTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// The parts of a file, to be broken one at a time.
  private struct Parts {
    var magic: [UInt8] = Array("GGUF".utf8)
    var version: UInt32 = 3
    var tensorCount: UInt64?
    var fieldCount: UInt64?
    var fields: [[UInt8]] = []
    var tensors: [[UInt8]] = []
    var data: [UInt8] = []

    static func number<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] { SafetensorsBuilder.littleEndian(value) }

    static func string(_ text: String, count: UInt64? = nil) -> [UInt8] {
      number(count ?? UInt64(text.utf8.count)) + Array(text.utf8)
    }

    static func field(_ key: String, kind: UInt32, _ value: [UInt8]) -> [UInt8] { string(key) + number(kind) + value }

    static func tensor(
      _ name: String = "t", dimensions: [UInt64] = [8], dimensionCount: UInt32? = nil, type: UInt32 = 0,
      offset: UInt64 = 0
    ) -> [UInt8] {
      string(name) + number(dimensionCount ?? UInt32(dimensions.count)) + dimensions.flatMap { number($0) }
        + number(type) + number(offset)
    }

    var bytes: [UInt8] {
      var bytes = magic + Self.number(version) + Self.number(tensorCount ?? UInt64(tensors.count))
      bytes += Self.number(fieldCount ?? UInt64(fields.count))
      bytes += (fields + tensors).joined()
      if !data.isEmpty { bytes += [UInt8](repeating: 0, count: (32 - bytes.count % 32) % 32) + data }
      return bytes
    }
  }

  private let eightFloats = [UInt8](repeating: 0, count: 32)

  private func refusal(_ bytes: [UInt8]) throws -> InferenceError? {
    let url = try folder.write(bytes, to: "bad.gguf")
    do {
      _ = try GGUFFile(url)
      return nil
    } catch let error as InferenceError {
      return error
    }
  }

  private func expectInvalid(
    _ detail: String, _ parts: Parts, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let error = try refusal(parts.bytes)
    guard case .invalidData(let file, let found)? = error, file.hasSuffix("bad.gguf"), found.contains(detail) else {
      Issue.record("expected \(detail), found \(String(describing: error))", sourceLocation: sourceLocation)
      return
    }
  }

  private func expectUnsupported(
    _ detail: String, _ parts: Parts, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let error = try refusal(parts.bytes)
    guard case .unsupported(_, let found)? = error, found.contains(detail) else {
      Issue.record("expected \(detail), found \(String(describing: error))", sourceLocation: sourceLocation)
      return
    }
  }

  @Test func theSmallestFilesAreAccepted() throws {
    #expect(try refusal(Parts().bytes) == nil)
    #expect(try refusal(Parts(version: 2).bytes) == nil)
    #expect(try refusal(Parts(tensors: [Parts.tensor()], data: eightFloats).bytes) == nil)
  }

  @Test func otherFilesAndVersionsAreRefused() throws {
    try expectInvalid("does not begin with GGUF", Parts(magic: Array("GGML".utf8)))
    for count in 0..<4 {
      #expect(try refusal(Array("GGUF".utf8.prefix(count))) != nil)
    }
    for version: UInt32 in [1, 4, .max] { try expectUnsupported("version \(version)", Parts(version: version)) }
    for version: UInt32 in [0, UInt32(3).byteSwapped] {
      try expectUnsupported("big-endian", Parts(version: version))
    }
  }

  @Test func aFileThatEndsAnywhereIsRefused() throws {
    let text = Parts.field("a", kind: 8, Parts.string("text"))
    let array = Parts.field(
      "b", kind: 9, Parts.number(UInt32(4)) + Parts.number(UInt64(2)) + Parts.number(UInt64(7)))
    let whole = Parts(fields: [text, array], tensors: [Parts.tensor()], data: eightFloats).bytes
    #expect(try refusal(whole) == nil)
    for count in 0..<whole.count { #expect(try refusal(Array(whole[..<count])) != nil, "\(count)") }
  }

  @Test(arguments: [1, 1000, UInt64(Int64.max), UInt64(Int64.max) + 1, .max])
  func countsBeyondTheFileAreRefused(_ count: UInt64) throws {
    try expectInvalid("\(count) are said to be there", Parts(tensorCount: count))
    try expectInvalid("\(count) are said to be there", Parts(fieldCount: count))
    let array = Parts.number(UInt32(0)) + Parts.number(count)
    try expectInvalid("\(count) are said to be there", Parts(fields: [Parts.field("a", kind: 9, array)]))
    try expectInvalid("has \(count) bytes", Parts(fields: [Parts.field("a", kind: 8, Parts.number(count))]))
  }

  @Test func malformedMetadataAreRefused() throws {
    let flag = Parts.field("a", kind: 7, [1])
    #expect(try refusal(Parts(fields: [flag]).bytes) == nil)
    try expectInvalid("occurs twice", Parts(fields: [flag, flag]))
    try expectInvalid("is empty", Parts(fields: [Parts.field("", kind: 7, [1])]))
    try expectInvalid("must be 0 or 1", Parts(fields: [Parts.field("a", kind: 7, [2])]))
    try expectInvalid("value of type 13", Parts(fields: [Parts.field("a", kind: 13, [0])]))
    let nested = Parts.number(UInt32(9)) + Parts.number(UInt64(0))
    try expectInvalid("array of arrays", Parts(fields: [Parts.field("a", kind: 9, nested)]))
    try expectInvalid(
      "power of two", Parts(fields: [Parts.field("general.alignment", kind: 4, Parts.number(UInt32(33)))]))
    try expectInvalid("power of two", Parts(fields: [Parts.field("general.alignment", kind: 7, [1])]))
  }

  @Test func malformedTensorsAreRefused() throws {
    func one(_ tensor: [UInt8]) -> Parts { Parts(tensors: [tensor], data: eightFloats) }
    try expectInvalid("has 0 dimensions", one(Parts.tensor(dimensions: [])))
    try expectInvalid("has 5 dimensions", one(Parts.tensor(dimensions: [8, 1, 1, 1, 1])))
    try expectInvalid("at least 1", one(Parts.tensor(dimensions: [8, 0])))
    try expectInvalid("positive 64-bit number", one(Parts.tensor(dimensions: [8, .max])))
    try expectInvalid("64 bits", one(Parts.tensor(dimensions: [1 << 32, 1 << 32])))
    try expectInvalid("a multiple of 32", one(Parts.tensor(dimensions: [8], type: 2)))
    try expectInvalid("64 bytes", one(Parts.tensor(String(repeating: "x", count: 64))))
    try expectUnsupported("type 4", one(Parts.tensor(type: 4)))
    try expectUnsupported("type 4294967295", one(Parts.tensor(type: .max)))
    try expectInvalid("cut off", one(Parts.tensor(dimensions: [8, 1 << 40])))
    try expectInvalid("cut off", one(Parts.tensor(dimensions: [9])))
    try expectInvalid("cut off", Parts(tensors: [Parts.tensor()]))
  }

  @Test func tensorsLieInOrderAndWithoutGaps() throws {
    func two(_ first: UInt64, _ second: UInt64, name: String = "u") -> Parts {
      Parts(
        tensors: [Parts.tensor(dimensions: [7], offset: first), Parts.tensor(name, offset: second)],
        data: eightFloats + eightFloats)
    }
    #expect(try refusal(two(0, 32).bytes) == nil)
    for (first, second): (UInt64, UInt64) in [(0, 28), (0, 64), (32, 0), (0, 0), (32, 64), (0, .max)] {
      try expectInvalid("expected", two(first, second))
    }
    try expectInvalid("occurs twice", two(0, 32, name: "t"))
  }

  /// Bytes changed at random are refused or read, and what is read can be written and read again.
  @Test func garbageNeverTraps() throws {
    let whole = Array(try Data(contentsOf: Fixtures.url("gguf/values.gguf")))
    var generator = SplitMix64(property: 1)
    for _ in 0..<1000 {
      var bytes = whole
      for _ in 0...Int(generator.next() % 3) {
        bytes[Int(generator.next() % 1024) % bytes.count] = UInt8(truncatingIfNeeded: generator.next())
      }
      let url = try folder.write(bytes, to: "garbage.gguf")
      guard let file = try? GGUFFile(url) else { continue }
      for tensor in file.tensors { _ = try? file.matrix(named: tensor.name) }
      let header = try GGUFHeader(fields: file.fields, tensors: file.tensors)
      try folder.write(header.bytes + [UInt8](repeating: 0, count: bytes.count), to: "again.gguf")
      let again = try GGUFFile(folder.url.appendingPathComponent("again.gguf"))
      #expect(again.tensors == file.tensors && again.fields.map(\.key) == file.fields.map(\.key))
    }
  }
}
