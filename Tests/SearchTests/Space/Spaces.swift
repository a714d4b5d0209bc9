import TestSupport

@testable import Search

/// Small search spaces that several suites share.
enum Spaces {
  /// Layers of a transformer with 2 to 6 bits per weight: q, k, v, o of one size and gate, up, down of another.
  static func quantization(blocks: Int, hidden: Int64 = 64) throws -> SearchSpace {
    let attention = ["q_proj", "k_proj", "v_proj", "o_proj"].map { ($0, hidden * hidden) }
    let mlp = ["gate_proj", "up_proj", "down_proj"].map { ($0, hidden * hidden * 3) }
    return try space(blocks: blocks, layers: attention + mlp) { weights in
      [6, 5, 4, 3, 2].map { $0 * weights }
    }
  }

  /// The same layers with the costs of GGUF K-quants: no two steps of a layer cost the same but one pair.
  static func kQuants(blocks: Int) throws -> SearchSpace {
    try space(blocks: blocks, layers: [("q_proj", 4096), ("v_proj", 2048), ("down_proj", 16384)]) { weights in
      [105, 88, 72, 55, 41].map { $0 * weights / 16 }
    }
  }

  /// Sparsities from a quarter to all of a layer, in sixteenths of three quarters: 17 levels.
  static func sparsities(blocks: Int) throws -> SearchSpace {
    try space(blocks: blocks, layers: [("q_proj", 4096), ("v_proj", 2048), ("down_proj", 16384)]) { weights in
      (0...16).map { weights * 3 * (16 - $0) / 64 }
    }
  }

  /// Subblocks that are kept (cost 1) or removed (cost 0), attention and MLP being different roles.
  static func depth(blocks: Int) throws -> SearchSpace {
    let units = (0..<blocks).flatMap { block in
      ["attention", "mlp"].map { role in
        SearchUnit(name: "\(block).\(role)", sizeKey: role, roleKey: role, weightCount: 1, costs: [1, 0])
      }
    }
    return try SearchSpace(units: units)
  }

  /// Bits that are 0 (level 0, cost 1) or 1.
  static func bits(_ count: Int) throws -> SearchSpace {
    try SearchSpace(
      units: (0..<count).map {
        SearchUnit(name: "bit \($0)", sizeKey: "bit", roleKey: "bit", weightCount: 1, costs: [1, 0])
      })
  }

  /// Units of different sizes and numbers of levels with steps of random, mostly different cost.
  static func irregular(units count: Int, seed: UInt64) throws -> SearchSpace {
    var random = RandomSource(seed: TestSeed.mixed(seed), generation: 0, stage: 0, purpose: .start)
    let units = (0..<count).map { index in
      let levels = 1 + random.below(6)
      var cost = Int64(random.below(4))
      var costs: [Int64] = []
      for _ in 0..<levels {
        costs.insert(cost, at: 0)
        cost += Int64(1 + random.below(5))
      }
      return SearchUnit(
        name: "unit \(index)", sizeKey: "size \(index % 3)", roleKey: "role \(index % 5)",
        layerCount: 1 + random.below(2), weightCount: Int64(1 + random.below(4)), costs: costs)
    }
    return try SearchSpace(units: units)
  }

  private static func space(
    blocks: Int, layers: [(role: String, weights: Int64)], costs: (Int64) -> [Int64]
  ) throws -> SearchSpace {
    try SearchSpace(
      units: (0..<blocks).flatMap { block in
        layers.map { layer in
          SearchUnit(
            name: "model.layers.\(block).\(layer.role)", sizeKey: "\(layer.weights)", roleKey: layer.role,
            weightCount: layer.weights, costs: costs(layer.weights))
        }
      })
  }
}

extension SearchSpace {
  /// Whether some unit could be compressed a step less within the budget.
  func hasFittingStep(_ vector: LevelVector, budget: Int64) -> Bool {
    let slack = budget - cost(of: vector)
    return units.indices.contains { unit in
      relaxationCost(ofUnit: unit, in: vector).map { $0 <= slack } ?? false
    }
  }
}
