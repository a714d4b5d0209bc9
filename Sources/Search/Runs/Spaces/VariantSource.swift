import Catalog

/// A method under certain conditions of calibration: the variants that a space takes of a method all come from one.
struct VariantSource: Hashable {
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
  ///
  /// - Throws: `SearchError.impossible` naming what has to be built.
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
      throw SearchError.notBuilt(detail: "no \(name) variants are built", method: name, rules: [])
    }
    return best.key
  }
}
