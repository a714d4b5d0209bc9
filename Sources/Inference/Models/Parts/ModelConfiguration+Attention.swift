extension ModelConfiguration {
  /// How each block scores keys, by block.
  var scoreRules: [CausalAttention.ScoreRule] {
    (0..<blockCount).map { block in
      CausalAttention.ScoreRule(
        scale: attentionScaleDivisor.map { Float(1 / $0.squareRoot()) },
        window: attentionWindows.isEmpty ? nil : attentionWindows[block], cap: attentionCap.map { Float($0) })
    }
  }

  /// Width of all query heads.
  var attentionWidth: Int { headCount * headDimension }

  /// Width of all key heads, and of all value heads.
  var keyValueWidth: Int { keyValueHeadCount * headDimension }
}
