import Foundation
import Inference
import TestSupport

extension FuzzTarget {
  /// A GGUF file: header and all reads of what it says.
  static let gguf = FuzzTarget(
    name: "gguf", longestInput: 4096,
    words: [
      "GGUF\u{3}\0\0\0", "general.alignment\u{4}\0\0\0", "\0\0\0\0\0\0\0\0", "\u{1}\0\0\0\0\0\0\0", "\u{9}\0\0\0",
      " \0\0\0\0\0\0\0", "\0\u{1}\0\0\0\0\0\0",
    ],
    makeSeeds: {
      var seeds = [Array(try Data(contentsOf: Fixtures.url("gguf/values.gguf")))]
      func number(_ value: Int) -> [UInt8] { SafetensorsBuilder.littleEndian(UInt64(value)) }
      for type in GGUFType.allCases where type.blockByteCount < 256 {
        var bytes = Array("GGUF".utf8) + [3, 0, 0, 0] + number(1) + number(0) + number(1) + [UInt8(ascii: "w")]
        bytes += [1, 0, 0, 0] + number(type.blockLength) + SafetensorsBuilder.littleEndian(type.number) + number(0)
        bytes += [UInt8](repeating: 0, count: (32 - bytes.count % 32) % 32)
        seeds.append(bytes + [UInt8](repeating: 0x35, count: type.blockByteCount))
      }
      return seeds
    },
    prepare: { folder in
      let scratch = ScratchFile("x.gguf", in: folder)
      return { bytes in
        try scratch.write(bytes)
        let file = try GGUFFile(scratch.url)
        for tensor in file.tensors {
          let count = try file.bytes(ofTensor: tensor.name).count
          try expect(count == tensor.byteCount, "\(tensor.name): \(count) of \(tensor.byteCount) bytes read")
          guard tensor.type.isQuantized, let matrix = try? file.matrix(named: tensor.name) else { continue }
          try expect(
            matrix.rows * matrix.columns == tensor.shape.reduce(1, *) && matrix.values.allSatisfy { $0.isFinite },
            "\(tensor.name): a matrix of \(matrix.rows) × \(matrix.columns)")
        }
        let first = try copy(file, to: folder.appendingPathComponent("first.gguf"))
        let second = try copy(try GGUFFile(first), to: folder.appendingPathComponent("second.gguf"))
        try expect(
          try Data(contentsOf: first) == Data(contentsOf: second), "a file that was read is written differently")
      }
    })

  private static func copy(_ file: GGUFFile, to url: URL) throws -> URL {
    try? FileManager.default.removeItem(at: url)
    let writer = try GGUFWriter(url, fields: file.fields, tensors: file.tensors)
    for tensor in file.tensors { try writer.append(try file.bytes(ofTensor: tensor.name)[...]) }
    try writer.finish()
    return url
  }
}
