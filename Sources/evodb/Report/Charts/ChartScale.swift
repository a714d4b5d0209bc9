import Foundation

/// Values of an axis and where they lie on paper.
struct ChartScale {
  struct Tick: Equatable {
    let value: Double
    let label: String
  }

  let isLogarithmic: Bool
  /// The values at both ends.
  let lower: Double
  let upper: Double
  /// Their coordinates.
  private let start: Double
  private let end: Double

  /// A scale that holds all finite values, with some room around them.
  ///
  /// - Parameters:
  ///   - values: a logarithmic scale takes the positive ones alone.
  ///   - including: a value that shall be on a linear scale, such as 0.
  init(of values: [Double], isLogarithmic: Bool = false, including: Double? = nil, from start: Double, to end: Double) {
    self.isLogarithmic = isLogarithmic
    self.start = start
    self.end = end
    // Beyond these ends ratios would overflow.
    let shown =
      values.filter { $0.isFinite && abs($0) < 1e100 && (!isLogarithmic || $0 > 1e-100) }
      + (including.map { [$0] } ?? [])
    let least = shown.min() ?? (isLogarithmic ? 0.1 : 0)
    let most = shown.max() ?? 1
    if isLogarithmic {
      let room = least == most ? 1.5 : pow(most / least, 0.05)
      (lower, upper) = (least / room, most * room)
    } else {
      let room = least == most ? (least == 0 ? 1 : abs(least) * 0.1) : (most - least) * 0.05
      lower = including == least ? least : least - room
      upper = including == most && least != most ? most : most + room
    }
  }

  /// The same values at other coordinates.
  init(_ scale: ChartScale, from start: Double, to end: Double) {
    isLogarithmic = scale.isLogarithmic
    lower = scale.lower
    upper = scale.upper
    self.start = start
    self.end = end
  }

  /// The coordinate of a value, at an end for what lies beyond it.
  func callAsFunction(_ value: Double) -> Double {
    let share: Double
    if isLogarithmic {
      guard value > 0 else { return start }
      share = log(value / lower) / log(upper / lower)
    } else {
      share = (value - lower) / (upper - lower)
    }
    guard share.isFinite else { return start }
    return start + min(1, max(0, share)) * (end - start)
  }

  /// About `count` round values between the ends.
  func ticks(about count: Int) -> [Tick] {
    let values = isLogarithmic && upper / lower > 6 ? decadeTicks(about: count) : stepTicks(about: count)
    return values.map { Tick(value: $0, label: Self.label($0)) }
  }

  /// Multiples of 1, 2, 2.5 or 5 times a power of ten.
  private func stepTicks(about count: Int) -> [Double] {
    let rough = (upper - lower) / Double(max(1, count))
    let power = pow(10, floor(log10(rough)))
    let step = power * ([1, 2, 2.5, 5, 10].first { $0 * power >= rough * 0.999 } ?? 10)
    let first = (lower / step).rounded(.up)
    let last = (upper / step).rounded(.down)
    guard step.isFinite, step > 0, last >= first, last - first < 100 else { return [] }
    // A rounded product has no tail: 3 · 0.1 is 0.3.
    let values = stride(from: first, through: last, by: 1).map { ($0 * step / power * 10).rounded() / 10 * power }
    // The zero of −0.2 + 0.2 has no sign.
    return values.map { $0 == 0 ? 0 : $0 }
  }

  /// Powers of ten, between them 2 and 5 where there is room.
  private func decadeTicks(about count: Int) -> [Double] {
    let decades = log10(upper / lower)
    let first = Int(floor(log10(lower)))
    let last = Int(ceil(log10(upper)))
    let factors: [Double] = decades * 3 <= Double(count) * 1.5 ? [1, 2, 5] : [1]
    let stride = factors.count > 1 ? 1 : max(1, Int((decades / Double(count)).rounded(.up)))
    var values: [Double] = []
    for exponent in first...last where exponent.isMultiple(of: stride) {
      values += factors.map { $0 * pow(10, Double(exponent)) }.filter { $0 >= lower && $0 <= upper }
    }
    return values
  }

  /// A round number in few characters: `0.05`, `1e-5`, `2000`.
  static func label(_ value: Double) -> String {
    let rounded = abs(value) < 1e-12 && value != 0 ? String(format: "%.0e", value) : String(format: "%.5g", value)
    return rounded.replacing("e-0", with: "e-").replacing("e+0", with: "e").replacing("-", with: "−")
  }
}
