/// What a token costs on its way through a model, in products of two numbers; what attention adds for long sequences, and
/// everything that is no product, is left out.
///
/// It says how requests compare, and no more: how long a product takes is measured (`SpoolCoordinator.pace`).
struct PassCost {
  /// Layers of each block, as ranges of layer indices.
  let layersOfBlock: [Range<Int>]
  /// By block and half.
  private let halves: [(attention: Double, mlp: Double)]
  /// Of the output projection.
  let head: Double

  init(_ network: any LanguageModel) {
    var layersOfBlock: [Range<Int>] = []
    var halves: [(attention: Double, mlp: Double)] = []
    for block in 0..<network.blockCount {
      let layers = network.layers.filter { $0.subblock.blockIndex == block }
      layersOfBlock.append((layers.first?.index ?? 0)..<((layers.last?.index ?? -1) + 1))
      func cost(_ half: Subblock.Half) -> Double {
        layers.filter { $0.subblock.half == half }.reduce(0) { $0 + Double($1.outputCount * $1.inputCount) }
      }
      halves.append((cost(.attention), cost(.mlp)))
    }
    self.layersOfBlock = layersOfBlock
    self.halves = halves
    head = Double(network.hiddenSize * network.vocabularySize)
  }

  /// The whole dense model.
  var whole: Double { halves.reduce(head) { $0 + $1.attention + $1.mlp } }

  /// A candidate's blocks in a range.
  func blocks(_ range: Range<Int>, of candidate: LayerChoices) -> Double {
    range.reduce(0) { sum, block in
      func isThere(_ half: Subblock.Half) -> Bool {
        candidate.dropped.isEmpty || !candidate.dropped.contains(Subblock(blockIndex: block, half: half))
      }
      return sum + (isThere(.attention) ? halves[block].attention : 0) + (isThere(.mlp) ? halves[block].mlp : 0)
    }
  }
}
