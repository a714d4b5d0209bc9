import Catalog

/// The part of the Hessians that is stored.
public enum KeptStatistics: String, Sendable, CaseIterable {
  /// The whole matrix: levels can be built later without calibrating again.
  case all
  /// Its diagonal.
  case diagonal
  /// Nothing but its key.
  case none
}

/// The statistics and variants that a calibration or a build shall make.
public struct CompressionPlan: Sendable {
  /// Calibration data; nil where no method needs any.
  public var data: DataSetRecord?
  /// Treatment of earlier blocks.
  public var upstream: Upstream
  /// The part of the Hessians to store.
  public var keeps: KeptStatistics
  /// Whether Hessians are wanted for themselves.
  public var calibrates: Bool
  /// Method of the wanted variants; nil: none wanted.
  public var method: CompressionMethod?
  /// Their levels.
  public var rules: [LevelRule]
  /// The layers that get variants, or for a calibration those whose inputs are measured; nil: all.
  ///
  /// It limits the work and changes no key: earlier blocks are treated as `upstream` says in any case.
  public var layers: LayerSelection?

  /// Creates a plan.
  public init(
    data: DataSetRecord?, upstream: Upstream, keeps: KeptStatistics, calibrates: Bool, method: CompressionMethod?,
    rules: [LevelRule]
  ) {
    self.data = data
    self.upstream = upstream
    self.keeps = keeps
    self.calibrates = calibrates
    self.method = method
    self.rules = rules
  }

  /// Variants to be: a method at one level of every layer.
  struct Stage: Hashable {
    var method: CompressionMethod
    var rule: LevelRule
  }

  /// A variant of a layer to be.
  struct LayerLevel: Hashable {
    var method: CompressionMethod
    var level: Level
  }

  /// All that a block needs: what is asked for, and what later blocks are calibrated behind.
  var stages: [Stage] {
    var wanted = method.map { method in rules.map { Stage(method: method, rule: $0) } } ?? []
    if let upstreamStage { wanted.append(upstreamStage) }
    return wanted.enumerated().filter { !wanted[..<$0.offset].contains($0.element) }.map(\.element)
  }

  /// The method and level of the earlier blocks when later ones are calibrated; nil if they are dense, or nothing is
  /// calibrated.
  var upstreamStage: Stage? {
    guard case .compressed(let method, let rule) = upstream, calibrates || self.method?.needsData == true else {
      return nil
    }
    return Stage(method: method, rule: rule)
  }

  /// The variants of a layer, each once.
  func levels(of layer: LayerRecord) -> [LayerLevel] {
    let wanted = stages.compactMap { stage in
      stage.rule.level(weightCount: layer.weightCount).map { LayerLevel(method: stage.method, level: $0) }
    }
    return wanted.enumerated().filter { !wanted[..<$0.offset].contains($0.element) }.map(\.element)
  }

  /// The variants that a layer needs, each once.
  ///
  /// - Parameters:
  ///   - isSelected: whether the layer is one of `layers`.
  ///   - lastBlock: the last block with a layer of `layers`.
  func levels(of layer: LayerRecord, isSelected: Bool, lastBlock: Int) -> [LayerLevel] {
    if isSelected { return levels(of: layer) }
    guard layer.blockIndex < lastBlock, let stage = upstreamStage,
      let level = stage.rule.level(weightCount: layer.weightCount)
    else { return [] }
    return [LayerLevel(method: stage.method, level: level)]
  }

  /// The variants of every layer by its index, and the blocks with a layer that is to be compressed or measured.
  ///
  /// - Throws: `InferenceError.impossible` if no layer is selected.
  func levelsByLayer(_ all: [LayerRecord]) throws -> (levels: [Int: [LayerLevel]], selectedBlocks: Set<Int>) {
    let selected = Set(try layers?.indices(in: all.map(\.name)) ?? Array(all.indices))
    let blocks = Set(selected.map { all[$0].blockIndex })
    let lastBlock = blocks.max() ?? 0
    let byIndex = all.enumerated().map { place, layer in
      (layer.index, levels(of: layer, isSelected: selected.contains(place), lastBlock: lastBlock))
    }
    return (Dictionary(uniqueKeysWithValues: byIndex), blocks)
  }

  /// The statistic of the layers' inputs that the plan needs.
  var need: StatisticNeed {
    max(calibrates ? .matrix : .nothing, stages.map(\.method.need).max() ?? .nothing)
  }

  /// Whether statistics are needed at all.
  public var needsStatistics: Bool { need > .nothing }
}

/// The statistic that Hessians are.
enum HessianStatistic {
  static let kind = "hessian"
  /// Raised when accumulated Hessians change beyond rounding.
  static let revision = 1

  /// Recipe key of a site's Hessian. The first block has nothing before it, so its upstream treatment is always dense.
  static func recipeKey(
    model: ModelRecord, site: SiteRecord, data: DataSetRecord, upstream: (method: MethodRecord, level: String)?
  ) -> Digest {
    ArtefactKey.statistic(
      kind: kind, revision: Int64(revision), architectureRevision: Int64(model.architectureRevision),
      model: model.digest, site: site.name, data: data.digest,
      upstream: site.blockIndex > 0 ? upstream.map { ($0.method.digest, $0.level) } : nil)
  }
}
