/// How a model is prepared for its forward passes.
struct ForwardSettings: Sendable {
  /// Positions to prepare for; more than the configuration allows count as that many.
  var longestSequence: Int
  /// The arithmetic of all products.
  var arithmetic: Arithmetic = .float32
  /// How rotary frequencies and the scale of embeddings are held.
  var constants: ConstantPrecision = .float32
}
