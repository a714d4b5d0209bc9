/// The compressible layers and the sites of a block, all blocks of a model being alike.
struct BlockLayout {
  /// A linear weight of the block.
  struct Layer {
    var half: Subblock.Half
    /// Inside the block: `self_attn.q_proj`.
    var name: String
    /// Position among the block's sites.
    var site: Int
    var outputCount: Int

    init(_ half: Subblock.Half, _ name: String, site: Int, outputCount: Int) {
      self.half = half
      self.name = name
      self.site = site
      self.outputCount = outputCount
    }
  }

  /// Before the index of a block: `model.layers`.
  var prefix = "model.layers"
  /// In the order the reference compresses them.
  var layers: [Layer]
  /// Names inside the block (`self_attn.in`) and widths.
  var sites: [(name: String, width: Int)]

  /// The four sites that all families have: the inputs of the attention, of its output layer, of the MLP, of its last layer.
  static func sites(hiddenSize: Int, attentionWidth: Int, intermediateSize: Int) -> [(name: String, width: Int)] {
    [
      ("self_attn.in", hiddenSize), ("self_attn.o_in", attentionWidth), ("mlp.in", hiddenSize),
      ("mlp.down_in", intermediateSize),
    ]
  }

  /// The layers and sites of all blocks, block by block.
  func describe(blockCount: Int) -> (layers: [LayerDescription], sites: [SiteDescription]) {
    var allLayers: [LayerDescription] = []
    var allSites: [SiteDescription] = []
    for block in 0..<blockCount {
      for layer in layers {
        allLayers.append(
          LayerDescription(
            index: allLayers.count, name: "\(prefix).\(block).\(layer.name)",
            subblock: Subblock(blockIndex: block, half: layer.half),
            role: String(layer.name.split(separator: ".").last ?? ""), siteIndex: block * sites.count + layer.site,
            outputCount: layer.outputCount, inputCount: sites[layer.site].width))
      }
      for site in sites {
        allSites.append(
          SiteDescription(
            index: allSites.count, name: "\(prefix).\(block).\(site.name)", blockIndex: block, width: site.width))
      }
    }
    return (allLayers, allSites)
  }
}
