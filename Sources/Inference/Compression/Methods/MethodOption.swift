/// A parameter of compression methods apart from the level. Methods that mean the same by it share one option.
public struct MethodOption: Hashable, Sendable {
  /// A value, and by that the type.
  public enum Value: Hashable, Sendable {
    /// Yes or no.
    case flag(Bool)
    /// A whole number.
    case integer(Int)
    /// A finite number.
    case real(Double)
    /// One of a few words.
    case word(String)
  }

  /// Its name in catalogs: `quantizationGroupSize`.
  public let key: String
  /// Its name on the command line, without dashes in front: `quantization-group-size`. nil: it is not offered there,
  /// because only comparisons with other implementations need it.
  public let name: String?
  /// One sentence for help pages.
  public let help: String
  /// The value if none is given; keys leave it out.
  public let standard: Value
  /// The words of an option of words.
  public let words: [String]

  /// An option.
  public init(key: String, name: String?, help: String, standard: Value, words: [String] = []) {
    self.key = key
    self.name = name
    self.help = help
    self.standard = standard
    self.words = words
  }

  /// Reads a value of the option's type; nil if `text` is none.
  public func value(_ text: String) -> Value? {
    switch standard {
    case .flag: Bool(text).map { .flag($0) }
    case .integer: Int(text).map { .integer($0) }
    case .real: Double(text).flatMap { $0.isFinite ? .real($0) : nil }
    case .word: words.contains(text) ? .word(text) : nil
    }
  }

  /// The rule for values, as it reads after "must be".
  public var rule: String {
    switch standard {
    case .flag: "true or false"
    case .integer: "an integer"
    case .real: "a finite number"
    case .word: "one of " + words.joined(separator: ", ")
    }
  }
}

/// The values of a method's options.
public struct MethodValues: Hashable, Sendable {
  private var given: [String: MethodOption.Value] = [:]

  /// All at their defaults.
  public init() {}

  /// The value of an option.
  public subscript(option: MethodOption) -> MethodOption.Value {
    get { given[option.key] ?? option.standard }
    // A value at its default is the same as none.
    set { given[option.key] = newValue == option.standard ? nil : newValue }
  }

  func flag(_ option: MethodOption) -> Bool {
    guard case .flag(let value) = self[option] else { preconditionFailure("\(option.key) is no flag") }
    return value
  }

  func integer(_ option: MethodOption) -> Int {
    guard case .integer(let value) = self[option] else { preconditionFailure("\(option.key) is no integer") }
    return value
  }

  func real(_ option: MethodOption) -> Double {
    guard case .real(let value) = self[option] else { preconditionFailure("\(option.key) is no real number") }
    return value
  }

  func word(_ option: MethodOption) -> String {
    guard case .word(let value) = self[option] else { preconditionFailure("\(option.key) is no word") }
    return value
  }

  /// The keys that are not at their defaults, sorted.
  var givenKeys: [String] { given.keys.sorted() }
}

extension MethodOption {
  package static let symmetric = MethodOption(
    key: "symmetric", name: "symmetric", help: "A grid centred on zero instead of minimum to maximum.",
    standard: .flag(false))
  static let quantizationGroupSize = MethodOption(
    key: "quantizationGroupSize", name: "quantization-group-size",
    help: "Inputs that share a scale and a zero point; 0: the whole row.", standard: .integer(128))
  /// Other tools' packed formats need it, EvoPress does not have it.
  static let rangeContainsZero = MethodOption(
    key: "rangeContainsZero", name: nil, help: "Whether asymmetric ranges are widened to contain 0.",
    standard: .flag(true))
  static let activationOrder = MethodOption(
    key: "activationOrder", name: "activation-order", help: "Take the inputs by falling Hessian diagonal.",
    standard: .flag(false))
  static let columnBlockSize = MethodOption(
    key: "columnBlockSize", name: nil, help: "Columns between two updates of all later ones.", standard: .integer(128))
  static let dampingFraction = MethodOption(
    key: "dampingFraction", name: "damping", help: "Share of the mean Hessian diagonal added to it.",
    standard: .real(0.01))
  static let groupRange = MethodOption(
    key: "groupRange", name: nil, help: "When a group's range is taken.",
    standard: .word(QuantizationParameters.GroupRange.current.rawValue),
    words: QuantizationParameters.GroupRange.allCases.map(\.rawValue))
  static let scaleType = MethodOption(
    key: "scaleType", name: "scale-type", help: "Type of the stored scales.",
    standard: .word(QuantizationParameters.ScaleType.float16.rawValue),
    words: QuantizationParameters.ScaleType.allCases.map(\.rawValue))
}
