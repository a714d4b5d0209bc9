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
    let source = try VariantSource.mostBuilt(method: recipe.method, methods, layers, built)
    let perLayer = zip(layers, built).map { layer, list in
      Dictionary(
        list.filter { source.made($0, ofBlock: layer.blockIndex) }.map { ($0.level, $0) },
        uniquingKeysWith: { first, _ in first })
    }
    var common = perLayer.reduce(Set(perLayer.first?.keys.map { $0 } ?? [])) { $0.intersection($1.keys) }
    if !recipe.bits.isEmpty {
      for bits in recipe.bits where !common.contains("bits=\(bits)") {
        throw SearchError.impossible(
          detail:
            "\(bits) bits are not built for every layer; build them with: evodb build FILE --method \(recipe.method) --bits \(bits)"
        )
      }
      common.formIntersection(recipe.bits.map { "bits=\($0)" })
    }
    guard !common.isEmpty else {
      throw SearchError.impossible(
        detail:
          "no level of \(recipe.method) is built for every layer; build some with: evodb build FILE --method \(recipe.method) --bits 2,3,4,5,6"
      )
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
          throw CatalogError.damaged(
            "assignment \(assignment.digest.short): layer \(layer.name) has a variant of another space")
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
}

/// A method under certain conditions of calibration: the variants of a space all come from one.
private struct VariantSource: Hashable {
  var methodID: Int64
  var calibration: VariantRecord.Calibration?

  /// Whether the variant of a layer of a block comes from here. The first block has nothing before it.
  func made(_ variant: VariantRecord, ofBlock block: Int) -> Bool {
    guard variant.methodID == methodID else { return false }
    return block > 0
      ? variant.calibration == calibration
      : variant.calibration?.sequenceListID == calibration?.sequenceListID
  }

  /// Of all sources with the method's name the one with most variants, ties to the newest.
  static func mostBuilt(
    method name: String, _ methods: [MethodRecord], _ layers: [LayerRecord], _ built: [[VariantRecord]]
  ) throws -> VariantSource {
    let ids = Set(methods.filter { $0.name == name }.map(\.id))
    let onlyOneBlock = layers.allSatisfy { $0.blockIndex == 0 }
    var counts: [VariantSource: (count: Int, newest: Int64)] = [:]
    for (layer, list) in zip(layers, built) where layer.blockIndex > 0 || onlyOneBlock {
      for variant in list where ids.contains(variant.methodID) {
        let source = VariantSource(methodID: variant.methodID, calibration: variant.calibration)
        let known = counts[source] ?? (0, 0)
        counts[source] = (known.count + 1, max(known.newest, variant.id))
      }
    }
    guard let best = counts.max(by: { $0.value < $1.value }) else {
      throw SearchError.impossible(
        detail: "no \(name) variants are built; build some with: evodb build FILE --method \(name) --bits 2,3,4,5,6")
    }
    return best.key
  }
}
