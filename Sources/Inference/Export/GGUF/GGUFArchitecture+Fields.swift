import Foundation

/// The metadata of a model, and the tensors that follow from its configuration alone.
extension GGUFArchitecture {
  /// Blocks of Gemma 2 with 27 billion weights, by which llama.cpp knows it and scales its scores otherwise.
  static let largeGemmaBlockCount = 46
  /// llama.cpp's gemma2 always has soft caps. A power of two beyond all scores changes none of them: dividing by it is
  /// exact, and the tangent of so small a number is the number.
  private static let noCap: Float = 0x1p24

  /// The keys that llama.cpp's converter writes for the architecture, without the tokenizer's.
  ///
  /// - Parameter blockCount: blocks that are left.
  func fields(blockCount: Int) -> [GGUFField] {
    let c = configuration
    func field(_ key: String, _ value: GGUFValue) -> GGUFField { GGUFField(ByteString("\(name).\(key)"), value) }
    func count(_ key: String, _ value: Int) -> GGUFField { field(key, .uint32(UInt32(value))) }
    func number(_ key: String, _ value: Double) -> GGUFField { field(key, .float32(Float(value))) }
    var fields = [
      count("vocab_size", c.vocabularySize), count("context_length", c.maximumPositions),
      count("embedding_length", c.hiddenSize), count("block_count", blockCount),
      count("feed_forward_length", c.intermediateSize), count("attention.head_count", c.headCount),
      count("attention.head_count_kv", c.keyValueHeadCount), count("attention.key_length", c.headDimension),
      count("attention.value_length", c.headDimension),
      number("attention.layer_norm_rms_epsilon", c.normEpsilon), count("rope.dimension_count", c.headDimension),
      number("rope.freq_base", c.ropeTheta),
    ]
    switch c.ropeScaling {
    case .none, .llama3: break
    case .linear(let factor):
      fields += [field("rope.scaling.type", .string("linear")), number("rope.scaling.factor", factor)]
    case .longRope(let rope):
      fields += [
        field("rope.scaling.type", .string("longrope")), number("rope.scaling.attn_factor", rope.attentionFactor),
        count("rope.scaling.original_context_length", rope.originalPositions),
      ]
    }
    switch name {
    case "phi3":
      if c.ropeScaling == .none { fields.append(count("rope.scaling.original_context_length", c.maximumPositions)) }
      fields.append(count("attention.sliding_window", c.attentionWindows.compactMap { $0 }.first ?? 0))
    case "gemma2":
      fields += [
        count("attention.sliding_window", c.attentionWindows.compactMap { $0 }.first ?? c.maximumPositions),
        field("attn_logit_softcapping", .float32(c.attentionCap.map { Float($0) } ?? Self.noCap)),
        field("final_logit_softcapping", .float32(c.logitCap.map { Float($0) } ?? Self.noCap)),
      ]
    default: break
    }
    return fields
  }

  /// The divisors of the rotary frequencies, as tensors [headDimension / 2].
  var ropeTensors: [(name: ByteString, values: [Float])] {
    let c = configuration
    switch c.ropeScaling {
    case .none, .linear: return []
    case .longRope(let rope):
      return [
        ("rope_factors_long.weight", rope.longFactors.map { Float($0) }),
        ("rope_factors_short.weight", rope.shortFactors.map { Float($0) }),
      ]
    case .llama3(let rope):
      let original = Double(rope.originalPositions)
      let factors = (0..<c.headDimension / 2).map { index -> Float in
        let frequency = ElementaryFunctions.pow(c.ropeTheta, -2 * Double(index) / Double(c.headDimension))
        let wavelength = 2 * Double.pi / frequency
        if wavelength < original / rope.highFrequencyFactor { return 1 }
        if wavelength > original / rope.lowFrequencyFactor { return Float(rope.factor) }
        let share =
          (original / wavelength - rope.lowFrequencyFactor) / (rope.highFrequencyFactor - rope.lowFrequencyFactor)
        return Float(1 / ((1 - share) / rope.factor + share))
      }
      return [("rope_freqs.weight", factors)]
    }
  }

  /// Sentences on where llama.cpp computes something else than evodb.
  var notes: [String] {
    let c = configuration
    var notes: [String] = []
    if name != "gemma2", let window = c.attentionWindows.compactMap({ $0 }).min(), window < c.maximumPositions {
      notes.append(
        "llama.cpp has no attention windows in \(name): beyond \(window) tokens it attends to more than the model does")
    }
    if case .longRope(let rope) = c.ropeScaling {
      notes.append(
        "llama.cpp chooses the rope factors by the size of the context, not by the text: give it a context of at most "
          + "\(rope.originalPositions) tokens for texts that are not longer")
    }
    return notes
  }

  // MARK: Blocks

  /// The blocks that a file keeps, by their old index, of a model that loses some halves of blocks.
  ///
  /// A block without its halves is left out, unless llama.cpp goes by the position or number of the blocks (Gemma 2): then
  /// some stay, with zeros, so that each of the others is still the kind of block that it was.
  ///
  /// - Throws: `InferenceError.impossible` if no block is left, or no such file computes the model.
  func keptBlocks(dropping dropped: Set<Subblock>) throws -> [Int] {
    let c = configuration
    let all = Array(0..<c.blockCount)
    let needed = all.filter { block in
      ![Subblock.Half.attention, .mlp].allSatisfy { dropped.contains(Subblock(blockIndex: block, half: $0)) }
    }
    guard !needed.isEmpty else {
      throw Self.impossible(
        "the assignment drops all \(c.blockCount) blocks; llama.cpp needs at least one, keep a half of some block")
    }
    guard name == "gemma2" else { return needed }
    for kept in [try alternating(needed), all] where hasRightScale(blockCount: kept.count) {
      _ = try alternating(kept)
      return kept
    }
    throw Self.impossible(
      "llama.cpp's gemma2 divides scores by the root of the width of a head, \(c.headDimension), not of "
        + "\(c.attentionScaleDivisor ?? Double(c.headDimension))")
  }

  private func hasRightScale(blockCount: Int) -> Bool {
    let c = configuration
    let divisor = blockCount == Self.largeGemmaBlockCount ? c.hiddenSize / c.headCount : c.headDimension
    return c.attentionScaleDivisor ?? Double(c.headDimension) == Double(divisor)
  }

  /// The needed blocks, and between them those without which the windows would not be in every other block, beginning
  /// with the first.
  private func alternating(_ needed: [Int]) throws -> [Int] {
    let c = configuration
    func slides(_ block: Int) -> Bool {
      c.attentionWindows.isEmpty ? false : c.attentionWindows[block].map { $0 < c.maximumPositions } ?? false
    }
    guard (0..<c.blockCount).contains(where: slides) else { return needed }
    var kept: [Int] = []
    for block in needed {
      if slides(block) != kept.count.isMultiple(of: 2) {
        let between = (kept.last ?? -1) + 1..<block
        guard let filler = between.first(where: { slides($0) == kept.count.isMultiple(of: 2) }) else {
          throw Self.impossible(
            "llama.cpp's gemma2 has windows in every other block, beginning with the first; in this model block \(block) "
              + "does not fit")
        }
        kept.append(filler)
      }
      kept.append(block)
    }
    return kept
  }
}
