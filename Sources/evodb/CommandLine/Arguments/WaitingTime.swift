/// A time to wait, typed as `90`, `90s`, `10m`, `1.5h` or `2d`.
struct WaitingTime: ArgumentValue, Equatable, Sendable {
  static let rule = "a time such as 90s, 10m or 2h"

  /// In seconds.
  let seconds: Double

  init(seconds: Double) { self.seconds = seconds }

  init?(argument: String) {
    let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86400]
    let unit = argument.last.flatMap { units[$0] }
    let digits = unit == nil ? argument[...] : argument.dropLast()
    guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }), let number = Double(digits),
      number.isFinite, number * (unit ?? 1) <= 3650 * 86400
    else { return nil }
    seconds = number * (unit ?? 1)
  }

  var argumentText: String {
    for (unit, length) in [("d", 86400.0), ("h", 3600.0), ("m", 60.0)]
    where seconds >= length && seconds.truncatingRemainder(dividingBy: length) == 0 {
      return "\(Int(seconds / length))\(unit)"
    }
    return "\(seconds.argumentText)s"
  }
}
