/// The Phi-3 family: Llama's blocks with queries, keys and values, and gate and up, stored as one layer each (transformers'
/// `modeling_phi3.py`). The fused layers are compressed as they are stored.
struct Phi3: LanguageModel {
  private struct Norms: Sendable {
    var attention: Matrix
    var mlp: Matrix
  }

  private let configuration: ModelConfiguration
  private let vocabulary: Vocabulary
  private let norms: [Norms]
  private let finalNorm: Matrix
  private let attention: SelfAttention
  /// qkv, o, gate_up, down of each block.
  let layers: [LayerDescription]
  /// Four inputs a block, one for each layer.
  let sites: [SiteDescription]

  var blockCount: Int { configuration.blockCount }
  var hiddenSize: Int { configuration.hiddenSize }
  var vocabularySize: Int { configuration.vocabularySize }
  var maximumLength: Int { configuration.maximumPositions }
  var keyValueCount: Int { 2 * configuration.keyValueWidth }
  var residentByteCount: Int { vocabulary.byteCount + attention.byteCount }

  init(_ checkpoint: Checkpoint, _ settings: ForwardSettings) throws {
    let c = checkpoint.configuration
    configuration = c
    // First: it holds the configuration's widths against the file before anything is made of them.
    vocabulary = try Vocabulary(checkpoint, arithmetic: settings.arithmetic)
    attention = SelfAttention(c, rotary: RotaryPositions(c, settings), arithmetic: settings.arithmetic)
    norms = try (0..<c.blockCount).map { block in
      Norms(
        attention: try checkpoint.vector("model.layers.\(block).input_layernorm.weight", count: c.hiddenSize),
        mlp: try checkpoint.vector("model.layers.\(block).post_attention_layernorm.weight", count: c.hiddenSize))
    }
    finalNorm = try checkpoint.vector("model.norm.weight", count: c.hiddenSize)
    let layout = BlockLayout(
      layers: [
        .init(.attention, "self_attn.qkv_proj", site: 0, outputCount: c.attentionWidth + 2 * c.keyValueWidth),
        .init(.attention, "self_attn.o_proj", site: 1, outputCount: c.hiddenSize),
        .init(.mlp, "mlp.gate_up_proj", site: 2, outputCount: 2 * c.intermediateSize),
        .init(.mlp, "mlp.down_proj", site: 3, outputCount: c.hiddenSize),
      ],
      sites: BlockLayout.sites(
        hiddenSize: c.hiddenSize, attentionWidth: c.attentionWidth, intermediateSize: c.intermediateSize))
    (layers, sites) = layout.describe(blockCount: c.blockCount)
  }

  func embed(_ tokenIDs: [Int32], cache: KeyValueCache?) -> Matrix { vocabulary.embed(tokenIDs) }

  func block(
    _ index: Int, _ x: Matrix, weight: (Int) throws -> PackedWeights, dropped: Set<Subblock>,
    tap: ((Int, Matrix) throws -> Void)?, cache: KeyValueCache?
  ) throws -> Matrix {
    let c = configuration
    let epsilon = Float(c.normEpsilon)
    let firstLayer = index * 4
    let firstSite = index * 4
    let stream = x.copy()
    if !dropped.contains(Subblock(blockIndex: index, half: .attention)) {
      let wqkv = try weight(firstLayer)
      let fused = Matrix(uninitializedRows: stream.rows, columns: wqkv.columns)
      try RowStrips.forEach(rows: stream.rows, wqkv.arithmetic, isTapped: tap != nil) { rows in
        let input = VectorKernels.rmsNorm(stream.strip(rows), weight: norms[index].attention, epsilon: epsilon)
        try tap?(firstSite, input)
        MatrixProduct.linear(input, wqkv, into: fused.strip(rows))
      }
      let queries = fused.columns(0..<c.attentionWidth)
      let keys = fused.columns(c.attentionWidth..<c.attentionWidth + c.keyValueWidth)
      let values = fused.columns(c.attentionWidth + c.keyValueWidth..<fused.columns)
      let mixed = attention.mix(block: index, queries: queries, keys: keys, values: values, cache: cache)
      try tap?(firstSite + 1, mixed)
      let wo = try weight(firstLayer + 1)
      try RowStrips.forEach(rows: stream.rows, wo.arithmetic, isTapped: false) { rows in
        VectorKernels.add(stream.strip(rows), MatrixProduct.linear(mixed.strip(rows), wo))
      }
    }
    if !dropped.contains(Subblock(blockIndex: index, half: .mlp)) {
      let (wgu, wd) = (try weight(firstLayer + 2), try weight(firstLayer + 3))
      try RowStrips.forEach(rows: stream.rows, wgu.arithmetic, isTapped: tap != nil) { rows in
        let strip = stream.strip(rows)
        let input = VectorKernels.rmsNorm(strip, weight: norms[index].mlp, epsilon: epsilon)
        try tap?(firstSite + 2, input)
        let gated = VectorKernels.siluMultiplyHalves(MatrixProduct.linear(input, wgu))
        try tap?(firstSite + 3, gated)
        VectorKernels.add(strip, MatrixProduct.linear(gated, wd))
      }
    }
    return stream
  }

  func finish(_ x: Matrix) -> Matrix {
    VectorKernels.rmsNorm(x, weight: finalNorm, epsilon: Float(configuration.normEpsilon))
  }

  func logits(_ hidden: Matrix, rows: Range<Int>) -> Matrix { vocabulary.logits(hidden, rows: rows) }
}

extension Phi3: ModelFamily {
  static let modelType: ByteString = "phi3"
  static let revision = 1

  static func configuration(_ fields: ConfigurationFields) throws -> ModelConfiguration {
    try fields.requireArchitecture("Phi3ForCausalLM")
    // The checkpoints of Phi-3 came with the code that transformers took over.
    try fields.refuseForeignCode(except: ["configuration_phi3", "modeling_phi3"])
    try fields.require("hidden_act", "silu")
    try fields.requireFalse("attention_bias")
    try fields.requireFalse("mlp_bias")
    var configuration = try fields.decoder(
      architecture,
      ConfigurationFields.DecoderDefaults(
        maximumPositions: 4096, normEpsilon: 1e-5, originalPositions: 4096, ropeKinds: [.plain, .longrope],
        // The names before longrope had one; transformers reads "yarn" that way in this family only.
        ropeAliases: ["su": .longrope, "yarn": .longrope]))
    let window = try fields.uniformWindow(absent: nil)
    configuration.attentionWindows = Array(repeating: window, count: configuration.blockCount)
    return configuration
  }

  static func open(_ checkpoint: Checkpoint, _ settings: ForwardSettings) throws -> any LanguageModel {
    try Phi3(checkpoint, settings)
  }
}
