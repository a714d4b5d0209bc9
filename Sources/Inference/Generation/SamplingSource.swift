/// Random numbers for sampling tokens: SplitMix64 (Steele, Lea and Flood 2014), one stream per sequence.
///
/// Every sequence has a stream of its own, derived from the seed and its place alone, so that threads cannot change a draw.
struct SamplingSource: Sendable {
  private var state: UInt64

  /// The stream of sequence `sequence`.
  init(seed: UInt64, sequence: Int) {
    var mixer = SamplingSource(state: seed)
    state = mixer.next() ^ UInt64(bitPattern: Int64(sequence))
    // Neighbouring sequences differ in few bits: one step of the generator takes them apart.
    state = next()
  }

  private init(state: UInt64) { self.state = state }

  /// The next 64 random bits.
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A number in [0, 1) with 53 random bits.
  mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }
}
