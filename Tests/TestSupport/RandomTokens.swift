/// Seeded random token ids as a safetensors file with `input_ids` [sequences, length].
public enum RandomTokens {
  /// The bytes of the file; equal arguments give equal bytes.
  public static func file(sequenceCount: Int, length: Int, vocabulary: Int = 96, seed: UInt64) -> [UInt8] {
    var random = SplitMix64(state: seed)
    let ids = (0..<sequenceCount * length).map { _ in Int32(random.next() % UInt64(vocabulary)) }
    var builder = SafetensorsBuilder()
    builder.add(
      "input_ids", dtype: "I32", shape: [sequenceCount, length],
      bytes: ids.flatMap { SafetensorsBuilder.littleEndian($0) })
    return builder.bytes()
  }
}

/// A small generator for tests (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
public struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  /// A generator whose numbers follow from `state`.
  public init(state: UInt64) { self.state = state }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var bits = state
    bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
    return bits ^ (bits >> 31)
  }
}
