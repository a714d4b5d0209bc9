/// Codes in 32-bit words as compressed-tensors (from 0.18.0) and GPTQ checkpoints have them: code i at bit i · b of a
/// little-endian stream, lowest bit first, across the borders of words; unused bits of the last word are 0.
///
/// Source: compressed-tensors, `compressors/pack_quantized/helpers.py`; GPTQModel, `nn_modules/qlinear/__init__.py`. For 2, 4
/// and 8 bits no code straddles words. For 3 bits, 32 codes take 3 words, and codes 10 and 21 straddle.
enum WordPacking {
  /// Words of `count` codes.
  static func wordCount(count: Int, bits: Int) -> Int { (count * bits + 31) / 32 }

  /// Appends the words of `codes`, each below 2ᵇ.
  static func append(_ codes: ArraySlice<UInt8>, bits: Int, to bytes: inout [UInt8]) {
    let end = bytes.count + 4 * wordCount(count: codes.count, bits: bits)
    BitPacking.append(codes, bits: bits, to: &bytes)
    while bytes.count < end { bytes.append(0) }
  }

  /// The first `count` codes of the stream that begins at byte `offset`.
  static func codes(_ bytes: [UInt8], offset: Int = 0, count: Int, bits: Int) -> [UInt8] {
    var codes = [UInt8](repeating: 0, count: (count + 7) / 8 * 8)
    BitPacking.unpack(bytes, offset: offset, count: count, bits: bits, into: &codes)
    return Array(codes.prefix(count))
  }

  /// The matrix of 32-bit words [columns, rows] of one that is stored [rows, columns].
  static func transposed(_ words: [UInt8], rows: Int, columns: Int) -> [UInt8] {
    precondition(words.count == 4 * rows * columns)
    var result = [UInt8](repeating: 0, count: words.count)
    for row in 0..<rows {
      for column in 0..<columns {
        let (source, target) = (4 * (row * columns + column), 4 * (column * rows + row))
        for byte in 0..<4 { result[target + byte] = words[source + byte] }
      }
    }
    return result
  }
}
