/// A position of the search that takes a level: a layer, a subblock, or several of them tied together.
public struct SearchUnit: Equatable, Sendable {
  /// The unit's name, such as `model.layers.3.self_attn.q_proj`; used in messages only.
  public let name: String
  /// What units of equal size share: the weight count or the shape, such as `4096x4096` (``MutationGrouping/size``).
  public let sizeKey: String
  /// What units of equal role share, such as `q_proj` or `mlp` (``MutationGrouping/name``).
  public let roleKey: String
  /// How many layers are tied together in this unit; the weight of a mutation group is the sum over its units.
  public let layerCount: Int
  /// The unit's share of the denominator: its compressible weights, or 1 where costs count subblocks and every
  /// subblock shall weigh the same.
  public let weightCount: Int64
  /// The cost of every level in bits (weights for sparsity, subblocks for drops), strictly falling. `[levels]`
  ///
  /// Steps need not be equal, nor integer bits per weight: K-quants cost 2.5625, 3.4375, 4.5, 5.5, 6.5625.
  public let costs: [Int64]

  /// A unit with its mutation keys and the cost of each of its levels, the least compressed first.
  ///
  /// Nothing is checked here: ``SearchSpace/init(units:)`` checks all units at once.
  public init(
    name: String, sizeKey: String, roleKey: String, layerCount: Int = 1, weightCount: Int64, costs: [Int64]
  ) {
    self.name = name
    self.sizeKey = sizeKey
    self.roleKey = roleKey
    self.layerCount = layerCount
    self.weightCount = weightCount
    self.costs = costs
  }
}
