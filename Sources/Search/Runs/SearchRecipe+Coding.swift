import Catalog
import Foundation
import Inference

/// A recipe as canonical JSON with sorted keys.
///
/// The parameters that every search has are always there, because readers use them. Every other one is left out at its
/// default: so a parameter that evodb learns later changes the digest of no recipe that does not use it.
extension SearchRecipe: Codable {
  enum CodingKeys: String, CodingKey, CaseIterable {
    case targetBits = "target_bits"
    case targetBytes = "target_bytes"
    case targetSparsity = "target_sparsity"
    case targetDrop = "target_drop"
    case dropCount = "drop_count"
    case cost, method, bits, generations, offspring, survivors, tokens, measure
    case mutationGroup = "mutation_group"
    case maximumSwitches = "maximum_switches"
    case initial
    case initialTokens = "initial_tokens"
    case seed
    case patterns, types, layers
    case allowsDense = "allow_dense"
    case allowsDrop = "allow_drop"
    case allowed, ties
    case runtime = "for"
    case budget
    case embeddingType = "embedding_type"
    case headType = "head_type"
    case leavesOutTokenizer = "no_tokenizer"
    case frameBytes = "frame_bytes"
    case isInverted = "worst"
    case sweepTokens = "sweep_tokens"
    case island
    case islandCount = "islands"
    case exchangeInterval = "exchange"
  }

  /// Canonical JSON: sorted keys.
  public var json: String {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
  }

  /// From `json`.
  ///
  /// - Throws: `CatalogError.damaged`.
  public init(json: String) throws {
    do {
      self = try JSONDecoder().decode(SearchRecipe.self, from: Data(json.utf8))
      try validate()
    } catch {
      throw CatalogError.damaged("a run's recipe cannot be read: \(error)")
    }
  }

  /// Writes the keys above.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    switch target {
    case .bits(let value): try container.encode(value, forKey: .targetBits)
    case .bytes(let value): try container.encode(value, forKey: .targetBytes)
    case .sparsity(let value): try container.encode(value, forKey: .targetSparsity)
    case .drop(let value): try container.encode(value, forKey: .targetDrop)
    case .dropCount(let value): try container.encode(value, forKey: .dropCount)
    }
    try container.encode(cost, forKey: .cost)
    try container.encode(methods.joined(separator: ","), forKey: .method)
    try container.encode(bits, forKey: .bits)
    try container.encode(generations, forKey: .generations)
    try container.encode(offspring, forKey: .offspring)
    try container.encode(survivors, forKey: .survivors)
    try container.encode(tokens, forKey: .tokens)
    try container.encode(measure, forKey: .measure)
    try container.encode(mutationGroup, forKey: .mutationGroup)
    try container.encode(maximumSwitches, forKey: .maximumSwitches)
    try container.encode(initial, forKey: .initial)
    try container.encode(initialTokens, forKey: .initialTokens)
    try container.encode(seed, forKey: .seed)
    if !patterns.isEmpty { try container.encode(patterns, forKey: .patterns) }
    if !types.isEmpty { try container.encode(types, forKey: .types) }
    if !layers.isEmpty { try container.encode(layers, forKey: .layers) }
    if allowsDense { try container.encode(true, forKey: .allowsDense) }
    if allowsDrop { try container.encode(true, forKey: .allowsDrop) }
    if !allowed.isEmpty { try container.encode(allowed, forKey: .allowed) }
    if !ties.isEmpty { try container.encode(ties.map(\.rawValue), forKey: .ties) }
    if let runtime { try container.encode(runtime.rawValue, forKey: .runtime) }
    if let file {
      try container.encode(Self.fileBudget, forKey: .budget)
      try container.encodeIfPresent(file.embeddingType?.name, forKey: .embeddingType)
      try container.encodeIfPresent(file.headType?.name, forKey: .headType)
      if file.leavesOutTokenizer { try container.encode(true, forKey: .leavesOutTokenizer) }
      try container.encode(file.frameByteCount, forKey: .frameBytes)
    }
    if isInverted { try container.encode(true, forKey: .isInverted) }
    if sweepTokens != Self.standardSweepTokens { try container.encode(sweepTokens, forKey: .sweepTokens) }
    try container.encodeIfPresent(island?.number, forKey: .island)
    try container.encodeIfPresent(island?.count, forKey: .islandCount)
    try container.encodeIfPresent(island?.exchangeInterval, forKey: .exchangeInterval)
  }

  /// The value of `budget` where it counts a file, and where it counts layers, which is not written.
  private static let (fileBudget, layerBudget) = ("file", "layers")

  /// The file that a recipe's budget counts; what describes it has no meaning without.
  private static func file(_ container: KeyedDecodingContainer<CodingKeys>) throws -> FileBudget? {
    let budget = try container.decodeIfPresent(String.self, forKey: .budget) ?? layerBudget
    func type(_ key: CodingKeys) throws -> GGUFType? {
      guard let name = try container.decodeIfPresent(String.self, forKey: key), !name.isEmpty else { return nil }
      guard let type = GGUFType(name: name), GGUFExport.denseTypes.contains(type) else {
        throw DecodingError.dataCorruptedError(
          forKey: key, in: container, debugDescription: "\(name) is no type for an embedding or a head")
      }
      return type
    }
    var file = FileBudget()
    file.embeddingType = try type(.embeddingType)
    file.headType = try type(.headType)
    file.leavesOutTokenizer = try container.decodeIfPresent(Bool.self, forKey: .leavesOutTokenizer) ?? false
    switch budget {
    case fileBudget:
      file.frameByteCount = try container.decodeIfPresent(Int64.self, forKey: .frameBytes) ?? 0
      return file
    case layerBudget where file == FileBudget(): return nil
    default:
      throw DecodingError.dataCorruptedError(
        forKey: .budget, in: container,
        debugDescription: budget == layerBudget
          ? "types of embedding and head, and no tokenizer, are of a budget that counts a file"
          : "a budget counts layers or a file, not ‘\(budget)’")
    }
  }

  /// Reads the keys above; of the targets there must be one.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let targets: [Target?] = [
      try container.decodeIfPresent(Double.self, forKey: .targetBits).map { .bits($0) },
      try container.decodeIfPresent(Int64.self, forKey: .targetBytes).map { .bytes($0) },
      try container.decodeIfPresent(Double.self, forKey: .targetSparsity).map { .sparsity($0) },
      try container.decodeIfPresent(Double.self, forKey: .targetDrop).map { .drop($0) },
      try container.decodeIfPresent(Int.self, forKey: .dropCount).map { .dropCount($0) },
    ]
    let given = targets.compactMap { $0 }
    guard given.count == 1 else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: container.codingPath, debugDescription: "\(given.count) targets in place of one"))
    }
    self.init(target: given[0], cost: try container.decode(Cost.self, forKey: .cost))
    methods = try container.decode(String.self, forKey: .method).split(separator: ",").map { String($0) }
    bits = try container.decode([Int].self, forKey: .bits)
    generations = try container.decode(Int.self, forKey: .generations)
    offspring = try container.decode(Int.self, forKey: .offspring)
    survivors = try container.decode([Int].self, forKey: .survivors)
    tokens = try container.decode([Int].self, forKey: .tokens)
    measure = try container.decode(String.self, forKey: .measure)
    mutationGroup = try container.decode(String.self, forKey: .mutationGroup)
    maximumSwitches = try container.decode(Int.self, forKey: .maximumSwitches)
    initial = try container.decode(String.self, forKey: .initial)
    initialTokens = try container.decode(Int.self, forKey: .initialTokens)
    seed = try container.decode(UInt64.self, forKey: .seed)
    patterns = try container.decodeIfPresent([String].self, forKey: .patterns) ?? []
    types = try container.decodeIfPresent([String].self, forKey: .types) ?? []
    layers = try container.decodeIfPresent(String.self, forKey: .layers) ?? ""
    allowsDense = try container.decodeIfPresent(Bool.self, forKey: .allowsDense) ?? false
    allowsDrop = try container.decodeIfPresent(Bool.self, forKey: .allowsDrop) ?? false
    allowed = try container.decodeIfPresent([String].self, forKey: .allowed) ?? []
    ties = try (container.decodeIfPresent([String].self, forKey: .ties) ?? []).map { text in
      guard let tie = UnitTie(rawValue: text) else {
        throw DecodingError.dataCorruptedError(
          forKey: .ties, in: container, debugDescription: "there is no tie ‘\(text)’")
      }
      return tie
    }
    runtime = try container.decodeIfPresent(String.self, forKey: .runtime).map { text in
      guard let runtime = ServingRuntime(rawValue: text) else {
        throw DecodingError.dataCorruptedError(
          forKey: .runtime, in: container, debugDescription: "there is no runtime ‘\(text)’")
      }
      return runtime
    }
    file = try Self.file(container)
    isInverted = try container.decodeIfPresent(Bool.self, forKey: .isInverted) ?? false
    sweepTokens = try container.decodeIfPresent(Int.self, forKey: .sweepTokens) ?? Self.standardSweepTokens
    island = try Self.island(container)
  }

  /// The place in a ring: all of it, or nothing.
  private static func island(_ container: KeyedDecodingContainer<CodingKeys>) throws -> Island? {
    let values = try [CodingKeys.island, .islandCount, .exchangeInterval].map {
      try container.decodeIfPresent(Int.self, forKey: $0)
    }
    let given = values.compactMap { $0 }
    guard !given.isEmpty else { return nil }
    guard given.count == values.count else {
      throw DecodingError.dataCorruptedError(
        forKey: .island, in: container, debugDescription: "island, islands and exchange belong together")
    }
    return Island(number: given[0], count: given[1], exchangeInterval: given[2])
  }
}
