/// The biases of a model's layers; they are not compressed.
struct LayerBiases: Sendable {
  /// By layer index.
  private let biases: [Matrix?]

  /// Reads the bias beside each layer for which `has` holds.
  init(_ checkpoint: Checkpoint, _ layers: [LayerDescription], where has: (LayerDescription) -> Bool) throws {
    biases = try layers.map { layer in
      has(layer) ? try checkpoint.vector(layer.name + ".bias", count: layer.outputCount) : nil
    }
  }

  /// Layer `index` with its packed weight [out, in] on `x` [n, in].
  func linear(_ x: Matrix, _ index: Int, _ weight: (Int) throws -> PackedWeights) throws -> Matrix {
    let y = MatrixProduct.linear(x, try weight(index))
    if let bias = biases[index] { VectorKernels.addBias(y, bias) }
    return y
  }
}
