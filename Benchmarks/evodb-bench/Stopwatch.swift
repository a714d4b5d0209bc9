/// Times of pieces of work by the monotonic clock.
enum Stopwatch {
  /// Seconds that `body` takes, with what it returns.
  static func time<T>(_ body: () throws -> T) rethrows -> (seconds: Double, result: T) {
    let start = ContinuousClock.now
    let result = try body()
    return (seconds(since: start), result)
  }

  /// The shortest of several runs, in seconds: what the machine can do when nobody else asks for it.
  static func best(of count: Int, _ body: () throws -> Void) rethrows -> Double {
    var best = Double.infinity
    for _ in 0..<count { best = min(best, try time(body).seconds) }
    return best
  }

  /// The shortest of several runs of `repetitions` calls, in seconds a call, for bodies too short for the clock.
  static func best(of count: Int, repetitions: Int, _ body: () throws -> Void) rethrows -> Double {
    try best(of: count) { for _ in 0..<repetitions { try body() } } / Double(repetitions)
  }

  /// The middle one of some times.
  static func median(_ times: [Double]) -> Double {
    let sorted = times.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  private static func seconds(since start: ContinuousClock.Instant) -> Double {
    let duration = ContinuousClock.now - start
    return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }
}
