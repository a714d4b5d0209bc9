import Foundation
import Inference

/// How gptq-gguf-toolkit names a level: bits and a file, `2.5625 (2.5625-Q2_K.pth)`.
///
/// Source: gptq-gguf-toolkit, `mapper/gguf_splitter.py`, whose figures for Q2_K (2.625 bits in truth) and IQ4_NL (4.5) are part
/// of the files' names.
struct ToolkitLevel: Equatable {
  /// The type of the blocks.
  var type: GGUFType

  private static let figures: [GGUFType: Double] = [.q2K: 2.5625, .iq4NL: 4.56]
  private static let suffix = ".pth"

  /// The level of a type.
  init(_ type: GGUFType) { self.type = type }

  /// The level of a file, `2.5625-Q2_K.pth`; nil: it names no type of GGUF.
  init?(file: String) {
    guard file.hasSuffix(Self.suffix) else { return nil }
    let parts = file.dropLast(Self.suffix.count).split(separator: "-", maxSplits: 1)
    guard parts.count == 2, Double(parts[0]) != nil, let type = GGUFType(name: String(parts[1])) else { return nil }
    self.init(type)
  }

  /// The toolkit's figure for the bits of a weight.
  var bits: Double { Self.figures[type] ?? type.bitsPerWeight }

  /// The file's name.
  var file: String { "\(Int(exactly: bits).map { String($0) } ?? String(bits))-\(type.name)\(Self.suffix)" }
}
