/// A choice for every layer of a model: a variant, dense, or dropped with its subblock.
public struct AssignmentRecord: Equatable, Sendable {
  /// Local id.
  public var id: Int64
  /// Content key.
  public var digest: Digest
  /// Local id of the model.
  public var modelID: Int64
  /// By layer index; nil: dense or dropped.
  public var variantIDs: [Int64?]
  /// `3.attention`, sorted.
  public var droppedSubblocks: [String]
  /// Sum over layers under cost `codes`.
  public var codeBits: Int64
  /// Sum over layers under cost `stored`.
  public var storedBits: Int64
}

/// A measure of fitness, with its parameters: the question that observations answer.
public struct MeasureRecord: Hashable, Sendable {
  /// Local id.
  public var id: Int64 = 0
  /// `kl`, `topk-kl`, `perplexity`, `continuation`; with `-bfloat16` behind it for products rounded so.
  public var name: String
  /// k of `topk-kl`.
  public var topK: Int?
  /// Of `continuation`: index of the first token it is about.
  public var firstToken: Int?
  /// `dense` or `none`.
  public var reference: String
  /// Raised when results change beyond rounding.
  public var revision: Int

  /// A measure that is not stored yet.
  public init(name: String, topK: Int?, firstToken: Int? = nil, reference: String, revision: Int) {
    self.name = name
    self.topK = topK
    self.firstToken = firstToken
    self.reference = reference
    self.revision = revision
  }

  /// The name with its parameter, as the view `measure_summary` gives it: `topk-kl:10`.
  public var label: String { (topK ?? firstToken).map { "\(name):\($0)" } ?? name }

  /// Content key.
  public var digest: Digest {
    var record = CanonicalRecord(kind: "measure")
    record.set("name", name)
    record.set("top_k", topK)
    record.set("first_token", firstToken)
    record.set("reference", reference)
    record.set("revision", revision)
    return record.digest
  }
}

/// An answer: the sum of a measure over the predictions of one sequence.
public struct Observation: Equatable, Sendable {
  /// KL or negative log-likelihood in nats; nil: diverged.
  public var sum: Double?
  /// Tokens predicted.
  public var predictionCount: Int

  /// Creates an answer.
  public init(sum: Double?, predictionCount: Int) {
    self.sum = sum
    self.predictionCount = predictionCount
  }
}

extension Observation {
  /// The answer in a row with `sum` and `prediction_count`.
  init(_ row: Row) throws {
    self.init(sum: try row.value("sum"), predictionCount: try row.value("prediction_count"))
  }
}

extension MeasureRecord: StoredRecord {
  static let table = TableDescription.measure
  static let blank = MeasureRecord(name: "", topK: nil, reference: "", revision: 0)
  static let fields = [
    Field("id", \Self.id), Field("digest", writing: \.digest), Field("name", \.name), Field("top_k", \.topK),
    Field("first_token", \.firstToken), Field("reference", \.reference), Field("revision", \.revision),
  ]
}

/// The arithmetic that computed a result: libraries and instruction sets, not the machine.
public struct NumericsRecord: Equatable, Sendable {
  /// OpenBLAS's version; empty where the products are evodb's own.
  public var blasVersion: String
  /// The kernel set OpenBLAS chose; empty likewise.
  public var blasCore: String
  /// evodb's own: the arithmetic of its products, unless OpenBLAS made them, and of all else.
  public var kernels: String

  /// Creates a description of an arithmetic.
  public init(blasVersion: String, blasCore: String, kernels: String) {
    self.blasVersion = blasVersion
    self.blasCore = blasCore
    self.kernels = kernels
  }

  /// Content key.
  public var digest: Digest {
    var record = CanonicalRecord(kind: "numerics")
    record.set("blas_version", blasVersion)
    record.set("blas_core", blasCore)
    record.set("kernels", kernels)
    return record.digest
  }
}

extension NumericsRecord: StoredRecord {
  static let table = TableDescription.numerics
  static let blank = NumericsRecord(blasVersion: "", blasCore: "", kernels: "")
  static let fields = [
    Field("digest", writing: \Self.digest), Field("blas_version", \.blasVersion), Field("blas_core", \.blasCore),
    Field("kernels", \.kernels),
  ]
}
