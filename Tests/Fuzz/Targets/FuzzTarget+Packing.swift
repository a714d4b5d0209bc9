import Foundation
import Inference
import Search
import TestSupport

extension FuzzTarget {
  /// A packed weight, quantized, sparse or in blocks of GGUF.
  static let container = FuzzTarget(
    name: "container", longestInput: 1024,
    words: ["EVPW\u{1}\u{1}", "EVPW\u{1}\u{2}", "EVPW\u{1}\u{3}", "\u{1}\0\0\0", "\0\0\0\0"],
    makeSeeds: {
      var random = SplitMix64(state: 1)
      func number(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
      var seeds: [[UInt8]] = []
      for (bits, flags, groupSize) in [(3, 0, 0), (4, 1, 4), (2, 2, 3), (8, 4, 0), (1, 6, 5), (5, 9, 0), (4, 10, 4)] {
        let (rows, columns) = (2, 8)
        let groups = groupSize == 0 ? 1 : (columns + groupSize - 1) / groupSize
        var bytes = Array("EVPW".utf8) + [1, 1, UInt8(bits), UInt8(flags)] + number(rows) + number(columns)
        bytes += number(groupSize) + number(0)
        if flags & 8 != 0 { for input in (0..<columns).reversed() { bytes += number(input).prefix(2) } }
        for _ in 0..<rows * groups { bytes += flags & 2 != 0 ? [0, 0, 0x80, 0x3F] : [0, 0x3C] }
        if flags & 1 == 0 {
          let zeroPointBits = rows * groups * (flags & 4 != 0 ? 16 : bits)
          bytes += Array(repeating: 0, count: (zeroPointBits + 7) / 8)
        }
        bytes += (0..<rows * ((columns * bits + 7) / 8)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        seeds.append(bytes)
      }
      for (type, size) in [(1, 2), (2, 2), (3, 4)] {
        let mask: [UInt8] = [0b0000_0101, 0, 0b1000_0000, 1]
        let header = Array("EVPW".utf8) + [1, 2, UInt8(type), 0] + number(2) + number(9) + number(4) + number(0)
        seeds.append(header + mask + Array(repeating: 0x3D, count: 4 * size))
      }
      for type in BlockWeight.types {
        let header = Array("EVPW".utf8) + [1, 3, UInt8(type.number), 0] + number(2) + number(type.blockLength)
        seeds.append(header + number(0) + number(0) + Array(repeating: 0x35, count: 2 * type.blockByteCount))
      }
      return seeds
    },
    prepare: { _ in
      { bytes in
        let unpacked = Result { try WeightPacking.unpack(bytes) }
        let decoded: Matrix
        if bytes.count > 5, bytes[5] == 2 {
          let weight = try SparseWeightPacking.decode(bytes)
          try expect(
            SparseWeightPacking.encode(weight) == bytes, "a sparse weight that was read is written differently")
          decoded = weight.dense()
        } else if bytes.count > 5, bytes[5] == 3 {
          let weight = try BlockWeightPacking.decode(bytes)
          try expect(BlockWeightPacking.encode(weight) == bytes, "blocks that were read are written differently")
          decoded = weight.dequantized()
        } else {
          let weight = try WeightPacking.decode(bytes)
          try expect(WeightPacking.encode(weight) == bytes, "a quantized weight that was read is written differently")
          decoded = weight.dequantized()
        }
        let matrix = try unpacked.get()
        try expect(
          matrix.rows == decoded.rows && matrix.columns == decoded.columns
            && zip(matrix.values, decoded.values).allSatisfy { $0.bitPattern == $1.bitPattern },
          "unpack gives other weights than decode")
      }
    })

  /// A profile of EvoPress; the first byte says whether its numbers are known to be steps.
  static let profile = FuzzTarget(
    name: "profile", longestInput: 1024,
    words: [
      "attn", "mlp", "attn+mlp", "none", ": ", " (2.5625-Q2_K.pth)", "model.layers.0.mlp.down_proj", "-1", "1e308",
      "nan", "inf",
      "0x1p-1074", "9223372036854775808", "\r\n", "\u{2028}", "\u{85}", "\u{FEFF}", "\u{301}", "(", ")",
    ],
    makeSeeds: {
      [
        "0model.layers.0.mlp.down_proj: 3\nmodel.layers.0.self_attn.q_proj: 2.5625 (2.5625-Q2_K.pth)\n",
        "0model.layers.0.mlp.down_proj: -2\nmodel.layers.1.mlp.down_proj: 2\n",
        "1model.layers.0.mlp.down_proj: 1\r\nmodel.layers.1.mlp.down_proj: 2\r\n",
        "0none\nattn\nmlp\nattn+mlp\n", "0none\n\nmlp\n", "0\u{FEFF}a: 1\n",
      ].map { Array($0.utf8) }
    },
    prepare: { _ in
      { bytes in
        guard let first = bytes.first else { return }
        let isOfSteps = first & 1 == 1
        let profile = try EvoPressProfile(String(decoding: bytes.dropFirst(), as: UTF8.self), isOfSteps: isOfSteps)
        var knownAsSteps = isOfSteps
        if case .sparsity = profile { knownAsSteps = true }
        let again = try? EvoPressProfile(profile.text, isOfSteps: knownAsSteps)
        try expect(again == profile, "a profile of \(profile.kind), written again and read again, is another one")
      }
    })
}
