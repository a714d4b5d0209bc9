/// How fast work goes, over the last half minute: long enough to be calm, short enough to forget the cached start.
struct RateEstimate {
  let start: Double
  private var samples: [(time: Double, done: Int64)] = []

  private static let window = 30.0
  private static let spacing = 0.25

  init(start: Double) {
    self.start = start
  }

  /// The first record is where counting begins: what a resumed run had done before is no work of this one.
  mutating func record(done: Int64, at now: Double) {
    if let last = samples.last, samples.count > 1, now - last.time < Self.spacing {
      samples[samples.count - 1].done = done
      return
    }
    samples.append((now, done))
    if let firstInside = samples.firstIndex(where: { now - $0.time <= Self.window }), firstInside > 1 {
      samples.removeFirst(firstInside - 1)
    }
  }

  /// Units a second; nil until something was done.
  func perSecond(at now: Double) -> Double? {
    guard let first = samples.first, let last = samples.last, last.done > first.done, now > first.time else {
      return nil
    }
    return Double(last.done - first.done) / (now - first.time)
  }
}
