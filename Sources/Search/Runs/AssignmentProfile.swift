import Catalog
import Foundation
import Inference

/// Profiles of EvoPress as assignments of a catalog, and back.
public enum AssignmentProfile {
  /// Longest profile read, in bytes; a model of a thousand blocks has less than one.
  private static let byteLimit = 16 << 20

  /// Reads a profile's file. Its numbers are steps where what a step is, or a method that prunes, is given.
  ///
  /// - Throws: `InferenceError` for what cannot be read or is too large; `SearchError.invalidProfile` naming the line, or if
  ///   it is not text; `.invalidParameter` for a scale that the profile has no use for.
  public static func read(
    _ path: String, method: String?, scale: SparsityScale?, cancellation: Cancellation? = nil
  ) throws -> EvoPressProfile {
    let bytes = try InputText.bytes(of: InputFile(path), limit: byteLimit, cancellation: cancellation)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw SearchError.invalidProfile(detail: "\(path) is not UTF-8 text, so no profile")
    }
    let prunes = method.map { MethodRegistry.shared.names(offering: .zeros).contains($0) } ?? false
    let profile = try EvoPressProfile(text, isOfSteps: scale != nil || prunes)
    if case .depth = profile, scale != nil {
      throw SearchError.invalidParameter(
        detail: "\(path) says which halves of blocks are removed; a sparsity and a step have no use for it")
    }
    return profile
  }

  // MARK: In

  /// Stores the assignment that a profile describes, or finds it.
  ///
  /// - Parameters:
  ///   - method: where levels are taken from; nil: `gptq` for bits, for types and steps the first method with such levels that
  ///     has variants.
  ///   - scale: the meaning of steps.
  /// - Throws: `SearchError.invalidProfile` if the profile does not fit the model, `.impossible` for levels that are not
  ///   built, `.unknownStep` for steps without a scale.
  public static func store(
    _ profile: EvoPressProfile, model: ModelRecord, method: String?, scale: SparsityScale?, tx: CatalogTransaction
  ) throws -> AssignmentRecord {
    let layers = try tx.layers(ofModel: model.id)
    switch profile {
    case .depth(let profile):
      guard profile.removals.count == model.blockCount else {
        throw SearchError.invalidProfile(
          detail: "the profile has \(profile.removals.count) lines; \(model.name) has \(model.blockCount) blocks")
      }
      return try tx.store(
        assignmentOf: model, layers: layers, variants: layers.map { _ in nil }, methods: [:], dropped: profile.dropped)
    case .quantization(let profile) where profile.entries.contains { $0.level != nil }:
      let values = try byLayer(namesOfLayers(profile.entries, layers).map { ($0.layer, $0) }, layers)
      let standard = try AssignmentReference.builtMethod(offering: .type, tx) ?? KQuantMethod.name
      return try store(model, layers, method: method ?? standard, tx) { layer, built in
        let entry = values[layer.index]
        guard let type = entry.level?.type else {
          throw SearchError.invalidProfile(
            detail: "\(layer.name): the profile names files, but this line names none of the form BITS-TYPE.pth")
        }
        let level = Level.type(type.name).description
        if let variant = built.first(where: { $0.level == level }) { return variant }
        // Plain numbers are what a dense layer has.
        if [GGUFType.float16, .bfloat16, .float32].contains(type) { return nil }
        throw notBuilt(type.name, layer, built)
      }
    case .quantization(let profile):
      let values = try byLayer(profile.entries.map { ($0.layer, $0.bits) }, layers)
      return try store(model, layers, method: method ?? GPTQMethod.name, tx) { layer, built in
        let bits = values[layer.index]
        if let variant = built.first(where: { $0.bits == bits }) { return variant }
        throw notBuilt("\(bits.formatted) bits", layer, built)
      }
    case .sparsity(let profile):
      let values = try byLayer(profile.entries.map { ($0.layer, $0.level) }, layers)
      guard let scale else { throw SearchError.unknownStep }
      let known = Set(try tx.methods().map(\.name))
      let standard = MethodRegistry.shared.names(offering: .zeros).first { known.contains($0) } ?? SparseGPTMethod.name
      return try store(model, layers, method: method ?? standard, tx) { layer, built in
        let level = values[layer.index]
        guard let zeros = scale.zeros(level: level, weightCount: layer.weightCount) else {
          throw SearchError.impossible(
            detail: "\(layer.name): level \(level) is outside of its \(layer.weightCount) weights")
        }
        if let variant = built.first(where: { $0.level == Level.zeros(zeros).description }) { return variant }
        // All or nothing is dense or needs no pruning method.
        if zeros == 0 { return nil }
        throw notBuilt("\(zeros) zeros (level \(level))", layer, built)
      }
    }
  }

  private static func store(
    _ model: ModelRecord, _ layers: [LayerRecord], method: String, _ tx: CatalogTransaction,
    choose: (LayerRecord, [VariantRecord]) throws -> VariantRecord?
  ) throws -> AssignmentRecord {
    let methods = try tx.methods()
    let built = try layers.map { try tx.variants(ofWeight: $0.weightID) }
    let source = try VariantSource.mostBuilt(method: method, methods, layers, built)
    let variants = try zip(layers, built).map { layer, list in
      try choose(layer, list.filter { source.made($0, ofBlock: layer.blockIndex) })
    }
    return try tx.store(
      assignmentOf: model, layers: layers, variants: variants,
      methods: Dictionary(uniqueKeysWithValues: methods.map { ($0.id, $0.digest) }), dropped: [])
  }

  /// A profile's values by layer index; it must name every layer and nothing else.
  private static func byLayer<Value>(_ entries: [(name: String, value: Value)], _ layers: [LayerRecord]) throws
    -> [Value]
  {
    let values = Dictionary(entries.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    let names = Set(layers.map(\.name))
    let unknown = entries.filter { !names.contains($0.name) }
    let missing = layers.filter { values[$0.name] == nil }
    func sentence(_ what: String, _ all: [String]) -> String? {
      all.first.map { all.count == 1 ? "\(what) \($0)" : "\(what) \(all.count) layers, the first of them \($0)" }
    }
    let faults = [
      sentence("it has no line for", missing.map(\.name)),
      sentence("it names what the model does not have:", unknown.map(\.name)),
    ].compactMap { $0 }
    guard faults.isEmpty else {
      throw SearchError.invalidProfile(
        detail: "the profile of \(entries.count) layers does not fit the model's \(layers.count): "
          + faults.joined(separator: "; "))
    }
    return layers.compactMap { values[$0.name] }
  }

  private static func notBuilt(_ wanted: String, _ layer: LayerRecord, _ built: [VariantRecord]) -> SearchError {
    .impossible(
      detail: "\(layer.name): \(wanted) are not built; there are "
        + built.sorted { ($0.codeBits, $0.level) < ($1.codeBits, $1.level) }.map(\.level).joined(separator: ", "))
  }

  // MARK: Out

  /// The profile of an assignment, its layers in the model's order.
  ///
  /// - Parameter scale: the meaning of steps; needed for sparse assignments.
  /// - Throws: `SearchError.noProfile` for an assignment that mixes applications; `.unknownStep` for sparsity without a
  ///   scale.
  public static func profile(
    of assignment: AssignmentRecord, model: ModelRecord, scale: SparsityScale?, tx: CatalogTransaction
  ) throws -> EvoPressProfile {
    let layers = try tx.layers(ofModel: model.id)
    let variants = try assignment.variantIDs.map { try $0.map { try tx.variant(id: $0) } }
    guard layers.count == variants.count else {
      throw CatalogError.damaged("assignment \(assignment.digest.short) does not have one entry per layer")
    }
    if variants.allSatisfy({ $0 == nil }) {
      return .depth(DepthProfile(blockCount: model.blockCount, dropped: Set(assignment.droppedSubblocks)))
    }
    guard assignment.droppedSubblocks.isEmpty else {
      throw unsayable(assignment, "compresses layers and drops \(assignment.droppedSubblocks.count) subblocks")
    }
    if variants.allSatisfy({ $0?.bits != nil }) {
      return .quantization(
        QuantizationProfile(
          entries: zip(layers, variants).map { QuantizationProfile.Entry(layer: $0.name, bits: $1?.bits ?? 0) }))
    }
    // A dense layer has no zeros to speak of.
    let zeros = try variants.map { variant -> Int in
      guard let variant else { return 0 }
      guard case .zeros(let count) = try variant.setting else {
        throw unsayable(assignment, "has levels of several kinds, or patterns")
      }
      return count
    }
    guard let scale else { throw SearchError.unknownStep }
    return .sparsity(
      SparsityProfile(
        entries: try zip(layers, zeros).map { layer, zeros in
          guard let level = scale.level(zeros: zeros, weightCount: layer.weightCount) else {
            throw SearchError.impossible(
              detail:
                "\(layer.name) has \(zeros) zeros, which is no whole number of \(scale.stepWeightCount) weights "
                + "from a sparsity of \(scale.target.formatted)")
          }
          return SparsityProfile.Entry(layer: layer.name, level: level)
        }))
  }

  static func unsayable(_ assignment: AssignmentRecord, _ reason: String) -> SearchError {
    .noProfile(assignment: assignment.digest.short, reason: reason)
  }
}

extension Double {
  /// Without a point if it is whole.
  fileprivate var formatted: String { Int(exactly: self).map { String($0) } ?? String(self) }
}
