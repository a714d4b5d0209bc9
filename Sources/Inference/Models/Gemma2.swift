/// The Gemma 2 family: norms before and after each half of a block, soft caps on scores and logits, a window in every other
/// block, scaled embeddings (transformers' `modeling_gemma2.py`; Gemma Team 2024, section 2).
struct Gemma2: LanguageModel {
  /// All weights are 1 + what is stored.
  private struct Norms: Sendable {
    var beforeAttention: Matrix
    var afterAttention: Matrix
    var beforeMLP: Matrix
    var afterMLP: Matrix
  }

  private let configuration: ModelConfiguration
  private let vocabulary: Vocabulary
  private let embeddingScale: Float
  private let norms: [Norms]
  private let finalNorm: Matrix
  private let biases: LayerBiases
  private let attention: SelfAttention
  /// q, k, v, o, gate, up, down of each block.
  let layers: [LayerDescription]
  /// Four inputs a block: of q, k, v; of o; of gate, up; of down.
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
    embeddingScale = settings.constants.round(Float(Double(c.hiddenSize).squareRoot()))
    func norm(_ name: String) throws -> Matrix {
      let weight = try checkpoint.vector("model.\(name).weight", count: c.hiddenSize)
      return Matrix(rows: 1, columns: c.hiddenSize, values: weight.values.map { 1 + $0 })
    }
    norms = try (0..<c.blockCount).map { block in
      Norms(
        beforeAttention: try norm("layers.\(block).input_layernorm"),
        afterAttention: try norm("layers.\(block).post_attention_layernorm"),
        beforeMLP: try norm("layers.\(block).pre_feedforward_layernorm"),
        afterMLP: try norm("layers.\(block).post_feedforward_layernorm"))
    }
    finalNorm = try norm("norm")
    let layout = BlockLayout(
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
    (layers, sites) = layout.describe(blockCount: c.blockCount)
    biases = try LayerBiases(checkpoint, layers) { $0.subblock.half == .attention && c.attentionInputBias }
  }

  func embed(_ tokenIDs: [Int32], cache: KeyValueCache?) -> Matrix {
    let stream = vocabulary.embed(tokenIDs)
    VectorKernels.scale(stream, by: embeddingScale)
    return stream
  }

  func block(
    _ index: Int, _ x: Matrix, weight: (Int) throws -> PackedWeights, dropped: Set<Subblock>,
    tap: ((Int, Matrix) throws -> Void)?, cache: KeyValueCache?
  ) throws -> Matrix {
    let c = configuration
    let epsilon = Float(c.normEpsilon)
    let norms = norms[index]
    let firstLayer = index * 7
    let firstSite = index * 4
    let stream = x.copy()
    if !dropped.contains(Subblock(blockIndex: index, half: .attention)) {
      let projections = try biases.project(
        stream, firstLayer..<firstLayer + 3, weight, tap: tap.map { tap in { try tap(firstSite, $0) } }
      ) { VectorKernels.rmsNorm($0, weight: norms.beforeAttention, epsilon: epsilon) }
      let mixed = attention.mix(
        block: index, queries: projections[0], keys: projections[1], values: projections[2], cache: cache)
      try tap?(firstSite + 1, mixed)
      try biases.add(mixed, firstLayer + 3, weight, to: stream) {
        VectorKernels.rmsNorm($0, weight: norms.afterAttention, epsilon: epsilon)
      }
    }
    if !dropped.contains(Subblock(blockIndex: index, half: .mlp)) {
      let (wg, wu, wd) = (try weight(firstLayer + 4), try weight(firstLayer + 5), try weight(firstLayer + 6))
      try RowStrips.forEach(rows: stream.rows, wg.arithmetic, isTapped: tap != nil) { rows in
        let strip = stream.strip(rows)
        let input = VectorKernels.rmsNorm(strip, weight: norms.beforeMLP, epsilon: epsilon)
        try tap?(firstSite + 2, input)
        let halves = biases.linear(input, firstLayer + 4..<firstLayer + 6, [wg, wu])
        let gate = halves[0]
        VectorKernels.geluMultiply(gate, halves[1])
        try tap?(firstSite + 3, gate)
        let output = biases.linear(gate, firstLayer + 6, wd)
        VectorKernels.add(strip, VectorKernels.rmsNorm(output, weight: norms.afterMLP, epsilon: epsilon))
      }
    }
    return stream
  }

  func finish(_ x: Matrix) -> Matrix {
    VectorKernels.rmsNorm(x, weight: finalNorm, epsilon: Float(configuration.normEpsilon))
  }

  func logits(_ hidden: Matrix, rows: Range<Int>) -> Matrix {
    let logits = vocabulary.logits(hidden, rows: rows)
    if let cap = configuration.logitCap { VectorKernels.softCap(logits.panel, cap: Float(cap)) }
    return logits
  }
}

extension Gemma2: ModelFamily {
  static let modelType: ByteString = "gemma2"
  static let revision = 1

  static func configuration(_ fields: ConfigurationFields) throws -> ModelConfiguration {
    try fields.requireArchitecture("Gemma2ForCausalLM")
    try fields.refuseForeignCode()
    // `hidden_act`, which older files have as well, is not read.
    try fields.require("hidden_activation", "gelu_pytorch_tanh")
    try fields.requireFalse("mlp_bias")
    try fields.requireFalse("use_bidirectional_attention")
    var configuration = try fields.decoder(
      architecture,
      ConfigurationFields.DecoderDefaults(
        keyValueHeadCount: 4, headDimension: 256, maximumPositions: 8192, normEpsilon: 1e-6, tiedEmbeddings: true))
    configuration.attentionInputBias = try fields.flag("attention_bias")
    configuration.attentionOutputBias = configuration.attentionInputBias
    let positive = 1e-6...1e6
    configuration.attentionScaleDivisor = try fields.number("query_pre_attn_scalar", default: 256, in: positive)
    configuration.attentionCap = try fields.optionalNumber("attn_logit_softcapping", default: 50, in: positive)
    configuration.logitCap = try fields.optionalNumber("final_logit_softcapping", default: 30, in: positive)
    let window = fields.isAbsent("sliding_window") ? 4096 : try fields.window()
    configuration.attentionWindows = try fields.windows(window, blockCount: configuration.blockCount) { $0 % 2 == 0 }
    return configuration
  }

  static func open(_ checkpoint: Checkpoint, _ settings: ForwardSettings) throws -> any LanguageModel {
    try Gemma2(checkpoint, settings)
  }
}
