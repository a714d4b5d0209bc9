/// The share of outliers among a block's weights, as OWL counts them (arXiv 2310.05175, section 3.2).
enum OutlierRatio {
  /// The share of |W|·√diag(H) that lies above each multiple of their mean over all layers of the block.
  ///
  /// - Parameters:
  ///   - layers: weight [out, in] and diagonal of the input's Hessian [in]; a factor common to all diagonals is of no effect.
  ///   - multiples: M.
  static func ratios(of layers: [(weight: Matrix, diagonal: [Float])], multiples: [Int]) -> [Double] {
    var sum = 0.0
    var count = 0
    for layer in layers {
      let scales = layer.diagonal.map { Double($0).squareRoot() }
      count += layer.weight.rows * layer.weight.columns
      for row in 0..<layer.weight.rows {
        for column in 0..<layer.weight.columns { sum += Double(abs(layer.weight[row, column])) * scales[column] }
      }
    }
    guard count > 0 else { return multiples.map { _ in 0 } }
    let limits = multiples.map { Double($0) * sum / Double(count) }
    var above = [Int](repeating: 0, count: multiples.count)
    for layer in layers {
      let scales = layer.diagonal.map { Double($0).squareRoot() }
      for row in 0..<layer.weight.rows {
        for column in 0..<layer.weight.columns {
          let value = Double(abs(layer.weight[row, column])) * scales[column]
          for (index, limit) in limits.enumerated() where value > limit { above[index] += 1 }
        }
      }
    }
    return above.map { Double($0) / Double(count) }
  }
}
