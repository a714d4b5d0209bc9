/// A compression method with all its parameters except the level.
public struct MethodRecord: Equatable, Sendable {
  /// Local id.
  public var id: Int64 = 0
  /// Content key.
  public var digest: Digest
  /// `gptq`, `rtn`, …
  public var name: String
  /// Raised when results change beyond rounding.
  public var revision: Int
  /// All parameters with their values, JSON.
  public var parameters: String
  /// The bytes that the digest is of.
  var canonical: String

  /// A method that is not stored yet.
  ///
  /// - Parameter key: kind `method`, with name, revision and the parameters that are not at their defaults.
  public init(name: String, revision: Int, parameters: String, key: CanonicalRecord) {
    self.digest = key.digest
    self.canonical = String(decoding: key.bytes, as: UTF8.self)
    self.name = name
    self.revision = revision
    self.parameters = parameters
  }
}

/// An accumulated calibration result of a site.
public struct StatisticRecord: Equatable, Sendable {
  /// Local id.
  public var id: Int64 = 0
  /// Digest of the request: kind, revision, model, site, data, upstream (`ArtefactKey.statistic`).
  public var recipeKey: Digest
  /// SHA-256 of the accumulated matrix.
  public var contentKey: Digest
  /// `hessian`.
  public var kind: String
  /// Of the kind.
  public var revision: Int
  /// Local id of the site.
  public var siteID: Int64
  /// Local id of the calibration sequences.
  public var sequenceListID: Int64
  /// How earlier blocks were compressed; nil: dense.
  public var upstreamMethodID: Int64?
  /// Their level; nil: dense.
  public var upstreamLevel: String?
  /// Local id of the kept diagonal; nil: not kept.
  public var diagonalBlobID: Int64?
  /// Local id of the kept matrix; nil: not kept.
  public var matrixBlobID: Int64?
  /// Local id of what computed it.
  public var numericsID: Int64

  /// Creates a statistic that is not stored yet.
  public init(
    recipeKey: Digest, contentKey: Digest, kind: String, revision: Int, siteID: Int64, sequenceListID: Int64,
    upstreamMethodID: Int64?, upstreamLevel: String?, numericsID: Int64
  ) {
    self.recipeKey = recipeKey
    self.contentKey = contentKey
    self.kind = kind
    self.revision = revision
    self.siteID = siteID
    self.sequenceListID = sequenceListID
    self.upstreamMethodID = upstreamMethodID
    self.upstreamLevel = upstreamLevel
    self.numericsID = numericsID
  }
}

/// The compressed weights of one layer at one level.
public struct VariantRecord: Equatable, Sendable {
  /// The conditions of a calibration.
  public struct Calibration: Hashable, Sendable {
    /// Local id of the calibration sequences.
    public var sequenceListID: Int64
    /// Local id of the method that compressed earlier blocks; nil: dense, or nothing before.
    public var upstreamMethodID: Int64?
    /// Its level.
    public var upstreamLevel: String?
  }

  /// Local id.
  public var id: Int64 = 0
  /// Digest of the request: weight, method, level, recipe key of the statistic (`ArtefactKey.variant`).
  public var recipeKey: Digest
  /// SHA-256 of the packed bytes.
  public var contentKey: Digest
  /// Local id of the dense weight.
  public var weightID: Int64
  /// Local id of the method.
  public var methodID: Int64
  /// The physical level as text, `bits=3`, `zeros=32768` or `pattern=2:4`.
  public var level: String
  /// Bits per weight of the codes; nil: not a quantization.
  public var bits: Double?
  /// Share of pruned weights; nil: not a sparsification.
  public var sparsity: Double?
  /// Calibration it rests on.
  public var statisticRecipeKey: Digest?
  /// The realisation used.
  public var statisticID: Int64?
  /// On what data and behind what it was calibrated; set on stored variants that rest on a statistic.
  public var calibration: Calibration?
  /// Relative layer error.
  public var nmse: Double?
  /// Size in bits under cost `codes`.
  public var codeBits: Int64
  /// Size in bits under cost `stored`.
  public var storedBits: Int64
  /// Local id of the packed bytes.
  public var blobID: Int64 = 0
  /// Damping fraction that made the Hessian factor.
  public var dampingUsed: Double?
  /// Inputs that were always zero.
  public var deadInputCount: Int
  /// Numerical trouble in words.
  public var trouble: String?
  /// Local id of what computed it.
  public var numericsID: Int64

  /// Creates a variant that is not stored yet.
  public init(
    recipeKey: Digest, contentKey: Digest, weightID: Int64, methodID: Int64, level: String, bits: Double?,
    sparsity: Double?, statisticRecipeKey: Digest?, statisticID: Int64?, nmse: Double?, codeBits: Int64,
    storedBits: Int64, dampingUsed: Double?, deadInputCount: Int, trouble: String?, numericsID: Int64
  ) {
    self.recipeKey = recipeKey
    self.contentKey = contentKey
    self.weightID = weightID
    self.methodID = methodID
    self.level = level
    self.bits = bits
    self.sparsity = sparsity
    self.statisticRecipeKey = statisticRecipeKey
    self.statisticID = statisticID
    self.nmse = nmse
    self.codeBits = codeBits
    self.storedBits = storedBits
    self.dampingUsed = dampingUsed
    self.deadInputCount = deadInputCount
    self.trouble = trouble
    self.numericsID = numericsID
  }
}

/// The setting that all layers of a uniform assignment share.
public struct UniformSetting: Equatable, Sendable {
  /// The level of every layer; nil where layers of different sizes have different numbers of zeros.
  public var level: String?
  /// Share of pruned weights; nil: nothing is pruned.
  public var sparsity: Double?
}

extension MethodRecord: StoredRecord {
  static let table = TableDescription.method
  static let blank = MethodRecord(name: "", revision: 0, parameters: "", key: CanonicalRecord(kind: "method"))
  static let fields = [
    Field("id", \Self.id), Field("digest", \.digest), Field("name", \.name), Field("revision", \.revision),
    Field("parameters", \.parameters), Field("canonical", \.canonical),
  ]
}

extension StatisticRecord: StoredRecord {
  static let table = TableDescription.statistic
  static let blank = StatisticRecord(
    recipeKey: .zero, contentKey: .zero, kind: "", revision: 0, siteID: 0, sequenceListID: 0, upstreamMethodID: nil,
    upstreamLevel: nil, numericsID: 0)
  static let fields = [
    Field("id", \Self.id), Field("recipe_key", \.recipeKey), Field("content_key", \.contentKey), Field("kind", \.kind),
    Field("revision", \.revision), Field("site_id", \.siteID), Field("sequence_list_id", \.sequenceListID),
    Field("upstream_method_id", \.upstreamMethodID), Field("upstream_level", \.upstreamLevel),
    Field("diagonal_blob_id", \.diagonalBlobID), Field("matrix_blob_id", \.matrixBlobID),
    Field("numerics_id", \.numericsID),
  ]
}

extension VariantRecord: StoredRecord {
  static let table = TableDescription.variant
  static let blank = VariantRecord(
    recipeKey: .zero, contentKey: .zero, weightID: 0, methodID: 0, level: "", bits: nil, sparsity: nil,
    statisticRecipeKey: nil, statisticID: nil, nmse: nil, codeBits: 0, storedBits: 0, dampingUsed: nil,
    deadInputCount: 0, trouble: nil, numericsID: 0)
  static let fields = [
    Field("id", \Self.id), Field("recipe_key", \.recipeKey), Field("content_key", \.contentKey),
    Field("weight_id", \.weightID), Field("method_id", \.methodID), Field("level", \.level), Field("bits", \.bits),
    Field("sparsity", \.sparsity), Field("statistic_recipe_key", \.statisticRecipeKey),
    Field("statistic_id", \.statisticID), Field("nmse", \.nmse), Field("code_bits", \.codeBits),
    Field("stored_bits", \.storedBits), Field("blob_id", \.blobID), Field("damping_used", \.dampingUsed),
    Field("dead_input_count", \.deadInputCount), Field("trouble", \.trouble), Field("numerics_id", \.numericsID),
  ]
}
