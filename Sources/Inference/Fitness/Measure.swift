import Foundation

/// A measure of fitness; lower is better. All are means over the predicted tokens; the last position of a sequence
/// predicts nothing.
public enum Measure: Hashable, Sendable, CustomStringConvertible {
  /// KL(dense ‖ candidate) over the whole vocabulary, in nats.
  case kl
  /// The same over the dense model's k most likely tokens of each position, both distributions renormalised over them.
  case topKKL(k: Int)
  /// exp of the mean negative log-likelihood; sums are in nats.
  case perplexity
  /// Negative log-likelihood of the tokens from an index on, given those before it: how multiple-choice tasks ask. Only its
  /// sum is of use; the last token is predicted, never fed.
  case continuation(firstToken: Int)

  /// Raised when results change beyond rounding.
  public static let revision = 1

  /// `kl`, `topk-kl`, `perplexity`, `continuation`.
  public var name: String {
    switch self {
    case .kl: return "kl"
    case .topKKL: return "topk-kl"
    case .perplexity: return "perplexity"
    case .continuation: return "continuation"
    }
  }

  /// k of `topk-kl`.
  public var topK: Int? {
    if case .topKKL(let k) = self { return k }
    return nil
  }

  /// The first token of `continuation`.
  public var firstToken: Int? {
    if case .continuation(let index) = self { return index }
    return nil
  }

  /// Whether it compares with the dense model.
  public var needsTeacher: Bool {
    switch self {
    case .kl, .topKKL: return true
    case .perplexity, .continuation: return false
    }
  }

  /// How many predictions it sums up on a sequence.
  public func predictionCount(tokenCount: Int) -> Int { tokenCount - (firstToken ?? 1) }

  /// The name with its parameter, as `init(_:)` reads it: `topk-kl:10`.
  public var description: String { topK.map { "\(name):\($0)" } ?? name }

  /// From `kl`, `topk-kl`, `topk-kl:K`, `perplexity`, or a label in any arithmetic.
  ///
  /// - Throws: `InferenceError.impossible` for anything else.
  public init(_ text: String) throws {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
    switch (Arithmetic.bareName(ofMeasure: parts[0]), parts.count > 1 ? Int(parts[1]) : nil, parts.count) {
    case ("kl", _, 1): self = .kl
    case ("perplexity", _, 1): self = .perplexity
    case ("topk-kl", _, 1): self = .topKKL(k: 10)
    case ("topk-kl", let k?, 2) where k >= 2: self = .topKKL(k: k)
    default:
      throw InferenceError.impossible(
        detail: "no measure \(text); there are kl, topk-kl, topk-kl:K (K at least 2) and perplexity")
    }
  }

  /// The value of a sum over `predictionCount` predictions.
  public func value(sum: Double, predictionCount: Int) -> Double {
    let mean = sum / Double(predictionCount)
    return self == .perplexity ? ElementaryFunctions.exp(mean) : mean
  }
}

extension Arithmetic {
  /// What the names of measures have behind them: answers in bfloat16 are answers to questions of their own, while those of
  /// all float32 products differ by rounding only and stand for each other.
  var measureSuffix: String { self == .bfloat16 ? "-\(rawValue)" : "" }

  /// The arithmetic that the label of a measure names; nil: any in float32.
  public init?(measureLabel label: String) {
    let name = label.prefix { $0 != ":" }
    guard name.hasSuffix(Arithmetic.bfloat16.measureSuffix) else { return nil }
    self = .bfloat16
  }

  /// The name of a measure without its arithmetic.
  fileprivate static func bareName(ofMeasure name: String) -> String {
    let suffix = Arithmetic.bfloat16.measureSuffix
    return name.hasSuffix(suffix) ? String(name.dropLast(suffix.count)) : name
  }
}
