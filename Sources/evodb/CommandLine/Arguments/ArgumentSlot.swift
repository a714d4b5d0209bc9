/// The place behind a declared argument that holds its value: a reference, so that the parser can fill a command that
/// is already made.
final class ArgumentSlot<Value> {
  let specification: ArgumentSpecification
  private let initialValue: Value?
  private var givenValue: Value?
  private var givenText = ""
  /// (text, value so far) → value.
  private let read: (String, Value?) throws -> Value

  init(
    _ specification: ArgumentSpecification, initially initialValue: Value?,
    read: @escaping (String, Value?) throws -> Value
  ) {
    self.specification = specification
    self.initialValue = initialValue
    self.read = read
  }

  var wasGiven: Bool { givenValue != nil }

  var value: Value {
    guard let value = givenValue ?? initialValue else {
      preconditionFailure("\(specification.name) is read before the command line is")
    }
    return value
  }

  func take(_ text: String) throws {
    if wasGiven, !specification.isRepeatable {
      throw UsageError(
        "\(specification.name) is given twice, as ‘\(TerminalText.visible(givenText))’ and as "
          + "‘\(TerminalText.visible(text))’; give it once")
    }
    givenValue = try read(text, givenValue)
    givenText = text
  }
}

/// How an argument is declared, before its type adds the rest.
struct ArgumentDeclaration {
  let kind: ArgumentSpecification.Kind
  let name: String
  let placeholder: String
  let help: String

  /// One value, needed if it has no default.
  func single<Value: ArgumentValue>(default initialValue: Value?, rule: ValueRule<Value>) -> ArgumentSlot<Value> {
    let specification = specification(
      Value.self, default: initialValue?.argumentText, isRequired: initialValue == nil,
      isRepeatable: Value.isRepeatable)
    return ArgumentSlot(specification, initially: initialValue) { text, previous in
      let value = try parse(text, rule)
      return previous.map { $0.joined(with: value) } ?? value
    }
  }

  /// One value that may be left out.
  func optional<Value: ArgumentValue>(rule: ValueRule<Value>) -> ArgumentSlot<Value?> {
    let specification = specification(
      Value.self, default: nil, isRequired: false, isRepeatable: Value.isRepeatable)
    return ArgumentSlot(specification, initially: .some(nil)) { text, previous in
      let value = try parse(text, rule)
      return previous.flatMap { $0 }.map { $0.joined(with: value) } ?? value
    }
  }

  /// Any number of values in the order given, which replace the default.
  func list<Value: ArgumentValue>(default initialValue: [Value], rule: ValueRule<Value>) -> ArgumentSlot<[Value]> {
    let shown = initialValue.map(\.argumentText).joined(separator: " ")
    let specification = specification(
      Value.self, default: initialValue.isEmpty ? nil : shown, isRequired: false, isRepeatable: true)
    return ArgumentSlot(specification, initially: initialValue) { text, previous in
      (previous ?? []) + [try parse(text, rule)]
    }
  }

  private func specification<Value: ArgumentValue>(
    _ type: Value.Type, default defaultText: String?, isRequired: Bool, isRepeatable: Bool
  ) -> ArgumentSpecification {
    ArgumentSpecification(
      kind: kind, name: name, placeholder: placeholder, help: help,
      defaultText: defaultText?.isEmpty == true ? nil : defaultText, choices: Value.choices, isRequired: isRequired,
      isRepeatable: isRepeatable)
  }

  private func parse<Value: ArgumentValue>(_ text: String, _ rule: ValueRule<Value>) throws -> Value {
    guard let value = Value(argument: text) else {
      let hint = Suggestion.nearest(to: text, among: Value.choices).map { "; did you mean ‘\($0)’?" } ?? ""
      throw UsageError("\(name) must be \(Value.rule); received ‘\(TerminalText.visible(text))’\(hint)")
    }
    guard rule.accepts(value) else {
      throw UsageError("\(name) must be \(rule.description); received ‘\(TerminalText.visible(text))’")
    }
    return value
  }
}
