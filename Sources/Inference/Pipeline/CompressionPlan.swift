import Catalog

/// What is kept of the Hessians.
public enum KeptStatistics: String, Sendable, CaseIterable {
  /// The whole matrix: levels can be built later without calibrating again.
  case all
  /// Its diagonal.
  case diagonal
  /// Nothing but its key.
  case none
}

/// What a calibration or a build is to produce.
public struct CompressionPlan: Sendable {
  /// Calibration data; nil where no method needs any.
  public var data: DataSetRecord?
  /// Treatment of earlier blocks.
  public var upstream: Upstream
  /// What to keep of the Hessians.
  public var keeps: KeptStatistics
  /// Whether Hessians are wanted for themselves.
  public var calibrates: Bool
  /// Method of the wanted variants; nil: none wanted.
  public var method: QuantizationMethod?
  /// Their bit-widths.
  public var bits: [Int]
  /// The layers that get variants, or for a calibration those whose inputs are measured; nil: all.
  ///
  /// It limits the work and changes no key: earlier blocks are treated as `upstream` says in any case.
  public var layers: LayerSelection?

  /// All fields.
  public init(
    data: DataSetRecord?, upstream: Upstream, keeps: KeptStatistics, calibrates: Bool, method: QuantizationMethod?,
    bits: [Int]
  ) {
    self.data = data
    self.upstream = upstream
    self.keeps = keeps
    self.calibrates = calibrates
    self.method = method
    self.bits = bits
  }

  /// A variant to be: method and bit-width.
  struct Level: Hashable {
    var method: QuantizationMethod
    var bits: Int
  }

  /// All levels that a block needs: those asked for, and the one that later blocks are calibrated behind.
  var levels: [Level] {
    var wanted = method.map { method in bits.map { Level(method: method, bits: $0) } } ?? []
    if case .quantized(let method, let bits) = upstream, needsHessians {
      wanted.append(Level(method: method, bits: bits))
    }
    return wanted.enumerated().filter { !wanted[..<$0.offset].contains($0.element) }.map(\.element)
  }

  /// The levels that a layer of block `block` needs.
  ///
  /// - Parameters:
  ///   - isSelected: whether the layer is one of `layers`.
  ///   - lastBlock: the last block with a layer of `layers`.
  func levels(isSelected: Bool, block: Int, lastBlock: Int) -> [Level] {
    if isSelected { return levels }
    guard block < lastBlock, needsHessians, case .quantized(let method, let bits) = upstream else { return [] }
    return [Level(method: method, bits: bits)]
  }

  /// Whether Hessians are needed at all.
  public var needsHessians: Bool { calibrates || method?.algorithm == .gptq }
}

/// Keys of computed artefacts: what was asked, spelled out.
enum RecipeKey {
  /// Raised when accumulated Hessians change beyond rounding.
  static let hessianRevision = 1

  /// A site's Hessian. The first block has nothing before it, so its upstream treatment is always dense.
  static func hessian(
    model: ModelRecord, site: SiteRecord, data: DataSetRecord, upstream: (method: MethodRecord, level: String)?
  ) -> Digest {
    var key = CanonicalRecord(kind: "statistic")
    key.set("kind", "hessian")
    key.set("revision", hessianRevision)
    key.set("architecture_revision", model.architectureRevision)
    key.set("model", model.digest)
    key.set("site", site.name)
    key.set("data", data.digest)
    if site.blockIndex > 0, let upstream {
      key.set("upstream_method", upstream.method.digest)
      key.set("upstream_level", upstream.level)
    }
    return key.digest
  }

  /// A compressed layer.
  static func variant(weight: Digest, method: MethodRecord, level: String, statistic: Digest?) -> Digest {
    var key = CanonicalRecord(kind: "variant")
    key.set("weight", weight)
    key.set("method", method.digest)
    key.set("level", level)
    key.set("statistic", statistic)
    return key.digest
  }
}
