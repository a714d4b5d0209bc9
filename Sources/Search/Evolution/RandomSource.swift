import Inference

/// The search's own random numbers: xoshiro256** (Blackman and Vigna, 2018), seeded by SplitMix64.
///
/// Written out here, and not taken from the standard library, because a run must draw the same numbers on every machine
/// and with every Swift version; test vectors hold it in place. Every use has a source of its own, derived from
/// (seed, generation, stage, purpose), so that a resumed run needs no saved generator state and a change in how one
/// part draws leaves all other parts alone.
public struct RandomSource: Sendable {
  /// The use of a source; raw values are part of every run's result and are never reused.
  public enum Purpose: UInt64, Sendable {
    /// Random starts of the first parent.
    case start = 1
    /// Mutation of the parent into offspring.
    case mutation = 2
    /// The minibatch of a stage.
    case minibatch = 3
    /// Making an assignment of elsewhere fit a budget.
    case repair = 4
    /// The minibatch that sensitivities are measured on.
    case sweep = 5
    /// Draws from a model of the losses.
    case proposal = 6
  }

  private var state: (UInt64, UInt64, UInt64, UInt64)

  /// The source for one purpose in one stage of one generation of a run.
  public init(seed: UInt64, generation: Int, stage: Int, purpose: Purpose) {
    var mixer = SplitMix64(state: seed)
    for word in [UInt64(bitPattern: Int64(generation)), UInt64(bitPattern: Int64(stage)), purpose.rawValue] {
      mixer = SplitMix64(state: mixer.next() ^ word)
    }
    self.init(state: (mixer.next(), mixer.next(), mixer.next(), mixer.next()))
  }

  /// The source in a given state, which must not be all zero.
  init(state: (UInt64, UInt64, UInt64, UInt64)) {
    precondition(state.0 | state.1 | state.2 | state.3 != 0, "the all-zero state produces only zeros")
    self.state = state
  }

  /// The next 64 random bits.
  public mutating func next() -> UInt64 {
    let result = Self.rotate(state.1 &* 5, by: 7) &* 9
    let shifted = state.1 << 17
    state.2 ^= state.0
    state.3 ^= state.1
    state.1 ^= state.2
    state.0 ^= state.3
    state.2 ^= shifted
    state.3 = Self.rotate(state.3, by: 45)
    return result
  }

  private static func rotate(_ value: UInt64, by count: UInt64) -> UInt64 {
    (value << count) | (value >> (64 - count))
  }
}

extension RandomSource {
  /// A number in 0 ..< bound, every one with the same probability (`bound` > 0).
  ///
  /// Lemire, "Fast random integer generation in an interval" (2019): multiply, and reject the few products that would
  /// make some numbers more likely.
  public mutating func below(_ bound: Int) -> Int {
    precondition(bound > 0, "a random number below \(bound) does not exist")
    let bound = UInt64(bound)
    var product = next().multipliedFullWidth(by: bound)
    if product.low < bound {
      let threshold = (0 &- bound) % bound
      while product.low < threshold {
        product = next().multipliedFullWidth(by: bound)
      }
    }
    return Int(product.high)
  }

  /// Brings an array into a random order, every order with the same probability (Fisher and Yates).
  public mutating func shuffle<Element>(_ array: inout [Element]) {
    shufflePrefix(of: &array, count: array.count)
  }

  /// Brings a random choice of `count` elements in random order to the front of an array.
  public mutating func shufflePrefix<Element>(of array: inout [Element], count: Int) {
    for index in 0..<min(count, array.count) {
      array.swapAt(index, index + below(array.count - index))
    }
  }

  /// The index of a weight, drawn with a probability proportional to it; nil if all weights are zero.
  ///
  /// Weights must not be negative, and their sum must fit into `Int`.
  public mutating func pick(weights: [Int]) -> Int? {
    let total = weights.reduce(0, +)
    guard total > 0 else { return nil }
    var draw = below(total)
    for (index, weight) in weights.enumerated() {
      if draw < weight { return index }
      draw -= weight
    }
    return nil
  }
}
