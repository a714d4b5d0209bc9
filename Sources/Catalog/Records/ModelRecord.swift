/// A model as the catalog knows it.
public struct ModelRecord: Equatable, Sendable {
  /// Local id.
  public var id: Int64 = 0
  /// Content key.
  public var digest: Digest
  /// Its name, unique in a catalog and local to it.
  public var name: String
  /// `llama`, …
  public var architecture: String
  /// Raised when forward results of the architecture change beyond rounding.
  public var architectureRevision: Int
  /// The architecture fields, JSON.
  public var configuration: String
  /// Transformer blocks.
  public var blockCount: Int
  /// Weights of all tensors.
  public var parameterCount: Int
  /// Weights in compressible layers: the denominator of every average.
  public var compressibleWeightCount: Int

  /// A model that is not stored yet.
  public init(
    digest: Digest, name: String, architecture: String, architectureRevision: Int, configuration: String,
    blockCount: Int, parameterCount: Int, compressibleWeightCount: Int
  ) {
    self.digest = digest
    self.name = name
    self.architecture = architecture
    self.architectureRevision = architectureRevision
    self.configuration = configuration
    self.blockCount = blockCount
    self.parameterCount = parameterCount
    self.compressibleWeightCount = compressibleWeightCount
  }
}

/// Where a model's files lie on this machine.
public struct ModelSource: Equatable, Sendable {
  /// The checkpoint folder, absolute.
  public var folder: String
  /// Names, sizes and modification times of the weight files when last read in full, to notice a change cheaply.
  public var fingerprint: String
  /// SHA-256 of tokenizer.json; nil if there is none.
  public var tokenizerDigest: Digest?

  /// Creates the location of a model's files.
  public init(folder: String, fingerprint: String, tokenizerDigest: Digest?) {
    self.folder = folder
    self.fingerprint = fingerprint
    self.tokenizerDigest = tokenizerDigest
  }
}

/// A tensor of a checkpoint.
public struct TensorRecord: Equatable, Sendable {
  /// Name in the checkpoint.
  public var name: String
  /// BF16, F16, F32, …
  public var dtype: String
  /// Dimensions.
  public var shape: [Int]
  /// SHA-256 of the bytes.
  public var digest: Digest

  /// Creates a description of a tensor.
  public init(name: String, dtype: String, shape: [Int], digest: Digest) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
    self.digest = digest
  }

  /// The dimensions, separated by commas.
  var dimensions: String { shape.map { String($0) }.joined(separator: ",") }

  /// The dimensions of `[8,4]`; nil for anything else.
  static func shape(of text: String) -> [Int]? {
    guard text.hasPrefix("["), text.hasSuffix("]"), text.utf8.count >= 2 else { return nil }
    let inner = text.dropFirst().dropLast()
    if inner.isEmpty { return [] }
    let parts = inner.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    let shape = parts.compactMap { $0 }
    return shape.count == parts.count && shape.allSatisfy { $0 >= 0 } ? shape : nil
  }
}

/// An input that layers share.
public struct SiteRecord: Equatable, Sendable {
  /// Local id.
  public var id: Int64 = 0
  /// `model.layers.3.self_attn.in`.
  public var name: String
  /// 0-based.
  public var blockIndex: Int
  /// Length of an input vector.
  public var width: Int

  /// A site that is not stored yet.
  public init(name: String, blockIndex: Int, width: Int) {
    self.name = name
    self.blockIndex = blockIndex
    self.width = width
  }
}

/// One compressible linear weight of a model.
public struct LayerRecord: Equatable, Sendable {
  /// Local id.
  public var id: Int64 = 0
  /// Position in the model.
  public var index: Int
  /// `model.layers.3.self_attn.q_proj`.
  public var name: String
  /// 0-based.
  public var blockIndex: Int
  /// `attention` or `mlp`.
  public var subblock: String
  /// `q_proj`, `k_proj`, …
  public var role: String
  /// The site its input is measured at.
  public var siteName: String
  /// Local id of the dense weight.
  public var weightID: Int64 = 0
  /// Content key of the dense weight.
  public var weightDigest: Digest
  /// Rows.
  public var outputCount: Int
  /// Columns.
  public var inputCount: Int
  /// Bits per weight in the checkpoint.
  public var denseBits: Int

  /// Weights of the layer.
  public var weightCount: Int { outputCount * inputCount }
  /// `3.attention`.
  public var subblockName: String { "\(blockIndex).\(subblock)" }

  /// A layer that is not stored yet.
  public init(
    index: Int, name: String, blockIndex: Int, subblock: String, role: String, siteName: String, weightDigest: Digest,
    outputCount: Int, inputCount: Int, denseBits: Int
  ) {
    self.index = index
    self.name = name
    self.blockIndex = blockIndex
    self.subblock = subblock
    self.role = role
    self.siteName = siteName
    self.weightDigest = weightDigest
    self.outputCount = outputCount
    self.inputCount = inputCount
    self.denseBits = denseBits
  }
}

extension ModelRecord: StoredRecord {
  static let table = TableDescription.model
  static let blank = ModelRecord(
    digest: .zero, name: "", architecture: "", architectureRevision: 0, configuration: "", blockCount: 0,
    parameterCount: 0, compressibleWeightCount: 0)
  static let fields = [
    Field("id", \Self.id), Field("digest", \.digest), Field("name", \.name), Field("architecture", \.architecture),
    Field("architecture_revision", \.architectureRevision), Field("configuration", \.configuration),
    Field("block_count", \.blockCount), Field("parameter_count", \.parameterCount),
    Field("compressible_weight_count", \.compressibleWeightCount),
  ]
}

extension ModelSource: StoredRecord {
  static let table = TableDescription.modelSource
  static let blank = ModelSource(folder: "", fingerprint: "", tokenizerDigest: nil)
  static let fields = [
    Field("folder", \Self.folder), Field("fingerprint", \.fingerprint), Field("tokenizer_digest", \.tokenizerDigest),
  ]
}

extension TensorRecord: StoredRecord {
  static let table = TableDescription.tensor
  static let blank = TensorRecord(name: "", dtype: "", shape: [], digest: .zero)
  static let fields = [
    Field("name", \Self.name), Field("dtype", \.dtype), Field("shape", \.shape), Field("digest", \.digest),
  ]
}

/// The dimensions of a tensor: `[8,4]`.
extension [Int]: ColumnValue {
  static var type: ColumnDescription.ValueType { .text }
  init(_ statement: Statement, _ index: Int) throws {
    let text = statement.text(index)
    guard let shape = TensorRecord.shape(of: text) else {
      throw CatalogError.damaged("the shape ‘\(text)’ of a tensor is no list of integers")
    }
    self = shape
  }
  var stored: SQLValue { .text("[\(map { String($0) }.joined(separator: ","))]") }
}

extension SiteRecord: StoredRecord {
  static let table = TableDescription.site
  static let blank = SiteRecord(name: "", blockIndex: 0, width: 0)
  static let fields = [
    Field("id", \Self.id), Field("name", \.name), Field("block_index", \.blockIndex), Field("width", \.width),
  ]
}
