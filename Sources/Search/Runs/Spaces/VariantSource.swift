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
      throw SearchError.impossible(
        detail: "no \(name) variants are built; build some with: \(LevelKind.buildCommand(method: name))")
    }
    return best.key
  }
}

/// What a variant's level says.
enum LevelKind: Equatable {
  /// `bits=3`.
  case bits
  /// `zeros=1000`: so many weights are zero, anywhere.
  case zeros
  /// `pattern=2:4`: so many of so many neighbours are zero.
  case pattern

  init?(_ variant: VariantRecord) {
    if variant.level.hasPrefix("bits=") {
      self = .bits
    } else if variant.level.hasPrefix("zeros=") {
      self = .zeros
    } else if variant.level.hasPrefix("pattern=") {
      self = .pattern
    } else {
      return nil
    }
  }

  /// The methods that make weights zero, in the order in which they are looked for.
  static let sparseMethods = ["sparsegpt", "wanda", "magnitude"]

  /// How to build a method's levels.
  static func buildCommand(method: String) -> String {
    sparseMethods.contains(method)
      ? "\(ShellCommand("build", "FILE", options: [("--method", method), ("--sparsity", "0.5")]))"
      : "\(ShellCommand("build", "FILE", options: [("--method", method), ("--bits", "2,3,4,5,6")]))"
  }
}
