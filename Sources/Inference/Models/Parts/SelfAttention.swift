/// The part of a block between its query, key and value layers and its output layer: positions, scores, mixing.
struct SelfAttention: Sendable {
  private let headDimension: Int
  private let keyValueHeadCount: Int
  private let scoreRules: [CausalAttention.ScoreRule]
  /// nil: positions are part of the embedding.
  private let rotary: RotaryPositions?
  private let arithmetic: Arithmetic

  init(_ c: ModelConfiguration, rotary: RotaryPositions?, arithmetic: Arithmetic) {
    headDimension = c.headDimension
    keyValueHeadCount = c.keyValueHeadCount
    scoreRules = c.scoreRules
    self.rotary = rotary
    self.arithmetic = arithmetic
  }

  /// Bytes of the rotary tables.
  var byteCount: Int { rotary?.byteCount ?? 0 }

  /// The mixed values [n, heads · headDimension].
  ///
  /// - Parameters:
  ///   - queries: [n, heads · headDimension]; rotated in place.
  ///   - keys: [n, keyValueHeads · headDimension]; rotated in place.
  ///   - values: [n, keyValueHeads · headDimension].
  ///   - cache: nil: the rows are one sequence from its first token on; else see `KeyValueCache`.
  func mix(block: Int, queries: Matrix, keys: Matrix, values: Matrix, cache: KeyValueCache?) -> Matrix {
    if let rotary {
      let table =
        cache.map { rotary.table(length: $0.capacity).repeating(position: $0.position, count: $0.laneCount) }
        ?? rotary.table(length: queries.rows)
      VectorKernels.rotate(queries, by: table)
      VectorKernels.rotate(keys, by: table)
    }
    guard let cache else {
      return CausalAttention.apply(
        queries: queries, keys: keys, values: values, headDimension: headDimension,
        keyValueHeadCount: keyValueHeadCount, scores: scoreRules[block], arithmetic: arithmetic)
    }
    let result = Matrix(uninitializedRows: queries.rows, columns: queries.columns)
    let all = 0..<queries.columns
    cache.forEachLane(ofBlock: block, adding: keys, values) { lane, keys, values in
      CausalAttention.apply(
        queries: queries.panel(rows: lane..<lane + 1, columns: all), firstPosition: cache.position, keys: keys,
        values: values, headDimension: headDimension, keyValueHeadCount: keyValueHeadCount, scores: scoreRules[block],
        arithmetic: arithmetic, into: result.panel(rows: lane..<lane + 1, columns: all))
    }
    return result
  }
}
