import Foundation

/// Numbers for people: the same in every locale, so that two people can compare what they see.
enum HumanFormat {
  /// `12,345,678`.
  static func count(_ value: Int64) -> String {
    let digits = Array(String(value.magnitude))
    var text = value < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index).isMultiple(of: 3) { text.append(",") }
      text.append(digit)
    }
    return text
  }

  /// `512 B`, `12.3 MiB`: three significant digits from KiB on, powers of 1024.
  static func bytes(_ value: Int64) -> String {
    value.magnitude < 1024 ? "\(value) B" : bytes(Double(value))
  }

  /// `12.3 MiB`, also of an average.
  static func bytes(_ value: Double) -> String {
    // From 999.5 on, three digits would round to 1000: the next unit reads better.
    let unit = ByteUnit.suiting(value, atLeast: 999.5 / 1024)
    return "\(number(value / unit.bytes, significantDigits: 3)) \(unit.name)"
  }

  /// `850 ms`, `12.3 s`, `1 min 32 s`, `2 h 5 min`, `3 d 4 h`: the two largest units.
  static func duration(seconds: Double) -> String {
    guard seconds.isFinite else { return String(describing: seconds) }
    if seconds < 0 { return "-" + duration(seconds: -seconds) }
    if seconds < 0.9995 { return "\(Int((seconds * 1000).rounded())) ms" }
    if seconds < 59.95 { return "\(number(seconds, decimals: 1)) s" }
    // Beyond a million years the figure means nothing, and Int could not hold it for ever.
    guard seconds < 3e13 else { return "\(number(seconds / 86400, significantDigits: 3)) d" }
    let whole = Int(seconds.rounded())
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    if whole < 86400 { return "\(whole / 3600) h \(whole % 3600 / 60) min" }
    return "\(whole / 86400) d \(whole % 86400 / 3600) h"
  }

  /// An estimate in whole seconds, at least one: `5 s`, `1 min 32 s`.
  static func roundedDuration(seconds: Double) -> String {
    seconds < 59.5 ? "\(Int(max(1, seconds.rounded()))) s" : duration(seconds: max(60, seconds))
  }

  /// A share of 1 as `12.5 %`; never rounded up to 100 %.
  static func percent(_ share: Double) -> String {
    let tenths = (share * 1000).rounded()
    return share < 1 && tenths >= 1000 ? "99.9 %" : "\(number(share * 100, decimals: 1)) %"
  }

  /// `significantDigits` digits, with an exponent below 1e-4 and from 1e15 on; trailing zeros stay, they are
  /// significant.
  static func number(_ value: Double, significantDigits: Int) -> String {
    precondition((1...17).contains(significantDigits))
    guard value.isFinite else { return String(describing: value) }
    guard value != 0 else { return "0" }
    let scientific = formatted("%.*e", significantDigits - 1, value)
    // The exponent after rounding: 9.996 with three digits is 10.0.
    guard let mark = scientific.firstIndex(of: "e"), let exponent = Int(scientific[scientific.index(after: mark)...])
    else { return scientific }
    guard (-4..<15).contains(exponent) else { return scientific }
    return number(value, decimals: max(0, significantDigits - 1 - exponent))
  }

  /// A fixed number of digits after the point.
  static func number(_ value: Double, decimals: Int) -> String {
    formatted("%.*f", decimals, value)
  }

  private static func formatted(_ format: String, _ precision: Int, _ value: Double) -> String {
    String(format: format, locale: nil, precision, value)
  }
}
