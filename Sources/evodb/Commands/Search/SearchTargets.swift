import Catalog
import Inference
import Search

/// A target in one word.
struct SearchTarget: ArgumentValue, Equatable {
  let target: SearchRecipe.Target
  /// The unit of costs and of the budget.
  let cost: SearchRecipe.Cost

  static let rule =
    "3bit, 3.1bit-stored, 3.2MB, 50% (sparsity), drop=0.25 or drop=25% (share of the blocks), or drop=3 (blocks)"

  init(_ target: SearchRecipe.Target, _ cost: SearchRecipe.Cost) {
    self.target = target
    self.cost = cost
  }

  init?(argument: String) {
    func number(before suffix: String, in text: String = argument) -> Double? {
      text.hasSuffix(suffix) ? Double(argument: String(text.dropLast(suffix.count))) : nil
    }
    if argument.hasPrefix("drop=") {
      let value = String(argument.dropFirst("drop=".count))
      if let count = Int(value), count >= 0 {
        self.init(.dropCount(count), .subblocks)
      } else if let share = number(before: "%", in: value).map({ $0 / 100 }) ?? Double(argument: value),
        (0...1).contains(share)
      {
        self.init(.drop(share), .subblocks)
      } else {
        return nil
      }
    } else if let bits = number(before: "bit") ?? number(before: "bits"), bits > 0 {
      self.init(.bits(bits), .codes)
    } else if let bits = number(before: "bit-stored") ?? number(before: "bits-stored"), bits > 0 {
      self.init(.bits(bits), .stored)
    } else if let percent = number(before: "%"), (0...100).contains(percent) {
      self.init(.sparsity(percent / 100), .weights)
    } else if argument.last?.isLetter == true, let size = ByteSize(argument: argument) {
      self.init(.bytes(size.bytes), .stored)
    } else {
      // A number alone could be any of them.
      return nil
    }
  }

  var argumentText: String {
    switch (target, cost) {
    case (.bits(let bits), .stored): return "\(bits.argumentText)bit-stored"
    case (.bits(let bits), _): return "\(bits.argumentText)bit"
    case (.bytes(let bytes), _): return "\(bytes)B"
    case (.sparsity(let share), _): return "\((100 * share).argumentText)%"
    case (.drop(let share), _): return "drop=\((100 * share).argumentText)%"
    case (.dropCount(let count), _): return "drop=\(count)"
    }
  }
}

/// Targets in bits and bytes.
struct BitTargetOptions: ArgumentGroup {
  @Option("--target", "TARGET", "What to reach, in one word: \(SearchTarget.rule).")
  var target: SearchTarget?
  @Option(
    "--target-bits", "B",
    "Average bits of the codes per compressible weight, as EvoPress counts; 2.25 and the like lie between levels.",
    rule: .above(0))
  var bits: Double?
  @Option(
    "--target-stored-bits", "B", "Average stored bits per weight, with scales, zero points and masks.", rule: .above(0))
  var storedBits: Double?
  @Option(
    "--target-bytes", "SIZE", "Stored bytes of all compressible layers, such as 3.2M, or of the file (--budget file).")
  var bytes: ByteSize?

  /// All that are given.
  var given: [SearchTarget] {
    [
      target, bits.map { SearchTarget(.bits($0), .codes) }, storedBits.map { SearchTarget(.bits($0), .stored) },
      bytes.map { SearchTarget(.bytes($0.bytes), .stored) },
    ].compactMap { $0 }
  }

  /// The one target.
  ///
  /// - Throws: `UsageError` for none or several.
  static func only(_ given: [SearchTarget], of names: String) throws -> SearchTarget {
    guard given.count == 1 else {
      throw UsageError("\(given.isEmpty ? "a target is missing" : "there must be one target"): give one of \(names)")
    }
    return given[0]
  }
}

/// Options for the levels that a search may choose from.
struct SpaceOptions: ArgumentGroup {
  @Option(
    "--method", "LIST",
    "Whose variants to choose from: \(MethodName.choices.joined(separator: ", ")); several for a joint space [default: "
      + "gptq, for sparsities sparsegpt].")
  var methods: MethodList?
  @Option("--bits", "LIST", "Bit-widths to choose from [default: all that are built].", rule: .each(within: 1...8))
  var bits: IntegerList?
  @Option(
    "--pattern", "LIST",
    "Semi-structured levels to choose from, such as 2:4 [default: all in a joint space]; of levels of equal cost the one with the least error stays."
  )
  var patterns: PatternList?
  @Option("--types", "LIST", "Storage types to choose from, such as Q4_K [default: all that are built].")
  var types: TypeList?
  let layers = LayerOptions()
  @Flag("--allow-dense", "Layers may also stay as they are.") var allowsDense: Bool
  @Flag("--allow-drop", "Subblocks may also be dropped; what is inside then costs nothing.") var allowsDrop: Bool
  @Option(
    "--allow", "FILE",
    "The only subblocks that may be dropped: one per line, 3.attention, 3.mlp, or 3 for both; # begins a comment.")
  var allowFile: String?
  @Option(
    "--tie", "LIST",
    "What takes its level together: qkv, gate_up, subblock, block; for drops block, or pairs of blocks (0 and 1, 2 and 3)."
  )
  var ties: TieList?
  @Option(
    "--for", "RUNTIME",
    "What shall run the result, whose rules the search then keeps: vllm (4 and 8 bits; q, k and v tied, gate and up too), "
      + "vllm-gpu (2 to 8 bits), transformers (symmetric levels) or gguf (types of GGUF).")
  var runtime: ServingRuntime?
  let budget = FileBudgetOptions()

  /// The runtime whose rules hold.
  private var ruling: ServingRuntime? { runtime ?? (budget.countsFile ? .gguf : nil) }

  /// Checks what needs no catalog.
  ///
  /// - Parameter target: what is searched for; nil: no certain size.
  /// - Throws: `UsageError` for what has no use where a budget counts `cost`.
  func validate(_ cost: SearchRecipe.Cost, _ target: SearchTarget? = nil) throws {
    try budget.validate(target, runtime, allowsDrop: allowsDrop)
    let runtime = ruling
    let tied = ties?.values ?? []
    _ = try layers.selection
    if cost == .subblocks {
      let useless = [
        ("--method", methods != nil), ("--bits", bits != nil), ("--pattern", patterns != nil),
        ("--types", types != nil), ("--layers", layers.pattern != nil), ("--allow-dense", allowsDense),
        ("--allow-drop", allowsDrop),
      ]
      if let name = useless.first(where: \.1)?.0 {
        throw UsageError(
          "\(name) has no use where only subblocks are dropped; for drops beside levels give --allow-drop with a target "
            + "in bits, bytes or sparsity")
      }
      if runtime != nil { throw UsageError("--for has no use where only subblocks are dropped") }
      if tied.count > 1 || tied.contains(where: { $0 != .block && $0 != .pairs }) {
        throw UsageError("--tie must be block or pairs where only subblocks are dropped")
      }
    } else {
      if allowFile != nil, !allowsDrop { throw UsageError("--allow needs --allow-drop or a target of drops") }
      if tied.contains(.pairs) { throw UsageError("--tie pairs is for --target-drop and --drop-count") }
      let sparse = MethodRegistry.shared.names(offering: .zeros)
      if cost == .weights, let other = methods?.values.first(where: { !sparse.contains($0.name) }) {
        throw UsageError(
          "--method \(other.name) makes no weights zero; a sparsity needs one of \(sparse.joined(separator: ", "))")
      }
      let patterned = MethodRegistry.shared.names(offering: .pattern)
      if cost != .weights, patterns != nil, methods?.values.contains(where: { patterned.contains($0.name) }) != true {
        throw UsageError("--pattern needs one of --method \(patterned.joined(separator: ", ")) among others")
      }
      let typed = MethodRegistry.shared.names(offering: .type)
      if types != nil, methods?.values.contains(where: { typed.contains($0.name) }) != true {
        throw UsageError("--types needs one of --method \(typed.joined(separator: ", ")) among others")
      }
      if cost == .weights, runtime != nil {
        throw UsageError("--for has no use for a sparsity, which every runtime stores as plain weights")
      }
      if runtime == .gguf, let other = methods?.values.first(where: { !typed.contains($0.name) }) {
        throw UsageError("--for gguf needs --method \(typed.joined(separator: " or ")), not \(other.name)")
      }
      if let runtime, runtime != .gguf {
        let quantizing = MethodRegistry.shared.names(offering: .bits)
        if let other = methods?.values.first(where: { !quantizing.contains($0.name) }) {
          throw UsageError(
            "--for \(runtime.rawValue) needs --method \(quantizing.joined(separator: " or ")), not \(other.name)")
        }
      }
      if cost == .weights, bits != nil { throw UsageError("--bits has no use for a sparsity") }
    }
  }

  /// Says on stderr whose types a recipe chooses from, if nobody named a method and several could have been meant.
  func noteMethod(of recipe: SearchRecipe, _ store: CatalogStore, in context: CommandContext) throws {
    guard ruling == .gguf, methods == nil, let taken = recipe.methods.first else { return }
    let known = try Set(store.read { try $0.methods().map(\.name) })
    let others = MethodRegistry.shared.names(offering: .type).filter { known.contains($0) && $0 != taken }
    guard !others.isEmpty else { return }
    context.note(
      "evodb: the types are those of \(taken); \(others.joined(separator: " and ")) is built too: --method names one, or "
        + "several for a joint space")
  }

  /// A recipe with target and space; how it is searched is at the defaults.
  ///
  /// - Throws: `SearchError.invalidProfile` for a list of subblocks that breaks its rules.
  func recipe(_ asked: SearchTarget, _ model: ModelRecord, _ tx: CatalogTransaction) throws -> SearchRecipe {
    var recipe = SearchRecipe(target: asked.target, cost: asked.cost)
    recipe.runtime = ruling
    recipe.file = budget.file
    if ruling == .gguf {
      recipe.methods = [try AssignmentReference.builtMethod(offering: .type, tx) ?? KQuantMethod.name]
    }
    if let methods { recipe.methods = methods.values.map(\.name) }
    recipe.bits = bits?.values ?? []
    recipe.patterns = patterns?.values.map(\.description) ?? []
    recipe.types = types?.values ?? []
    recipe.layers = layers.pattern ?? ""
    recipe.allowsDense = allowsDense
    recipe.allowsDrop = allowsDrop
    recipe.ties = ties?.values ?? []
    if let allowFile {
      let text: String
      do {
        text = try String(contentsOfFile: allowFile, encoding: .utf8)
      } catch {
        throw CommandFailure(.missingInput, "\(allowFile) cannot be read as UTF-8 text: \(error.localizedDescription)")
      }
      do {
        recipe.allowed = try DropList.parse(text, blockCount: model.blockCount)
      } catch SearchError.invalidProfile(let detail) {
        throw SearchError.invalidProfile(detail: "\(allowFile): \(detail)")
      }
      if recipe.allowed.count == 2 * model.blockCount { recipe.allowed = [] }
    }
    let removed: Int?
    switch asked.target {
    case .drop(let share): removed = Int(share * Double(model.blockCount))
    case .dropCount(let count): removed = count
    case .bits, .bytes, .sparsity: removed = nil
    }
    if let removed {
      let perUnit = recipe.ties.contains(.pairs) ? 2 : 1
      recipe.generations = SearchRecipe.dropGenerations(
        removed: min(removed, model.blockCount) / perUnit, of: model.blockCount / perUnit)
    }
    return try recipe.measuringFile(of: model, version: Evodb.version, tx: tx)
  }
}

/// Options for the target and the choices of a search.
struct SearchSpaceOptions: ArgumentGroup {
  let bitTargets = BitTargetOptions()
  @Option("--target-sparsity", "S", "Share of the weights that are zero, such as 0.5.", rule: .within(0...1))
  var sparsity: Double?
  @Option(
    "--target-drop", "F", "Of int(F × blocks) blocks the attention is removed, and of as many the MLP.",
    rule: .within(0...1))
  var drop: Double?
  @Option("--drop-count", "K", "The same by number: K attentions and K MLPs are removed.", rule: .atLeast(0))
  var dropCount: Int?

  let choices = SpaceOptions()
  @Flag("--worst", "Search the worst assignment in place of the best.") var isInverted: Bool

  private static let targetNames =
    "--target, --target-bits, --target-stored-bits, --target-bytes, --target-sparsity, --target-drop, --drop-count"

  private var target: SearchTarget {
    get throws {
      try BitTargetOptions.only(
        bitTargets.given
          + [
            sparsity.map { SearchTarget(.sparsity($0), .weights) }, drop.map { SearchTarget(.drop($0), .subblocks) },
            dropCount.map { SearchTarget(.dropCount($0), .subblocks) },
          ].compactMap { $0 }, of: Self.targetNames)
    }
  }

  /// Checks what needs no catalog.
  ///
  /// - Throws: `UsageError`.
  func validate() throws {
    try choices.validate(try target.cost, try target)
  }

  /// A recipe with target and space; how it is searched is at the defaults.
  ///
  /// - Throws: as for `SpaceOptions`.
  func recipe(_ model: ModelRecord, _ tx: CatalogTransaction) throws -> SearchRecipe {
    var recipe = try choices.recipe(try target, model, tx)
    recipe.isInverted = isInverted
    return recipe
  }
}

/// Methods, each once, with commas.
struct MethodList: ArgumentValue {
  let values: [MethodName]
  static let rule = "different ones of \(MethodName.choices.joined(separator: ", ")), with commas"

  init?(argument: String) {
    guard let values = distinct(argument, MethodName.init(argument:)) else { return nil }
    self.values = values
  }
  var argumentText: String { values.map(\.name).joined(separator: ",") }
}

/// Ties, each once, with commas.
struct TieList: ArgumentValue {
  let values: [UnitTie]
  static let rule = "different ones of \(UnitTie.allCases.map(\.rawValue).joined(separator: ", ")), with commas"

  init?(argument: String) {
    guard let values = distinct(argument, UnitTie.init(rawValue:)) else { return nil }
    self.values = values
  }
  var argumentText: String { values.map(\.rawValue).joined(separator: ",") }
}

/// The parts between commas, each accepted and each once; nil otherwise.
private func distinct<Value: Hashable>(_ argument: String, _ read: (String) -> Value?) -> [Value]? {
  let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { read(String($0)) }
  let values = parts.compactMap { $0 }
  return values.count == parts.count && Set(values).count == values.count ? values : nil
}
