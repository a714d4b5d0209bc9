/// Seeded random token ids as a safetensors file with `input_ids` [sequences, length].
public enum RandomTokens {
  /// The bytes of the file; equal arguments give equal bytes.
  public static func file(sequenceCount: Int, length: Int, vocabulary: Int = 96, seed: UInt64) -> [UInt8] {
    var random = SplitMix64(property: seed)
    let ids = (0..<sequenceCount * length).map { _ in Int32(random.next() % UInt64(vocabulary)) }
    var builder = SafetensorsBuilder()
    builder.add(
      "input_ids", dtype: "I32", shape: [sequenceCount, length],
      bytes: ids.flatMap { SafetensorsBuilder.littleEndian($0) })
    return builder.bytes()
  }
}
