import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct BlockWeightPackingTests {
  private func weight(rows: Int, columns: Int, _ type: GGUFType) throws -> BlockWeight {
    var generator = SplitMix64(property: UInt64(type.number))
    let values = (0..<rows * columns).map { _ in generator.normal() }
    return try BlockWeight(quantizing: Matrix(rows: rows, columns: columns, values: values), as: type)
  }

  private func bits(_ matrix: Matrix) -> [UInt32] { matrix.values.map(\.bitPattern) }

  @Test(arguments: BlockWeight.types) func everythingComesBackExactly(type: GGUFType) throws {
    for (rows, blocks) in [(1, 1), (3, 2), (5, 3)] {
      let columns = blocks * type.blockLength
      let weight = try weight(rows: rows, columns: columns, type)
      let bytes = BlockWeightPacking.encode(weight)
      #expect(try BlockWeightPacking.decode(bytes) == weight)
      #expect(try bits(WeightPacking.unpack(bytes)) == bits(weight.dequantized()))
      let dimensions = try WeightPacking.dimensions(bytes)
      #expect(dimensions.rows == rows && dimensions.columns == columns)
      #expect(try BlockWeightPacking.packedByteCount(rows: rows, columns: columns, type: type) == bytes.count)
    }
  }

  @Test func theLayoutIsWhatTheTableDocuments() throws {
    let weight = try BlockWeight(quantizing: Matrix(rows: 1, columns: 2, values: [1, -2]), as: .float16)
    #expect(
      BlockWeightPacking.encode(weight) == Array("EVPW".utf8) + [1, 3, 1, 0] + [1, 0, 0, 0] + [2, 0, 0, 0]
        + [UInt8](repeating: 0, count: 8) + [0x00, 0x3c, 0x00, 0xc0])
    let blocks = BlockWeightPacking.encode(try self.weight(rows: 2, columns: 256, .q4K))
    #expect(blocks[4..<8] == [1, 3, 12, 0] && blocks.count == 24 + 2 * 144)
  }

  @Test(arguments: [(GGUFType.q40, 32), (.q4K, 256), (.q3K, 256), (.float16, 5)])
  func hostileBytesAreRefusedOrCanonical(type: GGUFType, columns: Int) throws {
    let bytes = BlockWeightPacking.encode(try weight(rows: 2, columns: columns, type))
    for length in 0..<24 { expectRefusal(Array(bytes[..<length]), "\(length) bytes are fewer than the header's 24") }
    for length in Array(24..<bytes.count) + [bytes.count + 1, bytes.count + type.blockByteCount] {
      let cut = Array((bytes + [UInt8](repeating: 0, count: type.blockByteCount))[..<length])
      expectRefusal(cut, "\(length) bytes are not what a weight of 2 × \(columns) in \(type.name) takes")
    }
    for position in bytes.indices {
      for bit in 0..<8 {
        var changed = bytes
        changed[position] ^= 1 << UInt8(bit)
        do {
          let weight = try BlockWeightPacking.decode(changed)
          #expect(BlockWeightPacking.encode(weight) == changed)
          let unpacked = try WeightPacking.unpack(changed)
          #expect(bits(unpacked) == bits(weight.dequantized()))
          #expect(unpacked.values.allSatisfy { $0.isFinite })
        } catch let error as InferenceError {
          // Of another kind, the bytes break other rules.
          if position != 5 { #expect(throws: error) { try WeightPacking.unpack(changed) } }
        }
      }
    }
  }

  @Test func hugeSizesAreRefusedWithoutAllocating() {
    let side = UInt32(Int32.max)
    for (type, rows, columns) in [(GGUFType.float16, side, side), (.q40, side, side - 31), (.q6K, side, side - 255)] {
      var bytes = PackedContainer.magic + [1, 3, UInt8(type.number), 0]
      bytes.append(littleEndian: rows)
      bytes.append(littleEndian: columns)
      expectRefusal(
        bytes + [UInt8](repeating: 0, count: 64),
        "80 bytes are not what a weight of \(rows) × \(columns) in \(type.name) takes")
    }
  }

  @Test func reservedBytesAndNumbersThatAreNotFiniteAreRefused() throws {
    var reserved = BlockWeightPacking.encode(try weight(rows: 1, columns: 32, .q80))
    var infinite = reserved
    reserved[20] = 1
    expectRefusal(reserved, "reserved bytes must be 0")
    infinite[25] = 0x7c
    expectRefusal(infinite, "a block has a scale that is NaN or infinite")
    var half = BlockWeightPacking.encode(try weight(rows: 1, columns: 3, .float16))
    half[29] = 0xff
    expectRefusal(half, "a weight is NaN or infinite")
  }

  @Test(arguments: [0, 15, 16, 30, 0x1FF] as [UInt16]) func otherTypesAreOfANewerVersion(number: UInt16) throws {
    var bytes = BlockWeightPacking.encode(try weight(rows: 1, columns: 32, .q80))
    bytes[6] = UInt8(truncatingIfNeeded: number)
    bytes[7] = UInt8(truncatingIfNeeded: number >> 8)
    let error = InferenceError.unsupported(file: PackedContainer.name, detail: "blocks of type \(number)")
    #expect(throws: error) { try BlockWeightPacking.decode(bytes) }
    #expect(throws: error) { try WeightPacking.unpack(bytes) }
  }

  @Test func whatCannotBePackedIsRefused() {
    for (rows, columns) in [(0, 4), (4, 0), (Int.max, 2), (2, Int.max)] {
      expectError(like: InferenceError.impossible(detail: "a weight of \(rows) × \(columns) cannot be packed; ")) {
        try BlockWeightPacking.packedByteCount(rows: rows, columns: columns, type: .float16)
      }
    }
    #expect(throws: InferenceError.impossible(detail: "rows of Q4_K are a multiple of 256 long, not 64")) {
      try BlockWeightPacking.packedByteCount(rows: 1, columns: 64, type: .q4K)
    }
  }

  private func expectRefusal(
    _ bytes: [UInt8], _ detail: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let error = PackedContainer.invalid(detail)
    #expect(throws: error, sourceLocation: sourceLocation) { try BlockWeightPacking.decode(bytes) }
    #expect(throws: error, sourceLocation: sourceLocation) { try WeightPacking.unpack(bytes) }
  }
}
