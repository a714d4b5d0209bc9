import Inference

/// Floating-point operations of evaluating one candidate on one sequence, a multiplication and an addition counted as two.
struct ForwardWork {
  /// Linear layers of all blocks.
  var linear: Double
  /// Scores and mixing of causal attention: every query with itself and the keys before it, no others.
  var attention: Double
  /// Logits of all positions that predict something.
  var head: Double

  /// Norms, rotation, softmax, the activation, KL and likelihood are not counted: they are work, but no products.
  init(model: any LanguageModel, tokenCount n: Int) {
    let weights = model.layers.reduce(0) { $0 + $1.outputCount * $1.inputCount }
    linear = 2 * Double(weights) * Double(n)
    let pairs = Double(n * (n + 1) / 2)
    let widths = model.layers.filter { $0.role == "o_proj" }.reduce(0) { $0 + $1.inputCount }
    attention = 4 * pairs * Double(widths)
    head = 2 * Double(model.hiddenSize * model.vocabularySize) * Double(n - 1)
  }

  var total: Double { linear + attention + head }
}
