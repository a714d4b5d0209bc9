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

  /// Layers `indices`, which share an input, on what `input` makes of the rows of a stream [n, hidden]: [n, out] each.
  ///
  /// - Parameter tap: called with the whole shared input.
  func project(
    _ stream: Matrix, _ indices: Range<Int>, _ weight: (Int) throws -> PackedWeights, tap: ((Matrix) throws -> Void)?,
    input: @escaping (Matrix) -> Matrix
  ) throws -> [Matrix] {
    let weights = try indices.map(weight)
    let results = weights.map { Matrix(uninitializedRows: stream.rows, columns: $0.columns) }
    try RowStrips.forEach(rows: stream.rows, weights[0].arithmetic, isTapped: tap != nil) { rows in
      let input = input(stream.strip(rows))
      try tap?(input)
      linear(input, indices, weights, into: results.map { $0.strip(rows) })
    }
    return results
  }

  /// `stream ← stream + finish(y)`, y being layer `index` on `x` [n, in].
  func add(
    _ x: Matrix, _ index: Int, _ weight: (Int) throws -> PackedWeights, to stream: Matrix,
    finish: @escaping (Matrix) -> Matrix = { $0 }
  ) throws {
    let weight = try weight(index)
    try RowStrips.forEach(rows: stream.rows, weight.arithmetic, isTapped: false) { rows in
      VectorKernels.add(stream.strip(rows), finish(linear(x.strip(rows), index, weight)))
    }
  }

  /// Layer `index` with its packed weight [out, in] on `x` [n, in].
  func linear(_ x: Matrix, _ index: Int, _ weight: PackedWeights) -> Matrix {
    linear(x, index..<index + 1, [weight])[0]
  }

  /// Layers `indices`, which share their input `x` [n, in]: [n, out] each.
  func linear(_ x: Matrix, _ indices: Range<Int>, _ weights: [PackedWeights]) -> [Matrix] {
    let results = weights.map { Matrix(uninitializedRows: x.rows, columns: $0.columns) }
    linear(x, indices, weights, into: results)
    return results
  }

  private func linear(_ x: Matrix, _ indices: Range<Int>, _ weights: [PackedWeights], into results: [Matrix]) {
    MatrixProduct.linear(x, weights, into: results)
    for (index, result) in zip(indices, results) {
      if let bias = biases[index] { VectorKernels.addBias(result, bias) }
    }
  }
}
