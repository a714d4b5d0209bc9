import Foundation
import Inference

/// The seed of all random tests of a run, so that a failure can be repeated.
///
/// Without `EVODB_TEST_SEED` it is 0 and every run draws the same; `make nightly` draws a fresh one and prints it.
public enum TestSeed {
  /// `EVODB_TEST_SEED`, or 0.
  public static let value: UInt64 = {
    guard let text = ProcessInfo.processInfo.environment["EVODB_TEST_SEED"], !text.isEmpty else { return 0 }
    guard let value = UInt64(text) else {
      preconditionFailure("EVODB_TEST_SEED must be a whole number from 0 to \(UInt64.max), not '\(text)'")
    }
    if value != 0 { print("EVODB_TEST_SEED=\(value)") }
    return value
  }()

  /// The seed of one of a run's streams of random numbers; without `EVODB_TEST_SEED` the stream's own number.
  public static func mixed(_ stream: UInt64) -> UInt64 {
    guard value != 0 else { return stream }
    var mixer = SplitMix64(state: value)
    return mixer.next() ^ stream &* 0x9e37_79b9_7f4a_7c15
  }
}

/// The generator of all random tests.
package typealias SplitMix64 = Inference.SplitMix64

extension SplitMix64 {
  /// A generator for a property that holds whatever is drawn: its numbers follow from `stream` and the run's `TestSeed`.
  package init(property stream: UInt64) { self.init(state: TestSeed.mixed(stream)) }
}
