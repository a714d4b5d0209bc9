/// The format `pack-quantized` of compressed-tensors, which vLLM and transformers read.
///
/// | tensor | type, shape |
/// |---|---|
/// | `weight_packed` | I32 [out, ⌈in · b / 32⌉], codes along the inputs |
/// | `weight_scale` | F16 or F32 [out, groups] |
/// | `weight_zero_point` | I32 [⌈out · b / 32⌉, groups], zero points along the outputs; of asymmetric layers only |
/// | `weight_shape` | I64 [2]: out, in |
///
/// A weight is (code − zero) · scale, in the type of the scale. Source: compressed-tensors 0.18 and later,
/// `compressors/pack_quantized`; versions from 0.17.0 to 0.17.x read codes of 3, 5, 6 and 7 bits in another way.
struct CompressedTensorsFormat: PackedFormat {
  /// Binary16, as evodb chooses scales, or binary32, in which readers then compute.
  var scaleType: TensorElementType

  var name: String { "compressed-tensors" }

  func validate(_ scheme: PackedScheme, rows: Int, columns: Int) throws {
    guard scheme.bits >= 2 else {
      throw InferenceError.unfit(detail: "\(name) has codes of 2 to 8 bits, not \(scheme.bits)", mend: nil)
    }
    guard !scheme.hasActivationOrder else {
      throw InferenceError.unfit(
        detail:
          "its groups follow the activation order, which \(name) no longer has (since August 2026); the format gptq has it",
        mend: nil)
    }
  }

  func tensors(_ scheme: PackedScheme, rows: Int, columns: Int) -> [PackedTensor] {
    let groups = scheme.groupSize.map { columns / $0 } ?? 1
    var tensors = [
      PackedTensor(
        suffix: "weight_packed", elementType: .int32,
        shape: [rows, WordPacking.wordCount(count: columns, bits: scheme.bits)]),
      PackedTensor(suffix: "weight_scale", elementType: scaleType, shape: [rows, groups]),
    ]
    if !scheme.isSymmetric {
      tensors.append(
        PackedTensor(
          suffix: "weight_zero_point", elementType: .int32,
          shape: [WordPacking.wordCount(count: rows, bits: scheme.bits), groups]))
    }
    return tensors + [PackedTensor(suffix: "weight_shape", elementType: .int64, shape: [2])]
  }

  func encode(_ weight: QuantizedWeight, _ scheme: PackedScheme) -> [[UInt8]] {
    let codes = weight.codesByInput
    var packed: [UInt8] = []
    for row in 0..<weight.rows {
      WordPacking.append(codes[row * weight.columns..<(row + 1) * weight.columns], bits: scheme.bits, to: &packed)
    }
    var tensors = [packed, PackedScales.bytes(weight.scales, as: scaleType)]
    if !scheme.isSymmetric {
      var streams: [UInt8] = []
      for group in 0..<weight.groupCount {
        WordPacking.append(weight.zeroPoints(ofGroup: group).map { UInt8($0) }[...], bits: scheme.bits, to: &streams)
      }
      tensors.append(
        WordPacking.transposed(
          streams, rows: weight.groupCount, columns: WordPacking.wordCount(count: weight.rows, bits: scheme.bits)))
    }
    var shape: [UInt8] = []
    for side in [weight.rows, weight.columns] { shape.append(littleEndian: Int64(side)) }
    return tensors + [shape]
  }

  func decode(_ tensors: [[UInt8]], _ scheme: PackedScheme, rows: Int, columns: Int) -> Matrix {
    let rowByteCount = 4 * WordPacking.wordCount(count: columns, bits: scheme.bits)
    let codes = (0..<rows).map {
      WordPacking.codes(tensors[0], offset: $0 * rowByteCount, count: columns, bits: scheme.bits)
    }
    let groups = scheme.groupSize.map { columns / $0 } ?? 1
    let length = columns / groups
    var zeros = [[Int]](repeating: [Int](repeating: 1 << (scheme.bits - 1), count: rows), count: groups)
    if !scheme.isSymmetric {
      let wordCount = WordPacking.wordCount(count: rows, bits: scheme.bits)
      let streams = WordPacking.transposed(tensors[2], rows: wordCount, columns: groups)
      zeros = (0..<groups).map {
        WordPacking.codes(streams, offset: 4 * $0 * wordCount, count: rows, bits: scheme.bits).map { Int($0) }
      }
    }
    return values(
      codes: codes, scales: PackedScales.values(tensors[1], as: scaleType), zeros: zeros,
      groupOfInput: (0..<columns).map { $0 / length })
  }
}
