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

/// `--name`: false unless given.
@propertyWrapper
struct Flag: DeclaredArgument {
  private let slot: ArgumentSlot<Bool>

  var wrappedValue: Bool { slot.value }
  var projectedValue: Self { self }
  var specification: ArgumentSpecification { slot.specification }
  var wasGiven: Bool { slot.wasGiven }

  init(_ name: String, _ help: String) {
    precondition(name.hasPrefix("--"), "a flag is named like --quiet")
    let specification = ArgumentSpecification(
      kind: .flag, name: name, placeholder: "", help: help, defaultText: nil, choices: [], isRequired: false,
      isRepeatable: true)
    slot = ArgumentSlot(specification, initially: false) { _, _ in true }
  }

  func take(_ text: String) throws { try slot.take(text) }
}

/// An argument that is found by its place, in the order of declaration.
///
/// `var catalog: String` is needed, `var model: String?` may be left out, and `var files: [String]` takes all that
/// are left. Needed ones stand before optional ones, a list stands last.
@propertyWrapper
struct Positional<Value>: DeclaredArgument {
  private let slot: ArgumentSlot<Value>

  var wrappedValue: Value { slot.value }
  var projectedValue: Self { self }
  var specification: ArgumentSpecification { slot.specification }
  var wasGiven: Bool { slot.wasGiven }

  func take(_ text: String) throws { try slot.take(text) }

  /// A positional that must be given.
  init(_ name: String, _ help: String, rule: ValueRule<Value> = .any) where Value: ArgumentValue {
    slot = Self.declaration(name, help).single(default: nil, rule: rule)
  }

  /// A positional that may be left out.
  init<Wrapped: ArgumentValue>(_ name: String, _ help: String, rule: ValueRule<Wrapped> = .any)
  where Value == Wrapped? {
    slot = Self.declaration(name, help).optional(rule: rule)
  }

  /// All positionals that are left, possibly none.
  init<Element: ArgumentValue>(_ name: String, _ help: String, rule: ValueRule<Element> = .any)
  where Value == [Element] {
    slot = Self.declaration(name, help).list(default: [], rule: rule)
  }

  private static func declaration(_ name: String, _ help: String) -> ArgumentDeclaration {
    ArgumentDeclaration(kind: .positional, name: name, placeholder: "", help: help)
  }
}
