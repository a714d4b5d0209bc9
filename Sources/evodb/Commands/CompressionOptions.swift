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

  @Option("--damping", "X", "Share of the mean Hessian diagonal added to it (gptq).", rule: .atLeast(0))
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

/// Options of every verb that calibrates.
struct CalibrationOptions: ArgumentGroup {
  @Option("--upstream", "HOW", "How earlier blocks are treated: dense, or METHOD:BITS[,group-size=N,…].")
  var upstream: String = "gptq:3"

  @Option("--keep-statistics", "WHAT", "What to keep of the Hessians: all, diagonal or none.")
  var keeps: KeptStatistics = .all

  /// The treatment of earlier blocks.
  ///
  /// - Throws: `UsageError`.
  var treatment: Upstream {
    get throws {
      do {
        return try Upstream(upstream)
      } catch let error as InferenceError {
        throw UsageError("--upstream: \(error)")
      }
    }
  }
}

/// The option of every verb that works on some layers only.
struct LayerOptions: ArgumentGroup {
  @Option(
    "--layers", "REGEX",
    "Layers to compress, by a regular expression found in their names; others stay dense [default: all].")
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
