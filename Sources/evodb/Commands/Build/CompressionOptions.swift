import Catalog
import Inference

/// Options of every verb that quantizes.
struct QuantizationOptions: ArgumentGroup {
  @Option("--bits", "LIST", "Bit-widths to build, 1 to 8.", rule: .each(within: 1...8))
  var bits: IntegerList = IntegerList([2, 3, 4, 5, 6])

  @Option("--group-size", "N", "Inputs that share a scale and a zero point; 0: the whole row.", rule: .atLeast(0))
  var quantizationGroupSize: Int = 128

  @Flag("--symmetric", "A grid centred on zero instead of minimum to maximum.") var isSymmetric: Bool
  @Flag("--activation-order", "Take the inputs by falling Hessian diagonal (gptq).") var usesActivationOrder: Bool

  @Option("--damping", "X", "Share of the mean Hessian diagonal added to it (gptq, sparsegpt).", rule: .atLeast(0))
  var dampingFraction: Double = 0.01

  @Option("--scale-type", "TYPE", "Type of the stored scales: float16 or float32.")
  var scaleType: QuantizationParameters.ScaleType = .float16

  /// The method's parameters.
  var parameters: QuantizationParameters {
    QuantizationParameters(
      bits: 3, symmetric: isSymmetric, quantizationGroupSize: quantizationGroupSize,
      activationOrder: usesActivationOrder, dampingFraction: dampingFraction, scaleType: scaleType)
  }
}

/// Options of every verb that prunes.
struct SparsityOptions: ArgumentGroup {
  @Option(
    "--sparsity", "LIST", "Shares of zeros to build, 0 to 1 (sparsegpt, wanda, magnitude).", rule: .each(within: 0...1))
  var sparsities: NumberList?

  @Option(
    "--step-weights", "N",
    "Levels around one --sparsity that are N weights apart in every layer, so that any two layers can switch exactly. "
      + "[default with --levels: min(S, 1 - S) / 16 of the hidden size squared]", rule: .atLeast(1))
  var stepWeightCount: Int?

  @Option(
    "--levels", "K",
    "Levels to each side of --sparsity; a layer has those within 0 and 1. [default with --step-weights: 8]",
    rule: .atLeast(1))
  var levelCount: Int?

  @Option("--pattern", "LIST", "Semi-structured levels N:M, N of M neighbouring weights kept: 2:4, 4:8.")
  var patterns: PatternList?

  /// The levels asked for.
  ///
  /// - Throws: `UsageError` if options contradict each other; `InferenceError.impossible` with the feasible range.
  func rules(layers: [LayerRecord], hiddenSize: Int) throws -> [LevelRule] {
    let shares = sparsities?.values ?? []
    var rules: [LevelRule]
    if stepWeightCount != nil || levelCount != nil {
      guard shares.count == 1 else {
        throw UsageError("--step-weights and --levels need exactly one --sparsity, not \(shares.count)")
      }
      rules = try SparsitySteps(
        sparsity: shares[0], levelCount: levelCount ?? SparsitySteps.standardLevelCount,
        stepWeightCount: stepWeightCount
      ).rules(layers: layers, hiddenSize: hiddenSize)
    } else {
      rules = shares.map { .sparsity($0) }
    }
    rules += (patterns?.values ?? []).map { .pattern($0) }
    guard !rules.isEmpty else {
      throw UsageError("a pruning method needs levels: --sparsity 0.5, --sparsity 0.5 --levels 8, or --pattern 2:4")
    }
    return rules
  }
}

/// The methods of `build`, by the names that the catalog uses.
enum BuildMethod: String, ArgumentChoice {
  case gptq, rtn, sparsegpt, wanda, magnitude

  /// The method with what the options say of it.
  ///
  /// - Throws: `UsageError` if an option is given that it does not read.
  func method(_ quantization: QuantizationOptions, _ sparsity: SparsityOptions) throws -> CompressionMethod {
    if let algorithm = QuantizationMethod.Algorithm(rawValue: rawValue) {
      let foreign: [any DeclaredArgument] = [
        sparsity.$sparsities, sparsity.$stepWeightCount, sparsity.$levelCount, sparsity.$patterns,
      ]
      try refuse(foreign, "for sparsegpt, wanda and magnitude; \(rawValue) takes --bits")
      return .quantization(QuantizationMethod(algorithm, parameters: quantization.parameters))
    }
    guard let algorithm = SparsificationMethod.Algorithm(rawValue: rawValue) else {
      preconditionFailure("\(rawValue) is one of the two kinds")
    }
    let foreign: [any DeclaredArgument] = [
      quantization.$bits, quantization.$quantizationGroupSize, quantization.$isSymmetric,
      quantization.$usesActivationOrder, quantization.$scaleType,
    ]
    try refuse(foreign, "for gptq and rtn; \(rawValue) takes --sparsity or --pattern")
    guard algorithm == .sparsegpt else {
      try refuse([quantization.$dampingFraction], "for gptq and sparsegpt")
      return .sparsification(SparsificationMethod(algorithm))
    }
    return .sparsification(SparsificationMethod(algorithm, dampingFraction: quantization.dampingFraction))
  }

  private func refuse(_ arguments: [any DeclaredArgument], _ reason: String) throws {
    if let given = arguments.first(where: \.wasGiven) {
      throw UsageError("\(given.specification.name) is \(reason)")
    }
  }
}

/// Options of every verb that calibrates.
struct CalibrationOptions: ArgumentGroup {
  @Option(
    "--upstream", "HOW",
    "How earlier blocks are treated: dense, METHOD:BITS[,group-size=N,…] or METHOD:SPARSITY. "
      + "[default: gptq:3; dense for sparsegpt and wanda]")
  var upstream: String?

  @Option("--keep-statistics", "WHAT", "What to keep of the Hessians: all, diagonal or none.")
  var keeps: KeptStatistics = .all

  /// The treatment of earlier blocks, by default as the reference does it for the method.
  ///
  /// - Throws: `UsageError`.
  func treatment(for method: CompressionMethod?) throws -> Upstream {
    guard let upstream else {
      if case .sparsification = method { return .dense }
      return .standard
    }
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

extension QuantizationParameters.ScaleType: ArgumentChoice {}
extension KeptStatistics: ArgumentChoice {}
extension QuantizationMethod.Algorithm: ArgumentChoice {}
extension TextSequences.BeginningOfSequence: ArgumentChoice {}
extension TextSequences.Documents: ArgumentChoice {}
