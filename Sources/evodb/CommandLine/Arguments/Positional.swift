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
