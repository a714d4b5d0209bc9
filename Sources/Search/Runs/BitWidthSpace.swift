import Catalog
import Inference

/// The space of bit-widths that a catalog offers for a model.
public struct BitWidthSpace {
  /// The stored form: units with pinned variants and costs.
  public let record: SpaceRecord
  /// The engine's form.
  public let space: SearchSpace
  /// Bits of every level, by unit and level.
  private let variants: [[VariantRecord]]
  private let layers: [LayerRecord]
  private let methods: [Int64: Digest]
  private let model: ModelRecord

  /// Takes for every layer the built variants of one method at the bit-widths that all layers have.
  ///
  /// - Throws: `SearchError.impossible` naming what has to be built first.
  public init(model: ModelRecord, recipe: SearchRecipe, tx: CatalogTransaction) throws {
    let layers = try tx.layers(ofModel: model.id)
    let methods = try tx.methods()
    let built = try layers.map { try tx.variants(ofWeight: $0.weightID) }
    let source = try Self.source(recipe, methods, built)
    let perLayer = built.map { list in
      Dictionary(
        list.filter { $0.methodID == source.method && $0.statisticKeyClass == source.usesStatistic }.map { ($0.level, $0) },
        uniquingKeysWith: { first, _ in first })
    }
    var common = perLayer.reduce(Set(perLayer.first?.keys.map { $0 } ?? [])) { $0.intersection($1.keys) }
    if !recipe.bits.isEmpty {
      for bits in recipe.bits where !common.contains("bits=\(bits)") {
        throw SearchError.impossible(
          detail: "\(bits) bits are not built for every layer; build them with: evodb build FILE --method \(recipe.method) --bits \(bits)")
      }
      common.formIntersection(recipe.bits.map { "bits=\($0)" })
    }
    guard !common.isEmpty else {
      throw SearchError.impossible(
        detail: "no level of \(recipe.method) is built for every layer; build some with: evodb build FILE --method \(recipe.method) --bits 2,3,4,5,6")
    }
    variants = perLayer.map { levels in
      levels.filter { common.contains($0.key) }.map(\.value).sorted { ($0.bits ?? 0) > ($1.bits ?? 0) }
    }
    let units = zip(layers, variants).map { layer, levels in
      SpaceRecord.Unit(
        name: layer.name, sizeGroup: String(layer.weightCount), nameGroup: layer.role, weightCount: layer.weightCount,
        levels: levels.map { variant in
          SpaceRecord.Level(
            cost: recipe.cost == .codes ? variant.codeBits : variant.storedBits, label: variant.level,
            members: [
              SpaceRecord.Member(
                layerID: layer.id, layerName: layer.name, layerIndex: layer.index, variantID: variant.id,
                contentKey: variant.contentKey, isDropped: false)
            ])
        })
    }
    record = SpaceRecord(modelID: model.id, modelDigest: model.digest, cost: recipe.cost.rawValue, units: units)
    space = try Self.searchSpace(record)
    self.layers = layers
    self.methods = Dictionary(uniqueKeysWithValues: methods.map { ($0.id, $0.digest) })
    self.model = model
  }

  /// A stored space with its pinned variants.
  public init(model: ModelRecord, record: SpaceRecord, tx: CatalogTransaction) throws {
    self.record = record
    self.model = model
    space = try Self.searchSpace(record)
    layers = try tx.layers(ofModel: model.id)
    methods = Dictionary(uniqueKeysWithValues: try tx.methods().map { ($0.id, $0.digest) })
    variants = try record.units.map { unit in
      try unit.levels.map { level in
        guard let id = level.members.first?.variantID else {
          throw CatalogError.damaged("unit \(unit.name): level \(level.label) has no variant")
        }
        return try tx.variant(id: id)
      }
    }
  }

  /// Stores the assignment of a level vector, or finds it.
  public func store(_ vector: LevelVector, tx: CatalogTransaction) throws -> AssignmentRecord {
    try tx.store(
      assignmentOf: model, layers: layers, variants: chosen(vector), methods: methods, dropped: [])
  }

  /// Content key of the assignment of a level vector.
  public func digest(of vector: LevelVector) -> Digest {
    AssignmentKey.digests(
      model: model.digest, layers: layers, variants: chosen(vector), methods: methods, dropped: []
    ).content
  }

  /// The level vector of an assignment of this space.
  ///
  /// - Throws: `CatalogError.damaged` if a variant is not of this space.
  public func vector(of assignment: AssignmentRecord) throws -> LevelVector {
    LevelVector(
      try zip(layers, variants).map { layer, levels in
        guard let level = levels.firstIndex(where: { $0.id == assignment.variantIDs[layer.index] }) else {
          throw CatalogError.damaged("assignment \(assignment.digest.short): layer \(layer.name) has a variant of another space")
        }
        return level
      })
  }

  /// The assignment with the same number of bits everywhere; nil if the target is not a level of every layer.
  public func uniform(bits: Double) -> LevelVector? {
    let levels = variants.map { list in list.firstIndex { $0.bits == bits } }
    guard levels.allSatisfy({ $0 != nil }) else { return nil }
    return LevelVector(levels.compactMap { $0 })
  }

  private func chosen(_ vector: LevelVector) -> [VariantRecord?] {
    variants.indices.map { variants[$0][vector[$0]] }
  }

  private static func searchSpace(_ record: SpaceRecord) throws -> SearchSpace {
    try SearchSpace(
      units: record.units.map { unit in
        SearchUnit(
          name: unit.name, sizeKey: unit.sizeGroup, roleKey: unit.nameGroup, weightCount: Int64(unit.weightCount),
          costs: unit.levels.map(\.cost))
      })
  }

  /// Which method, and whether with calibration, a recipe means: the one of its name with most variants.
  private static func source(_ recipe: SearchRecipe, _ methods: [MethodRecord], _ built: [[VariantRecord]]) throws
    -> (method: Int64, usesStatistic: Bool)
  {
    let wanted = methods.filter { $0.name == recipe.method }
    let counts = wanted.map { method in (method.id, built.reduce(0) { $0 + $1.filter { $0.methodID == method.id }.count }) }
    guard let best = counts.max(by: { ($0.1, $1.0) < ($1.1, $0.0) }), best.1 > 0 else {
      throw SearchError.impossible(
        detail: "no \(recipe.method) variants are built; build some with: evodb build FILE --method \(recipe.method) --bits 2,3,4,5,6")
    }
    return (best.0, recipe.method != "rtn")
  }
}

extension VariantRecord {
  fileprivate var statisticKeyClass: Bool { statisticRecipeKey != nil }
}
