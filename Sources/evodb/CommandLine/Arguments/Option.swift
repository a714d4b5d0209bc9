/// `--name VALUE` or `--name=VALUE`.
///
/// `var seed: Int = 0` has a default, `var seed: Int` is needed, `var seed: Int?` may be left out, and `var seeds: [Int]`
/// may be given several times. `$seed.wasGiven` tells a default from the same value typed.
@propertyWrapper
struct Option<Value>: DeclaredArgument {
  private let slot: ArgumentSlot<Value>

  var wrappedValue: Value { slot.value }
  var projectedValue: Self { self }
  var specification: ArgumentSpecification { slot.specification }
  var wasGiven: Bool { slot.wasGiven }

  func take(_ text: String) throws { try slot.take(text) }

  /// An option with a default.
  init(wrappedValue: Value, _ name: String, _ placeholder: String, _ help: String, rule: ValueRule<Value> = .any)
  where Value: ArgumentValue {
    slot = Self.declaration(name, placeholder, help).single(default: wrappedValue, rule: rule)
  }

  /// An option that must be given.
  init(_ name: String, _ placeholder: String, _ help: String, rule: ValueRule<Value> = .any)
  where Value: ArgumentValue {
    slot = Self.declaration(name, placeholder, help).single(default: nil, rule: rule)
  }

  /// An option that may be left out.
  init<Wrapped: ArgumentValue>(
    _ name: String, _ placeholder: String, _ help: String, rule: ValueRule<Wrapped> = .any
  ) where Value == Wrapped? {
    slot = Self.declaration(name, placeholder, help).optional(rule: rule)
  }

  /// An option that may be given several times; `rule` holds for each value.
  init<Element: ArgumentValue>(
    wrappedValue: [Element] = [], _ name: String, _ placeholder: String, _ help: String,
    rule: ValueRule<Element> = .any
  ) where Value == [Element] {
    slot = Self.declaration(name, placeholder, help).list(default: wrappedValue, rule: rule)
  }

  private static func declaration(_ name: String, _ placeholder: String, _ help: String) -> ArgumentDeclaration {
    precondition(name.hasPrefix("--"), "an option is named like --seed")
    return ArgumentDeclaration(kind: .option, name: name, placeholder: placeholder, help: help)
  }
}
