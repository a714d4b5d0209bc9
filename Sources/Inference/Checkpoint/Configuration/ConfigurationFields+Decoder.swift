/// Fields that all families with rotary positions and RMS norms have.
extension ConfigurationFields {
  /// The values that a family's configuration class in transformers takes for absent fields.
  struct DecoderDefaults {
    /// Of `num_key_value_heads`; nil: as many as query heads. An explicit `null` always means that.
    var keyValueHeadCount: Int?
    /// Of `head_dim`; nil: hidden size / heads.
    var headDimension: Int?
    /// Of `max_position_embeddings`.
    var maximumPositions: Int
    /// Of `rms_norm_eps`.
    var normEpsilon: Double
    /// Of `tie_word_embeddings`.
    var tiedEmbeddings = false
    /// Of an `original_max_position_embeddings` outside the rope parameters; nil: none.
    var originalPositions: Int?
    /// The kinds of rope scaling the family has.
    var ropeKinds = RopeKind.allCases
    /// Older names of those.
    var ropeAliases: [ByteString: RopeKind] = [:]
  }

  /// Widths, counts, norm and positions.
  func decoder(_ architecture: ModelConfiguration.Architecture, _ defaults: DecoderDefaults) throws
    -> ModelConfiguration
  {
    let hiddenSize = try count("hidden_size")
    let headCount = try count("num_attention_heads")
    let keyValueHeadCount =
      try isAbsent("num_key_value_heads")
      ? defaults.keyValueHeadCount ?? headCount : count("num_key_value_heads", default: headCount)
    guard headCount % keyValueHeadCount == 0 else {
      throw invalid(
        "num_key_value_heads", rule: "must divide num_attention_heads (\(headCount)), is \(keyValueHeadCount)")
    }
    if self["head_dim"] == nil, defaults.headDimension == nil, hiddenSize % headCount != 0 {
      throw invalid("num_attention_heads", rule: "must divide hidden_size (\(hiddenSize)) without a head_dim")
    }
    let headDimension = try count(
      "head_dim", default: defaults.headDimension ?? hiddenSize / headCount, limit: Self.largestListCount)
    guard headDimension % 2 == 0 else {
      throw invalid("head_dim", rule: "must be even for rotary positions, is \(headDimension)")
    }
    let maximumPositions = try count("max_position_embeddings", default: defaults.maximumPositions)
    let (theta, scaling) = try rope(
      RopeContext(
        headDimension: headDimension, maximumPositions: maximumPositions, originalPositions: defaults.originalPositions,
        kinds: defaults.ropeKinds, aliases: defaults.ropeAliases))
    var configuration = ModelConfiguration(
      architecture: architecture, hiddenSize: hiddenSize, intermediateSize: try count("intermediate_size"),
      blockCount: try count("num_hidden_layers", limit: Self.largestListCount), headCount: headCount,
      keyValueHeadCount: keyValueHeadCount,
      headDimension: headDimension, vocabularySize: try count("vocab_size"), maximumPositions: maximumPositions,
      normEpsilon: try number("rms_norm_eps", default: defaults.normEpsilon, in: 0...1), ropeTheta: theta,
      tiedEmbeddings: try flag("tie_word_embeddings", default: defaults.tiedEmbeddings))
    configuration.ropeScaling = scaling
    return configuration
  }

  // MARK: Windows

  /// One window for all blocks, from `sliding_window`; `layer_types`, which such families ignore, must not say otherwise.
  ///
  /// - Parameter absent: the window without the field; `null` always means none.
  func uniformWindow(absent: Int?) throws -> Int? {
    let window = isAbsent("sliding_window") ? absent : try window()
    let expected: ByteString = window == nil ? "full_attention" : "sliding_attention"
    if let other = try layerTypes()?.first(where: { $0 != expected }) {
      throw InferenceError.unsupported(
        file: file, detail: "layer_types contains \"\(other)\"; with this sliding_window every block is \(expected)")
    }
    return window
  }

  /// The window of each block, from `layer_types` or else `slides`.
  ///
  /// - Parameters:
  ///   - window: of the sliding blocks; nil: there can be none.
  ///   - slides: whether a block slides if `layer_types` is absent.
  func windows(_ window: Int?, blockCount: Int, slides: (Int) -> Bool) throws -> [Int?] {
    guard let types = try layerTypes() else { return (0..<blockCount).map { slides($0) ? window : nil } }
    guard types.count == blockCount else {
      throw invalid("layer_types", rule: "must have num_hidden_layers (\(blockCount)) elements, has \(types.count)")
    }
    return try types.map { type in
      switch type {
      case "full_attention": return nil
      case "sliding_attention":
        guard let window else {
          throw invalid("layer_types", rule: "contains \"sliding_attention\", but no sliding window is set")
        }
        return window
      default:
        throw InferenceError.unsupported(
          file: file,
          detail: "layer_types contains \"\(type)\"; \"full_attention\" and \"sliding_attention\" are implemented")
      }
    }
  }

  /// `sliding_window`, nil if null or absent.
  func window() throws -> Int? {
    self["sliding_window"] == nil ? nil : try count("sliding_window")
  }

  private func layerTypes() throws -> [ByteString]? {
    guard let value = self["layer_types"] else { return nil }
    guard let elements = value.array else { throw invalid("layer_types", rule: "must be an array of strings") }
    return try elements.map { element in
      guard let type = element.string else {
        throw invalid("layer_types", rule: "contains \(element.summary), not a string")
      }
      return type
    }
  }
}
