/// A condition on one argument's value beyond its type: `rule: .within(1...8)`.
struct ValueRule<Value> {
  /// The rule as it stands after "must be": "from 1 to 8".
  let description: String
  let accepts: (Value) -> Bool

  init(_ description: String, accepts: @escaping (Value) -> Bool) {
    self.description = description
    self.accepts = accepts
  }

  /// No condition.
  static var any: ValueRule { ValueRule("anything") { _ in true } }
}

extension ValueRule where Value: Comparable & ArgumentValue {
  static func within(_ range: ClosedRange<Value>) -> ValueRule {
    ValueRule("from \(range.lowerBound.argumentText) to \(range.upperBound.argumentText)") { range.contains($0) }
  }

  static func atLeast(_ least: Value) -> ValueRule {
    ValueRule("at least \(least.argumentText)") { $0 >= least }
  }

  static func above(_ bound: Value) -> ValueRule {
    ValueRule("above \(bound.argumentText)") { $0 > bound }
  }

  /// More than `lower`, up to and including `upper`.
  static func above(_ lower: Value, upTo upper: Value) -> ValueRule {
    ValueRule("above \(lower.argumentText) and at most \(upper.argumentText)") { $0 > lower && $0 <= upper }
  }
}

extension ValueRule where Value == String {
  static var notEmpty: ValueRule { ValueRule("not empty") { !$0.isEmpty } }
}

extension ValueRule where Value == IntegerList {
  /// Every element lies in `range`.
  static func each(within range: ClosedRange<Int>) -> ValueRule {
    ValueRule("integers from \(range.lowerBound) to \(range.upperBound)") { $0.values.allSatisfy(range.contains) }
  }
}

extension ValueRule where Value == NumberList {
  /// Every element lies in `range`.
  static func each(within range: ClosedRange<Double>) -> ValueRule {
    ValueRule("numbers from \(range.lowerBound.argumentText) to \(range.upperBound.argumentText)") {
      $0.values.allSatisfy(range.contains)
    }
  }
}

extension ValueRule where Value == ByteSize {
  static var positive: ValueRule { ValueRule("above 0") { $0.bytes > 0 } }
}
