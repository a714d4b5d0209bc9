/// The OPT family: learned positions, layer norms before each half of a block, biases, ReLU (transformers'
/// `modeling_opt.py`; Zhang et al. 2022).
///
/// The variants that only OPT-350m has (norms after each half, embeddings narrower than the stream) are refused.
struct OPT: LanguageModel {
  /// Positions are looked up this many rows further on: a relic of padding indices in fairseq.
  private static let positionOffset = 2
  /// `torch.nn.LayerNorm`'s default, which OPT does not change.
  private static let normEpsilon: Float = 1e-5

  private struct Norm: Sendable {
    var weight: Matrix
    var bias: Matrix

    func apply(_ x: Matrix) -> Matrix {
      VectorKernels.layerNorm(x, weight: weight, bias: bias, epsilon: OPT.normEpsilon)
    }
  }

  private let configuration: ModelConfiguration
  private let vocabulary: Vocabulary
  /// [maximumLength, hidden]: the offset is cut off.
  private let positions: Matrix
  private let norms: [(attention: Norm, mlp: Norm)]
  private let finalNorm: Norm
  private let biases: LayerBiases
  private let attention: SelfAttention
  /// q, k, v, out, fc1, fc2 of each block.
  let layers: [LayerDescription]
  /// Four inputs a block: of q, k, v; of out; of fc1; of fc2.
  let sites: [SiteDescription]

  var blockCount: Int { configuration.blockCount }
  var hiddenSize: Int { configuration.hiddenSize }
  var vocabularySize: Int { configuration.vocabularySize }
  var maximumLength: Int { configuration.maximumPositions }
  var keyValueCount: Int { 2 * configuration.keyValueWidth }
  var residentByteCount: Int { vocabulary.byteCount + positions.byteCount }

  init(_ checkpoint: Checkpoint, _ settings: ForwardSettings) throws {
    let c = checkpoint.configuration
    configuration = c
    vocabulary = try Vocabulary(checkpoint, Self.tensorNames, arithmetic: settings.arithmetic)
    let table = try checkpoint.matrix(
      "model.decoder.embed_positions.weight", rows: c.maximumPositions + Self.positionOffset, columns: c.hiddenSize)
    positions = Matrix.gatherRows(of: table, (0..<c.maximumPositions).map { Int32($0 + Self.positionOffset) })
    func norm(_ name: String) throws -> Norm {
      Norm(
        weight: try checkpoint.vector("model.decoder.\(name).weight", count: c.hiddenSize),
        bias: try checkpoint.vector("model.decoder.\(name).bias", count: c.hiddenSize))
    }
    norms = try (0..<c.blockCount).map { block in
      (try norm("layers.\(block).self_attn_layer_norm"), try norm("layers.\(block).final_layer_norm"))
    }
    finalNorm = try norm("final_layer_norm")
    let layout = BlockLayout(
      prefix: "model.decoder.layers",
      layers: [
        .init(.attention, "self_attn.q_proj", site: 0, outputCount: c.hiddenSize),
        .init(.attention, "self_attn.k_proj", site: 0, outputCount: c.hiddenSize),
        .init(.attention, "self_attn.v_proj", site: 0, outputCount: c.hiddenSize),
        .init(.attention, "self_attn.out_proj", site: 1, outputCount: c.hiddenSize),
        .init(.mlp, "fc1", site: 2, outputCount: c.intermediateSize),
        .init(.mlp, "fc2", site: 3, outputCount: c.hiddenSize),
      ],
      sites: BlockLayout.sites(
        hiddenSize: c.hiddenSize, attentionWidth: c.hiddenSize, intermediateSize: c.intermediateSize))
    (layers, sites) = layout.describe(blockCount: c.blockCount)
    biases = try LayerBiases(checkpoint, layers) { _ in c.mlpBias }
    attention = SelfAttention(c, rotary: nil, arithmetic: settings.arithmetic)
  }

  func embed(_ tokenIDs: [Int32], cache: KeyValueCache?) -> Matrix {
    let stream = vocabulary.embed(tokenIDs)
    VectorKernels.add(stream, Matrix.gatherRows(of: positions, tokenIDs.indices.map { Int32(cache?.position ?? $0) }))
    return stream
  }

  func block(
    _ index: Int, _ x: Matrix, weight: (Int) throws -> PackedWeights, dropped: Set<Subblock>,
    tap: ((Int, Matrix) throws -> Void)?, cache: KeyValueCache?
  ) throws -> Matrix {
    let firstLayer = index * 6
    let firstSite = index * 4
    let stream = x.copy()
    if !dropped.contains(Subblock(blockIndex: index, half: .attention)) {
      let projections = try biases.project(
        stream, firstLayer..<firstLayer + 3, weight, tap: tap.map { tap in { try tap(firstSite, $0) } }
      ) { norms[index].attention.apply($0) }
      let mixed = attention.mix(
        block: index, queries: projections[0], keys: projections[1], values: projections[2], cache: cache)
      try tap?(firstSite + 1, mixed)
      try biases.add(mixed, firstLayer + 3, weight, to: stream)
    }
    if !dropped.contains(Subblock(blockIndex: index, half: .mlp)) {
      let (w1, w2) = (try weight(firstLayer + 4), try weight(firstLayer + 5))
      try RowStrips.forEach(rows: stream.rows, w1.arithmetic, isTapped: tap != nil) { rows in
        let strip = stream.strip(rows)
        let input = norms[index].mlp.apply(strip)
        try tap?(firstSite + 2, input)
        let inner = biases.linear(input, firstLayer + 4, w1)
        VectorKernels.relu(inner)
        try tap?(firstSite + 3, inner)
        VectorKernels.add(strip, biases.linear(inner, firstLayer + 5, w2))
      }
    }
    return stream
  }

  func finish(_ x: Matrix) -> Matrix { finalNorm.apply(x) }

  func logits(_ hidden: Matrix, rows: Range<Int>) -> Matrix { vocabulary.logits(hidden, rows: rows) }
}

extension OPT: ModelFamily {
  static let modelType: ByteString = "opt"
  static let revision = 1
  static let tensorNames = TensorNames(baseMembers: ["decoder"], embedding: "model.decoder.embed_tokens.weight")

  static func configuration(_ fields: ConfigurationFields) throws -> ModelConfiguration {
    try fields.requireArchitecture("OPTForCausalLM")
    try fields.refuseForeignCode()
    try fields.require("activation_function", "relu")
    try fields.requireTrue("do_layer_norm_before")
    try fields.requireTrue("layer_norm_elementwise_affine")
    try fields.requireFalse("_remove_final_layer_norm")
    try fields.requireFullAttention()
    let hiddenSize = try fields.count("hidden_size")
    guard try fields.count("word_embed_proj_dim", default: hiddenSize) == hiddenSize else {
      throw fields.unsupported("word_embed_proj_dim", rule: "only hidden_size (\(hiddenSize)) is implemented")
    }
    let headCount = try fields.count("num_attention_heads")
    guard hiddenSize % headCount == 0 else {
      throw fields.invalid("num_attention_heads", rule: "must divide hidden_size (\(hiddenSize)), is \(headCount)")
    }
    var configuration = ModelConfiguration(
      architecture: architecture, hiddenSize: hiddenSize, intermediateSize: try fields.count("ffn_dim"),
      blockCount: try fields.count("num_hidden_layers", limit: ConfigurationFields.largestListCount),
      headCount: headCount, keyValueHeadCount: headCount,
      headDimension: hiddenSize / headCount, vocabularySize: try fields.count("vocab_size"),
      maximumPositions: try fields.count("max_position_embeddings", default: 2048),
      normEpsilon: Double(normEpsilon), ropeTheta: 0,
      tiedEmbeddings: try fields.flag("tie_word_embeddings", default: true))
    configuration.learnedPositions = true
    configuration.mlpBias = try fields.flag("enable_bias", default: true)
    configuration.attentionInputBias = configuration.mlpBias
    configuration.attentionOutputBias = configuration.mlpBias
    return configuration
  }

  static func open(_ checkpoint: Checkpoint, _ settings: ForwardSettings) throws -> any LanguageModel {
    try OPT(checkpoint, settings)
  }
}
