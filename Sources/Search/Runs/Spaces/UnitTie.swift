import Catalog

/// Which layers, or which subblocks, take their level together.
public enum UnitTie: String, Sendable, CaseIterable {
  /// q, k and v of a block: runtimes fuse them.
  case qkv
  /// gate and up of a block: runtimes fuse them.
  case gateUp = "gate_up"
  /// All layers of an attention or an MLP.
  case subblock
  /// All layers of a block; its attention and its MLP are dropped together.
  case block
  /// Blocks 0 and 1, 2 and 3, …: each pair is dropped whole. Of an odd number of blocks the last one stays.
  case pairs

  /// The group of a layer; nil: this does not tie it.
  func group(of layer: LayerRecord) -> String? {
    let role = layer.role
    switch self {
    case .qkv: return ["q_proj", "k_proj", "v_proj"].contains(role) ? "\(layer.blockIndex).qkv" : nil
    case .gateUp: return ["gate_proj", "up_proj"].contains(role) ? "\(layer.blockIndex).gate_up" : nil
    case .subblock: return layer.subblockName
    case .block: return "\(layer.blockIndex)"
    case .pairs: return nil
    }
  }

  /// Layers in groups that take one level each, in the order of their first layers.
  ///
  /// - Throws: `SearchError.invalidParameter` if two ties want one layer.
  static func units(_ layers: [LayerRecord], ties: [UnitTie]) throws -> [[LayerRecord]] {
    var places: [String: Int] = [:]
    var units: [[LayerRecord]] = []
    for layer in layers {
      let groups = ties.compactMap { $0.group(of: layer) }
      guard groups.count <= 1 else {
        throw SearchError.invalidParameter(
          detail: "\(layer.name) would be tied twice, by \(ties.map(\.rawValue).joined(separator: " and ")); choose one"
        )
      }
      if let group = groups.first, let place = places[group] {
        units[place].append(layer)
      } else {
        if let group = groups.first { places[group] = units.count }
        units.append([layer])
      }
    }
    return units
  }
}
