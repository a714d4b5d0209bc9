/// A type that one argument on the command line can hold.
protocol ArgumentValue {
  /// The rule for texts, as it reads after "must be": "an integer".
  static var rule: String { get }

  /// All texts that are allowed, if they are few; empty otherwise.
  static var choices: [String] { get }

  /// Whether the option may be given several times, its values being joined.
  static var isRepeatable: Bool { get }

  /// nil if `argument` breaks the rule.
  init?(argument: String)

  /// The value as one would type it, to show defaults.
  var argumentText: String { get }

  /// This value followed by that of the option's next occurrence; asked only of repeatable types.
  func joined(with next: Self) -> Self
}

extension ArgumentValue {
  static var choices: [String] { [] }
  static var isRepeatable: Bool { false }

  func joined(with next: Self) -> Self { next }
}

extension String: ArgumentValue {
  static var rule: String { "a text" }
  init?(argument: String) { self = argument }
  var argumentText: String { self }
}

extension Int: ArgumentValue {
  static var rule: String { "an integer" }
  init?(argument: String) { self.init(argument) }
  var argumentText: String { String(self) }
}

/// A seed: not negative, and no larger than the integers of SQL and JSON.
extension UInt64: ArgumentValue {
  static var rule: String { "an integer from 0 to \(Int64.max)" }

  init?(argument: String) {
    guard let value = UInt64(argument), value <= UInt64(Int64.max) else { return nil }
    self = value
  }

  var argumentText: String { String(self) }
}

extension Double: ArgumentValue {
  static var rule: String { "a finite number" }

  init?(argument: String) {
    guard let value = Double(argument), value.isFinite else { return nil }
    self = value
  }

  var argumentText: String {
    // 3.0 reads better as 3 in a help text; 1e15 is where every integer is still exact.
    magnitude < 1e15 && self == rounded() ? String(Int(self)) : description
  }
}

/// An enum whose raw values are typed as they are.
protocol ArgumentChoice: ArgumentValue, CaseIterable, RawRepresentable where RawValue == String {}

extension ArgumentChoice {
  static var rule: String { "one of " + choices.joined(separator: ", ") }
  static var choices: [String] { allCases.map(\.rawValue) }
  init?(argument: String) { self.init(rawValue: argument) }
  var argumentText: String { rawValue }
}
