/// The checkpoint format of AutoGPTQ and GPTQModel, which vLLM reads.
///
/// | tensor | type, shape |
/// |---|---|
/// | `qweight` | I32 [in · b / 32, out], codes along the inputs |
/// | `qzeros` | I32 [groups, out · b / 32], zero points along the outputs |
/// | `scales` | F16 [groups, out] |
/// | `g_idx` | I32 [in], the group of each input |
///
/// A weight is scale · (code − zero). Source: GPTQModel, `nn_modules/qlinear/__init__.py` and `utils/model_dequant.py`.
public struct GPTQFormat: PackedFormat {
  /// How zero points are stored.
  public enum Version: String, CaseIterable, Sendable {
    /// One less than they are, so that 0 cannot be stored; readers add 1.
    case v1 = "gptq"
    /// As they are.
    case v2 = "gptq_v2"
  }

  /// How zero points are stored.
  var version: Version

  /// Bits that readers of the format know; GPTQModel alone has another one for 5, 6 and 7.
  static let bits = [2, 3, 4, 8]

  static let formatName = "gptq"
  var name: String { Self.formatName }

  func validate(_ scheme: PackedScheme, rows: Int, columns: Int) throws {
    guard Self.bits.contains(scheme.bits) else {
      throw InferenceError.unfit(
        detail: "\(name) has codes of 2, 3, 4 and 8 bits, not \(scheme.bits); compressed-tensors has 2 to 8", mend: nil)
    }
    guard rows.isMultiple(of: 32), columns.isMultiple(of: 32) else {
      throw InferenceError.unfit(
        detail: "\(name) needs multiples of 32 outputs and inputs, not \(rows) × \(columns)", mend: nil)
    }
  }

  func tensors(_ scheme: PackedScheme, rows: Int, columns: Int) -> [PackedTensor] {
    let groups = scheme.groupSize.map { columns / $0 } ?? 1
    return [
      PackedTensor(suffix: "qweight", elementType: .int32, shape: [columns * scheme.bits / 32, rows]),
      PackedTensor(suffix: "qzeros", elementType: .int32, shape: [groups, rows * scheme.bits / 32]),
      PackedTensor(suffix: "scales", elementType: .float16, shape: [groups, rows]),
      PackedTensor(suffix: "g_idx", elementType: .int32, shape: [columns]),
    ]
  }

  func encode(_ weight: QuantizedWeight, _ scheme: PackedScheme) -> [[UInt8]] {
    let codes = weight.codesByInput
    var streams: [UInt8] = []
    for row in 0..<weight.rows {
      WordPacking.append(codes[row * weight.columns..<(row + 1) * weight.columns], bits: scheme.bits, to: &streams)
    }
    var zeros: [UInt8] = []
    var scales: [Float] = []
    for group in 0..<weight.groupCount {
      let stored = weight.zeroPoints(ofGroup: group).map { UInt8(version == .v1 ? $0 - 1 : $0) }
      WordPacking.append(stored[...], bits: scheme.bits, to: &zeros)
      for row in 0..<weight.rows { scales.append(weight.scales[row * weight.groupCount + group]) }
    }
    var indices: [UInt8] = []
    for group in weight.groupsByInput { indices.append(littleEndian: group) }
    return [
      WordPacking.transposed(
        streams, rows: weight.rows, columns: WordPacking.wordCount(count: weight.columns, bits: scheme.bits)),
      zeros, PackedScales.bytes(scales, as: .float16), indices,
    ]
  }

  func decode(_ tensors: [[UInt8]], _ scheme: PackedScheme, rows: Int, columns: Int) -> Matrix {
    let wordCount = columns * scheme.bits / 32
    let streams = WordPacking.transposed(tensors[0], rows: wordCount, columns: rows)
    let codes = (0..<rows).map {
      WordPacking.codes(streams, offset: 4 * $0 * wordCount, count: columns, bits: scheme.bits)
    }
    let groups = scheme.groupSize.map { columns / $0 } ?? 1
    let added = version == .v1 ? 1 : 0
    let zeros = (0..<groups).map { group in
      WordPacking.codes(tensors[1], offset: group * rows * scheme.bits / 8, count: rows, bits: scheme.bits)
        .map { Int($0) + added }
    }
    let stored = PackedScales.values(tensors[2], as: .float16)
    return values(
      codes: codes, scales: (0..<rows).flatMap { row in (0..<groups).map { stored[$0 * rows + row] } }, zeros: zeros,
      groupOfInput: (0..<columns).map { Int(tensors[3].littleEndian(at: 4 * $0, as: Int32.self)) })
  }
}
