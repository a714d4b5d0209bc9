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
