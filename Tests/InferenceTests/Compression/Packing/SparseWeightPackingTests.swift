import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct SparseWeightPackingTests {
  private func sparse(
    rows: Int, columns: Int, zeros: Int, _ type: SparseValueType
  ) throws -> SparseWeight {
    let layer = RandomLayer(rows: rows, columns: columns, seed: 9)
    return try MagnitudePruning.prune(weight: layer.weight, target: .zeros(zeros), valueType: type)
  }

  @Test(arguments: SparseValueType.allCases) func everythingComesBackExactly(type: SparseValueType) throws {
    for (rows, columns) in [(1, 1), (3, 7), (2, 8), (5, 9), (9, 67), (16, 128)] {
      for zeros in Set([0, 1, rows * columns / 2, rows * columns]) {
        let weight = try sparse(rows: rows, columns: columns, zeros: zeros, type)
        let bytes = SparseWeightPacking.encode(weight)
        #expect(try SparseWeightPacking.decode(bytes) == weight)
        #expect(try WeightPacking.unpack(bytes).values == weight.dense().values)
        let expected = try SparseWeightPacking.packedByteCount(
          rows: rows, columns: columns, zeroCount: zeros, valueByteCount: type.byteCount)
        #expect(bytes.count == expected)
      }
    }
  }

  @Test func theLayoutIsWhatTheTableDocuments() throws {
    let weight = Matrix(rows: 2, columns: 3, values: [1, 0.5, -2, 0.25, 3, 0.125])
    let kept = SparseWeight(weight: weight, pruned: [0, 1, 0, 1, 0, 1], valueType: .bfloat16)
    #expect(
      SparseWeightPacking.encode(kept) == Array("EVPW".utf8) + [1, 2, 1, 0] + [2, 0, 0, 0] + [3, 0, 0, 0]
        + [3, 0, 0, 0, 0, 0, 0, 0] + [0b101, 0b010] + [0x80, 0x3f, 0x00, 0xc0, 0x40, 0x40])
  }

  @Test func aKeptZeroIsNotPruned() throws {
    let weight = Matrix(rows: 1, columns: 3, values: [0, 0, 5])
    let one = try MagnitudePruning.prune(weight: weight, target: .zeros(1), valueType: .float32)
    #expect(one.zeroCount == 1 && one.values == [0, 5])
    #expect(try SparseWeightPacking.decode(SparseWeightPacking.encode(one)) == one)
  }

  @Test(arguments: SparseValueType.allCases) func hostileBytesAreRefusedOrCanonical(type: SparseValueType) throws {
    let bytes = SparseWeightPacking.encode(try sparse(rows: 3, columns: 11, zeros: 15, type))
    for length in 0..<24 { expectRefusal(Array(bytes[..<length]), "\(length) bytes are fewer than the header's 24") }
    let longer = bytes + [UInt8](repeating: 0, count: type.byteCount)
    for length in Array(24..<bytes.count) + [bytes.count + 1, longer.count] {
      expectRefusal(
        Array(longer[..<length]), "\(length) bytes are not what a weight of 3 × 11 with 18 kept weights takes")
    }
    for position in bytes.indices {
      for bit in 0..<8 {
        var changed = bytes
        changed[position] ^= 1 << UInt8(bit)
        do {
          let weight = try SparseWeightPacking.decode(changed)
          #expect(SparseWeightPacking.encode(weight) == changed)
          let unpacked = try WeightPacking.unpack(changed)
          #expect(unpacked.values == weight.dense().values)
          #expect(weight.values.allSatisfy { $0.isFinite })
        } catch InferenceError.invalidData(PackedContainer.name, let detail) where detail.hasSuffix("is not finite") {
          // The number of the first weight of the row that holds it, not of the first weight.
          expectError(like: PackedContainer.invalid("on is not finite")) { try WeightPacking.unpack(changed) }
        } catch let error as InferenceError {
          expectSameRefusal(of: changed, error)
        }
      }
    }
  }

  @Test func hugeSizesAreRefusedWithoutAllocating() throws {
    let sides = "must be from 1 to 2147483647, not"
    let size = "88 bytes are not what a weight of"
    let huge: [(UInt32, UInt32, UInt64, String)] = [
      (.max, 1, 0, "rows \(sides) 4294967295"), (0, 8, 0, "rows \(sides) 0"), (8, 0, 0, "columns \(sides) 0"),
      (0x7fff_ffff, 0x7fff_ffff, 0, "\(size) 2147483647 × 2147483647 with 0 kept weights takes"),
      (0x7fff_ffff, 1, .max, "\(size) 2147483647 × 1 with 18446744073709551615 kept weights takes"),
      (1, 0x7fff_ffff, 1 << 63, "\(size) 1 × 2147483647 with 9223372036854775808 kept weights takes"),
    ]
    for (rows, columns, kept, refusal) in huge {
      var bytes = PackedContainer.magic + [1, 2, 1, 0]
      bytes.append(littleEndian: rows)
      bytes.append(littleEndian: columns)
      bytes.append(littleEndian: kept)
      expectRefusal(bytes + [UInt8](repeating: 0, count: 64), refusal)
    }
  }

  @Test func infinitiesAndWrongMasksAreRefused() throws {
    let bytes = SparseWeightPacking.encode(
      SparseWeight(
        weight: Matrix(rows: 1, columns: 3, values: [1, 2, 3]), pruned: [0, 0, 1], valueType: .bfloat16))
    var infinite = bytes
    infinite[25...26] = [0x80, 0x7f]
    var padded = bytes
    padded[24] |= 0b1000
    var fewer = bytes
    fewer[24] = 0b001
    expectRefusal(infinite, "a kept weight from number 0 on is not finite")
    expectRefusal(padded, "row 0: bits of the mask behind the last column must be 0")
    expectRefusal(fewer, "the mask keeps 1 weights, but 2 are there")
  }

  @Test func whatCannotBePackedIsRefused() {
    for (rows, columns, zeros) in [(0, 4, 0), (4, 0, 0), (4, 4, 17), (4, 4, -1), (Int.max, 2, 0)] {
      let refusal = "a weight of \(rows) × \(columns) with \(zeros) zeros cannot be packed; "
      expectError(like: InferenceError.impossible(detail: refusal)) {
        try SparseWeightPacking.packedByteCount(rows: rows, columns: columns, zeroCount: zeros, valueByteCount: 2)
      }
    }
  }

  private func expectRefusal(
    _ bytes: [UInt8], _ detail: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let error = PackedContainer.invalid(detail)
    #expect(throws: error, sourceLocation: sourceLocation) { try SparseWeightPacking.decode(bytes) }
    #expect(throws: error, sourceLocation: sourceLocation) { try WeightPacking.unpack(bytes) }
  }
}
