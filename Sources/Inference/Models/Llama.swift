/// The Llama architecture: pre-norm blocks, rotary positions, grouped-query attention, SwiGLU (transformers'
/// `modeling_llama.py`).
public struct Llama: LanguageModel {
  /// Raised when results change beyond rounding.
  public static let revision = 1

  private struct Norms: Sendable {
    var attention: Matrix
    var mlp: Matrix
  }

  private let configuration: ModelConfiguration
  private let embedding: Matrix
  private let norms: [Norms]
  private let finalNorm: Matrix
  private let head: Matrix
  private let rotary: RotaryTable
  /// All compressible layers: q, k, v, o, gate, up, down of each block.
  public let layers: [LayerDescription]
  /// Four inputs a block: of q, k, v; of o; of gate, up; of down.
  public let sites: [SiteDescription]

  /// Transformer blocks.
  public var blockCount: Int { configuration.blockCount }
  /// Width of the residual stream.
  public var hiddenSize: Int { configuration.hiddenSize }
  /// Tokens in the vocabulary.
  public var vocabularySize: Int { configuration.vocabularySize }
  /// The longest sequence the configuration allows.
  public var maximumLength: Int { configuration.maximumPositions }
  /// Bytes of embedding, head and rotary tables; the norms are too small to count.
  public var residentByteCount: Int {
    embedding.byteCount + (configuration.tiedEmbeddings ? 0 : head.byteCount) + rotary.cosine.byteCount * 2
  }

  /// Reads everything but the compressible layers.
  ///
  /// - Parameter longestSequence: positions to prepare for; at most `maximumLength`.
  /// - Throws: `InferenceError` for missing tensors, wrong shapes and values that are not finite.
  public init(_ checkpoint: Checkpoint, longestSequence: Int) throws {
    let c = checkpoint.configuration
    let rotary = RotaryTable(
      positions: min(longestSequence, c.maximumPositions), headDimension: c.headDimension, theta: c.ropeTheta)
    try self.init(checkpoint, rotary: rotary)
  }

  /// The same with rotary positions from outside.
  init(_ checkpoint: Checkpoint, rotary: RotaryTable) throws {
    let c = checkpoint.configuration
    configuration = c
    self.rotary = rotary
    let embedding = try checkpoint.matrix("model.embed_tokens.weight", rows: c.vocabularySize, columns: c.hiddenSize)
    self.embedding = embedding
    norms = try (0..<c.blockCount).map { block in
      Norms(
        attention: try checkpoint.vector("model.layers.\(block).input_layernorm.weight", count: c.hiddenSize),
        mlp: try checkpoint.vector("model.layers.\(block).post_attention_layernorm.weight", count: c.hiddenSize))
    }
    finalNorm = try checkpoint.vector("model.norm.weight", count: c.hiddenSize)
    head =
      c.tiedEmbeddings
      ? embedding : try checkpoint.matrix("lm_head.weight", rows: c.vocabularySize, columns: c.hiddenSize)
    (layers, sites) = Self.describe(c)
  }

  /// The compressible layers and their sites, in the order the reference compresses them.
  static func describe(_ c: ModelConfiguration) -> (layers: [LayerDescription], sites: [SiteDescription]) {
    let attentionWidth = c.headCount * c.headDimension
    let keyValueWidth = c.keyValueHeadCount * c.headDimension
    // (half, role, site of the block, rows, columns)
    let roles: [(Subblock.Half, String, String, Int, Int, Int)] = [
      (.attention, "self_attn", "q_proj", 0, attentionWidth, c.hiddenSize),
      (.attention, "self_attn", "k_proj", 0, keyValueWidth, c.hiddenSize),
      (.attention, "self_attn", "v_proj", 0, keyValueWidth, c.hiddenSize),
      (.attention, "self_attn", "o_proj", 1, c.hiddenSize, attentionWidth),
      (.mlp, "mlp", "gate_proj", 2, c.intermediateSize, c.hiddenSize),
      (.mlp, "mlp", "up_proj", 2, c.intermediateSize, c.hiddenSize),
      (.mlp, "mlp", "down_proj", 3, c.hiddenSize, c.intermediateSize),
    ]
    let inputs = [
      ("self_attn.in", c.hiddenSize), ("self_attn.o_in", attentionWidth), ("mlp.in", c.hiddenSize),
      ("mlp.down_in", c.intermediateSize),
    ]
    var layers: [LayerDescription] = []
    var sites: [SiteDescription] = []
    for block in 0..<c.blockCount {
      for (half, parent, role, site, rows, columns) in roles {
        layers.append(
          LayerDescription(
            index: layers.count, name: "model.layers.\(block).\(parent).\(role)",
            subblock: Subblock(blockIndex: block, half: half), role: role, siteIndex: block * inputs.count + site,
            outputCount: rows, inputCount: columns))
      }
      for (name, width) in inputs {
        sites.append(
          SiteDescription(index: sites.count, name: "model.layers.\(block).\(name)", blockIndex: block, width: width))
      }
    }
    return (layers, sites)
  }

  /// The residual stream [n, hidden] of token ids below `vocabularySize`.
  public func embed(_ tokenIDs: [Int32]) -> Matrix {
    Matrix.gatherRows(of: embedding, tokenIDs)
  }

  /// The residual stream [n, hidden] after block `index`: attention, then MLP, each behind its norm.
  public func block(
    _ index: Int, _ x: Matrix, weight: (Int) throws -> Matrix, dropped: Set<Subblock>,
    tap: ((Int, Matrix) -> Void)?
  ) throws -> Matrix {
    let epsilon = Float(configuration.normEpsilon)
    let firstLayer = index * 7
    let firstSite = index * 4
    let stream = x.copy()
    if !dropped.contains(Subblock(blockIndex: index, half: .attention)) {
      let input = VectorKernels.rmsNorm(stream, weight: norms[index].attention, epsilon: epsilon)
      tap?(firstSite, input)
      let queries = BLAS.linear(input, try weight(firstLayer))
      let keys = BLAS.linear(input, try weight(firstLayer + 1))
      let values = BLAS.linear(input, try weight(firstLayer + 2))
      VectorKernels.rotate(queries, by: rotary)
      VectorKernels.rotate(keys, by: rotary)
      let mixed = CausalAttention.apply(
        queries: queries, keys: keys, values: values, headDimension: configuration.headDimension,
        keyValueHeadCount: configuration.keyValueHeadCount)
      tap?(firstSite + 1, mixed)
      VectorKernels.add(stream, BLAS.linear(mixed, try weight(firstLayer + 3)))
    }
    if !dropped.contains(Subblock(blockIndex: index, half: .mlp)) {
      let input = VectorKernels.rmsNorm(stream, weight: norms[index].mlp, epsilon: epsilon)
      tap?(firstSite + 2, input)
      let gate = BLAS.linear(input, try weight(firstLayer + 4))
      VectorKernels.siluMultiply(gate, BLAS.linear(input, try weight(firstLayer + 5)))
      tap?(firstSite + 3, gate)
      VectorKernels.add(stream, BLAS.linear(gate, try weight(firstLayer + 6)))
    }
    return stream
  }

  /// The last hidden state [n, hidden], after the final norm.
  public func finish(_ x: Matrix) -> Matrix {
    VectorKernels.rmsNorm(x, weight: finalNorm, epsilon: Float(configuration.normEpsilon))
  }

  /// Logits [rows, vocabulary] of some rows of the last hidden state.
  public func logits(_ hidden: Matrix, rows: Range<Int>) -> Matrix {
    let result = Matrix(uninitializedRows: rows.count, columns: head.rows)
    BLAS.multiply(
      hidden.panel(rows: rows, columns: 0..<hidden.columns), transposed: false, head.panel, transposed: true,
      into: result.panel)
    return result
  }
}
