/// The Llama architecture: pre-norm blocks, rotary positions, grouped-query attention, SwiGLU (transformers'
/// `modeling_llama.py`).
///
/// It also computes Mistral, Qwen2 and Qwen3, which have its layers under its names and add biases, norms of heads or
/// windows to them, as their configurations say.
public struct Llama: LanguageModel {
  private struct Norms: Sendable {
    var attention: Matrix
    var mlp: Matrix
    /// Of each query head and of each key head; nil: none.
    var heads: (query: Matrix, key: Matrix)?
  }

  private let configuration: ModelConfiguration
  private let vocabulary: Vocabulary
  private let norms: [Norms]
  private let finalNorm: Matrix
  private let biases: LayerBiases
  private let attention: SelfAttention
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
  /// Keys and values of a token in a block.
  public var keyValueCount: Int { 2 * configuration.keyValueWidth }
  /// Bytes of embedding, head and rotary tables; the norms and biases are too small to count.
  public var residentByteCount: Int { vocabulary.byteCount + attention.byteCount }

  /// Reads everything but the compressible layers.
  ///
  /// - Throws: `InferenceError` for missing tensors, wrong shapes and values that are not finite.
  init(_ checkpoint: Checkpoint, _ settings: ForwardSettings) throws {
    let c = checkpoint.configuration
    configuration = c
    // First: it holds the configuration's widths against the file before anything is made of them.
    vocabulary = try Vocabulary(checkpoint, arithmetic: settings.arithmetic)
    attention = SelfAttention(c, rotary: RotaryPositions(c, settings), arithmetic: settings.arithmetic)
    norms = try (0..<c.blockCount).map { block in
      let name = "model.layers.\(block)"
      return Norms(
        attention: try checkpoint.vector("\(name).input_layernorm.weight", count: c.hiddenSize),
        mlp: try checkpoint.vector("\(name).post_attention_layernorm.weight", count: c.hiddenSize),
        heads: !c.queryKeyNorm
          ? nil
          : (
            try checkpoint.vector("\(name).self_attn.q_norm.weight", count: c.headDimension),
            try checkpoint.vector("\(name).self_attn.k_norm.weight", count: c.headDimension)
          ))
    }
    finalNorm = try checkpoint.vector("model.norm.weight", count: c.hiddenSize)
    (layers, sites) = Self.layout(c).describe(blockCount: c.blockCount)
    biases = try LayerBiases(checkpoint, layers) { layer in
      switch layer.role {
      case "q_proj", "k_proj", "v_proj": c.attentionInputBias
      case "o_proj": c.attentionOutputBias
      default: c.mlpBias
      }
    }
  }

  /// A block's compressible layers and their sites, in the order the reference compresses them.
  private static func layout(_ c: ModelConfiguration) -> BlockLayout {
    BlockLayout(
      layers: [
        .init(.attention, "self_attn.q_proj", site: 0, outputCount: c.attentionWidth),
        .init(.attention, "self_attn.k_proj", site: 0, outputCount: c.keyValueWidth),
        .init(.attention, "self_attn.v_proj", site: 0, outputCount: c.keyValueWidth),
        .init(.attention, "self_attn.o_proj", site: 1, outputCount: c.hiddenSize),
        .init(.mlp, "mlp.gate_proj", site: 2, outputCount: c.intermediateSize),
        .init(.mlp, "mlp.up_proj", site: 2, outputCount: c.intermediateSize),
        .init(.mlp, "mlp.down_proj", site: 3, outputCount: c.hiddenSize),
      ],
      sites: BlockLayout.sites(
        hiddenSize: c.hiddenSize, attentionWidth: c.attentionWidth, intermediateSize: c.intermediateSize))
  }

  /// The residual stream [n, hidden] of token ids below `vocabularySize`.
  public func embed(_ tokenIDs: [Int32], cache: KeyValueCache?) -> Matrix {
    vocabulary.embed(tokenIDs)
  }

  /// The residual stream [n, hidden] after block `index`: attention, then MLP, each behind its norm.
  public func block(
    _ index: Int, _ x: Matrix, weight: (Int) throws -> PackedWeights, dropped: Set<Subblock>,
    tap: ((Int, Matrix) throws -> Void)?, cache: KeyValueCache?
  ) throws -> Matrix {
    let epsilon = Float(configuration.normEpsilon)
    let firstLayer = index * 7
    let firstSite = index * 4
    let stream = x.copy()
    if !dropped.contains(Subblock(blockIndex: index, half: .attention)) {
      let projections = try biases.project(
        stream, firstLayer..<firstLayer + 3, weight, tap: tap.map { tap in { try tap(firstSite, $0) } }
      ) { VectorKernels.rmsNorm($0, weight: norms[index].attention, epsilon: epsilon) }
      var (queries, keys) = (projections[0], projections[1])
      if let heads = norms[index].heads {
        queries = VectorKernels.headNorm(queries, weight: heads.query, epsilon: epsilon)
        keys = VectorKernels.headNorm(keys, weight: heads.key, epsilon: epsilon)
      }
      let mixed = attention.mix(block: index, queries: queries, keys: keys, values: projections[2], cache: cache)
      try tap?(firstSite + 1, mixed)
      try biases.add(mixed, firstLayer + 3, weight, to: stream)
    }
    if !dropped.contains(Subblock(blockIndex: index, half: .mlp)) {
      let (wg, wu, wd) = (try weight(firstLayer + 4), try weight(firstLayer + 5), try weight(firstLayer + 6))
      let isFused = tap == nil && !configuration.mlpBias && GatedMLP.isAvailable(gate: wg)
      try RowStrips.forEach(
        rows: stream.rows, wg.arithmetic, isTapped: tap != nil,
        rowCount: isFused ? GatedMLP.rowCount : RowStrips.rowCount
      ) { rows in
        let strip = stream.strip(rows)
        let input = VectorKernels.rmsNorm(strip, weight: norms[index].mlp, epsilon: epsilon)
        guard !isFused else {
          GatedMLP.add(input, gate: wg, up: wu, down: wd, to: strip)
          return
        }
        try tap?(firstSite + 2, input)
        let halves = biases.linear(input, firstLayer + 4..<firstLayer + 6, [wg, wu])
        let gate = halves[0]
        VectorKernels.siluMultiply(gate, halves[1])
        try tap?(firstSite + 3, gate)
        VectorKernels.add(strip, biases.linear(gate, firstLayer + 6, wd))
      }
    }
    return stream
  }

  /// The last hidden state [n, hidden], after the final norm.
  public func finish(_ x: Matrix) -> Matrix {
    VectorKernels.rmsNorm(x, weight: finalNorm, epsilon: Float(configuration.normEpsilon))
  }

  /// Logits [rows, vocabulary] of some rows of the last hidden state.
  public func logits(_ hidden: Matrix, rows: Range<Int>) -> Matrix {
    vocabulary.logits(hidden, rows: rows)
  }
}

extension Llama: ModelFamily {
  static let modelType: ByteString = "llama"
  static let revision = 1

  static func configuration(_ fields: ConfigurationFields) throws -> ModelConfiguration {
    try fields.requireArchitecture("LlamaForCausalLM")
    try fields.refuseForeignCode()
    try fields.require("hidden_act", "silu")
    try fields.requireFullAttention()
    // pretraining_tp only splits the same products into slices; it changes no result beyond rounding.
    var configuration = try fields.decoder(
      architecture, ConfigurationFields.DecoderDefaults(maximumPositions: 2048, normEpsilon: 1e-6))
    configuration.attentionInputBias = try fields.flag("attention_bias")
    configuration.attentionOutputBias = configuration.attentionInputBias
    configuration.mlpBias = try fields.flag("mlp_bias")
    return configuration
  }

  static func open(_ checkpoint: Checkpoint, _ settings: ForwardSettings) throws -> any LanguageModel {
    try Llama(checkpoint, settings)
  }
}
