import Catalog
import Inference

/// The levels that `build` makes, by kind; a method takes those of its kinds.
struct LevelOptions: ArgumentGroup {
  @Option("--bits", "LIST", "Bit-widths to build, 1 to 8.\(standard(.bits))", rule: .each(within: 1...8))
  var bits: IntegerList?

  @Option("--sparsity", "LIST", "Shares of zeros to build, 0 to 1.", rule: .each(within: 0...1))
  var sparsities: NumberList?

  @Option(
    "--step-weights", "N",
    "Levels around one --sparsity that are N weights apart in every layer, as in the paper, so that any two layers can "
      + "switch exactly.", rule: .atLeast(1))
  var stepWeightCount: Int?

  @Option(
    "--step", "D",
    "Levels around one --sparsity that are D apart in every layer, such as 0.05 [default with --levels: min(S, 1 - S) / 10].",
    rule: .within(0...1))
  var step: Double?

  @Option(
    "--levels", "K",
    "Levels to each side of --sparsity; a layer has those within 0 and 1 [default with --step or --step-weights: 8].",
    rule: .atLeast(1))
  var levelCount: Int?

  @Option("--pattern", "LIST", "Semi-structured levels N:M, N of M neighbouring weights kept: 2:4, 4:8.")
  var patterns: PatternList?

  @Option("--types", "LIST", "Storage types to build, such as Q4_K.\(standard(.type))")
  var types: TypeList?

  /// The default levels of a kind of all methods, in words.
  private static func standard(_ kind: Level.Kind) -> String {
    let defaults = MethodRegistry.shared.all.compactMap { method -> String? in
      let rules = method.standardRules.filter { $0.kind == kind }
      return rules.isEmpty ? nil : "\(method.name) \(rules.map(\.shortText).joined(separator: ","))"
    }
    return " [default: \(defaults.joined(separator: "; "))]"
  }

  /// The options by the kind of level that they ask for.
  private var byKind: [(kind: Level.Kind, arguments: [any DeclaredArgument])] {
    [
      (.bits, [$bits]), (.zeros, [$sparsities, $step, $stepWeightCount, $levelCount]), (.pattern, [$patterns]),
      (.type, [$types]),
    ]
  }

  /// The levels asked for, or those that the method builds if none are.
  ///
  /// - Throws: `UsageError` if options contradict each other or the method, or levels are missing;
  ///   `InferenceError.impossible` with the feasible range.
  func rules(for method: any MethodDefinition.Type, layers: [LayerRecord]) throws -> [LevelRule] {
    try validate(for: method)
    var rules: [LevelRule] = (bits?.values ?? []).map { .bits($0) }
    let shares = sparsities?.values ?? []
    if step != nil || stepWeightCount != nil || levelCount != nil {
      guard shares.count == 1 else {
        throw UsageError("--step, --step-weights and --levels need exactly one --sparsity, not \(shares.count)")
      }
      guard step == nil || stepWeightCount == nil else {
        throw UsageError("--step and --step-weights are two ways to say the distance of levels: give one")
      }
      rules += try SparsitySteps(
        sparsity: shares[0], levelCount: levelCount ?? SparsitySteps.standardLevelCount,
        step: stepWeightCount.map { .weights($0) } ?? step.map { .share($0) }
      ).rules(weightCounts: layers.map(\.weightCount))
    } else {
      rules += shares.map { .sparsity($0) }
    }
    rules += (patterns?.values ?? []).map { .pattern($0) }
    rules += (types?.values ?? []).map { .type($0) }
    if rules.isEmpty { rules = method.standardRules }
    guard !rules.isEmpty else {
      throw UsageError("\(method.name) needs levels: --sparsity 0.5, --sparsity 0.5 --levels 8, or --pattern 2:4")
    }
    return rules
  }

  /// Checks that the method has levels of the kinds asked for.
  ///
  /// - Throws: `UsageError`.
  func validate(for method: any MethodDefinition.Type) throws {
    let own = byKind.filter { method.levelKinds.contains($0.kind) }.flatMap(\.arguments)
    let foreign = byKind.filter { !method.levelKinds.contains($0.kind) }.flatMap(\.arguments)
    if let given = foreign.first(where: \.wasGiven) {
      let names = own.map(\.specification.name).joined(separator: ", ")
      throw UsageError("\(given.specification.name) has no use for \(method.name), which takes \(names)")
    }
  }
}

/// The options of all methods, as the registry has them.
struct MethodOptions: ArgumentGroup {
  /// One argument for an option, whichever methods have it.
  struct Entry {
    let option: MethodOption
    let argument: MethodArgument
  }

  let entries: [Entry]

  var furtherArguments: [any DeclaredArgument] { entries.map(\.argument) }

  init() {
    let definitions = MethodRegistry.shared.all
    var entries: [Entry] = []
    for option in definitions.flatMap({ $0.options }) where !entries.contains(where: { $0.option == option }) {
      guard let name = option.name else { continue }
      let owners = definitions.filter { $0.options.contains(option) }.map { $0.name }
      entries.append(Entry(option: option, argument: MethodArgument(option, name: name, owners: owners)))
    }
    self.entries = entries
  }

  /// A method with the options that are given.
  ///
  /// - Throws: `UsageError` if an option is given that the method does not have.
  func method(_ definition: any MethodDefinition.Type) throws -> CompressionMethod {
    var method = CompressionMethod(definition)
    for entry in entries {
      guard let value = entry.argument.value else { continue }
      guard definition.options.contains(entry.option) else {
        throw UsageError(
          "\(entry.argument.specification.name) has no use for \(definition.name); it is an option of "
            + entry.argument.owners.joined(separator: " and "))
      }
      method.values[entry.option] = value
    }
    return method
  }
}

/// A method's option on the command line.
struct MethodArgument: DeclaredArgument {
  let owners: [String]
  private let slot: ArgumentSlot<MethodOption.Value?>

  init(_ option: MethodOption, name: String, owners: [String]) {
    self.owners = owners
    let isFlag = option.standard == .flag(false)
    let placeholder: String
    let shown: String?
    switch option.standard {
    case .flag: (placeholder, shown) = ("", nil)
    case .integer(let value): (placeholder, shown) = ("N", value.argumentText)
    case .real(let value): (placeholder, shown) = ("X", value.argumentText)
    case .word(let value): (placeholder, shown) = ("TYPE", value)
    }
    let specification = ArgumentSpecification(
      kind: isFlag ? .flag : .option, name: "--" + name, placeholder: placeholder,
      help: "\(option.help.dropLast()) (\(owners.joined(separator: ", "))).", defaultText: shown, choices: option.words,
      isRequired: false, isRepeatable: isFlag)
    slot = ArgumentSlot(specification, initially: .some(nil)) { text, _ in
      guard let value = isFlag ? .flag(true) : option.value(text) else {
        throw UsageError("--\(name) must be \(option.rule); received ‘\(TerminalText.visible(text))’")
      }
      return value
    }
  }

  var value: MethodOption.Value? { slot.value }
  var specification: ArgumentSpecification { slot.specification }
  var wasGiven: Bool { slot.wasGiven }
  func take(_ text: String) throws { try slot.take(text) }
}

/// The name of a method that the registry knows.
struct MethodName: ArgumentValue, Hashable {
  let name: String

  static var choices: [String] { MethodRegistry.shared.names }
  static var rule: String { "one of " + choices.joined(separator: ", ") }

  init?(argument: String) {
    guard MethodRegistry.shared.definition(named: argument) != nil else { return nil }
    name = argument
  }

  init(_ definition: any MethodDefinition.Type) { name = definition.name }

  var argumentText: String { name }

  /// The method with its options at their defaults.
  ///
  /// - Throws: never for a name that was read from the command line.
  var definition: any MethodDefinition.Type {
    get throws { try CompressionMethod(named: name).definition }
  }
}

/// Options of every verb that calibrates.
struct CalibrationOptions: ArgumentGroup {
  @Option(
    "--upstream", "HOW",
    "How earlier blocks are treated: dense, or METHOD:LEVEL[,OPTION=VALUE,…] such as gptq:3 or sparsegpt:0.5. "
      + "[default: gptq:3; dense for methods that prune]")
  var upstream: String?

  @Option("--keep-statistics", "WHAT", "What to keep of the Hessians: all, diagonal or none.")
  var keeps: KeptStatistics = .all

  /// The treatment of earlier blocks, by default as the reference does it for the method.
  ///
  /// - Throws: `UsageError`.
  func treatment(for method: CompressionMethod?) throws -> Upstream {
    guard let upstream else { return .standard(for: method) }
    do {
      return try Upstream(upstream)
    } catch let error as InferenceError {
      throw UsageError("--upstream: \(error)")
    }
  }
}

/// The option of every verb that works on some layers only.
struct LayerOptions: ArgumentGroup {
  @Option(
    "--layers", "REGEX",
    "Layers to compress, by a regular expression found in their names; others stay dense [default: all].",
    rule: .notEmpty)
  var pattern: String?

  /// The selected layers; nil: all.
  ///
  /// - Throws: `UsageError`.
  var selection: LayerSelection? {
    get throws {
      do {
        return try pattern.map { try LayerSelection(pattern: $0) }
      } catch let error as InferenceError {
        throw UsageError("--layers: \(error)")
      }
    }
  }
}

extension KeptStatistics: ArgumentChoice {}
extension TextSequences.BeginningOfSequence: ArgumentChoice {}
extension TextSequences.Documents: ArgumentChoice {}
