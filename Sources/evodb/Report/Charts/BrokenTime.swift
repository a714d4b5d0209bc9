/// A scale of time that shortens the pauses, so that work that lies days apart fits on one axis.
struct BrokenTime {
  /// A stretch without a long pause.
  struct Stretch {
    let start: Double
    var end: Double
    /// Where it begins on paper.
    fileprivate(set) var place = 0.0
  }

  private(set) var stretches: [Stretch] = []
  private var scale = 0.0

  /// The room of a pause on paper.
  static let pause = 14.0

  /// - Parameters:
  ///   - spans: beginnings and ends, in seconds.
  ///   - left: the coordinate of the beginning.
  ///   - right: the coordinate of the end.
  init(_ spans: [(start: Double, end: Double)], from left: Double, to right: Double) {
    let sorted = spans.filter { $0.start.isFinite && $0.end.isFinite }.sorted { $0.start < $1.start }
    let busy = sorted.reduce(0) { $0 + max(0, $1.end - $1.start) }
    // A pause is shortened if it is longer than a twentieth of the work.
    let longest = max(busy / 20, 1)
    for span in sorted {
      if let last = stretches.last, span.start - last.end <= longest {
        stretches[stretches.count - 1].end = max(last.end, span.end)
      } else {
        stretches.append(Stretch(start: span.start, end: max(span.start, span.end)))
      }
    }
    // So many pauses that they would take all the room: one stretch with none shortened.
    if Double(stretches.count) * Self.pause > (right - left) / 2, let first = stretches.first, let last = stretches.last
    {
      stretches = [Stretch(start: first.start, end: last.end)]
    }
    let shown = stretches.reduce(0) { $0 + $1.end - $1.start }
    let room = right - left - Self.pause * Double(max(0, stretches.count - 1))
    scale = shown > 0 ? room / shown : 0
    var place = left
    for index in stretches.indices {
      stretches[index].place = place
      place += (stretches[index].end - stretches[index].start) * scale + Self.pause
    }
  }

  func callAsFunction(_ time: Double) -> Double {
    guard let stretch = stretches.last(where: { $0.start <= time }) ?? stretches.first else { return 0 }
    return stretch.place + (min(max(time, stretch.start), stretch.end) - stretch.start) * scale
  }
}
