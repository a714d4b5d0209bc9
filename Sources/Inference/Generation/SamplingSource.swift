/// Random numbers for sampling tokens, one stream per sequence.
///
/// Every sequence has a stream of its own, derived from the seed and its place alone, so that threads cannot change a draw.
struct SamplingSource: Sendable {
  private var generator: SplitMix64

  /// The stream of sequence `sequence`.
  init(seed: UInt64, sequence: Int) {
    var mixer = SplitMix64(state: seed)
    var stream = SplitMix64(state: mixer.next() ^ UInt64(bitPattern: Int64(sequence)))
    // Neighbouring sequences differ in few bits: one step of the generator takes them apart.
    generator = SplitMix64(state: stream.next())
  }

  /// The next 64 random bits.
  mutating func next() -> UInt64 { generator.next() }

  /// A number in [0, 1) with 53 random bits.
  mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }
}
