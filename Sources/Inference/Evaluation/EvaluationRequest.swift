import struct Catalog.Digest
import struct Catalog.SHA256

/// A model under one arithmetic: two processes with equal ones get equal bits.
public struct EvaluatedModel: Hashable, Sendable {
  /// Content key of the model.
  public var digest: Digest
  /// Revision of its forward pass.
  public var architectureRevision: Int
  /// Digest of the arithmetic.
  public var numerics: Digest

  /// Creates a model under an arithmetic.
  public init(digest: Digest, architectureRevision: Int, numerics: Digest) {
    self.digest = digest
    self.architectureRevision = architectureRevision
    self.numerics = numerics
  }
}

/// A piece of work: the sums of measures for some candidates on one sequence.
///
/// Model, weights and tokens are named by content, so that every process that holds them can answer.
public struct EvaluationRequest: Equatable, Sendable {
  private static let kind = "evaluation-request"

  /// SHA-256 of `bytes`, by which an answer names its request.
  public let key: Digest
  /// Which model under which arithmetic.
  public let model: EvaluatedModel
  /// The sequence, at least 2 ids.
  public let tokenIDs: [Int32]
  /// The measures to sum up, each once.
  public let measures: [Measure]
  /// The assignments to evaluate, all with as many layers as the model.
  public let candidates: [LayerChoices]
  /// Content key of the dense model's last hidden state; nil only if no measure needs it.
  public let teacherState: Digest?
  /// The canonical bytes.
  public var bytes: [UInt8] { Self.bytes(model, tokenIDs, measures, candidates, teacherState) }

  /// Creates a request; its key follows from the rest.
  public init(
    model: EvaluatedModel, tokenIDs: [Int32], measures: [Measure], candidates: [LayerChoices], teacherState: Digest?
  ) {
    key = SHA256.digest(of: Self.bytes(model, tokenIDs, measures, candidates, teacherState))
    self.model = model
    self.tokenIDs = tokenIDs
    self.measures = measures
    self.candidates = candidates
    self.teacherState = teacherState
  }

  /// Reads what `bytes` gave.
  ///
  /// - Throws: `InferenceError.invalidData` for anything else; `.refusedRequest` for measures of another revision.
  public init(bytes: [UInt8]) throws {
    var reader = try ByteReader(bytes, kind: Self.kind)
    let model = try EvaluatedModel(from: &reader)
    let teacherState = try reader.flag() ? reader.digest() : nil
    let tokenIDs = try reader.tokenIDs()
    let revision = try reader.integer()
    guard revision == Measure.revision else {
      throw InferenceError.refusedRequest(
        .otherRevision(of: "measures", wanted: revision, own: Measure.revision))
    }
    let measures = try reader.list(elementSize: 9) { try Measure(from: &$0) }
    let variants = try reader.list(elementSize: 32) { WeightChoice.variant(try $0.digest()) }
    let layerCount = try reader.integer()
    let candidates = try reader.list(elementSize: 4) { reader in
      let dropped = try reader.list(elementSize: 5) { try Subblock(from: &$0) }
      let choices = try reader.list(ofCount: layerCount, elementSize: 4) { reader in
        let place = try reader.integer()
        guard place <= variants.count else { throw reader.invalid("it has no variant \(place)") }
        return place == 0 ? WeightChoice.dense : variants[place - 1]
      }
      return LayerChoices(choices: choices, dropped: Set(dropped))
    }
    try reader.end()
    self.init(
      model: model, tokenIDs: tokenIDs, measures: measures, candidates: candidates, teacherState: teacherState)
    guard self.bytes == bytes else { throw reader.invalid("its bytes are not canonical") }
  }

  private static func bytes(
    _ model: EvaluatedModel, _ tokenIDs: [Int32], _ measures: [Measure], _ candidates: [LayerChoices],
    _ teacherState: Digest?
  ) -> [UInt8] {
    var writer = ByteWriter(kind: kind)
    model.write(to: &writer)
    writer.append(flag: teacherState != nil)
    if let teacherState { writer.append(teacherState) }
    writer.append(tokenIDs: tokenIDs)
    writer.append(Measure.revision)
    writer.append(list: measures) { measure, writer in measure.write(to: &writer) }
    // Candidates share most of their variants: each is written once, in the order in which they occur.
    var places: [Digest: Int] = [:]
    var variants: [Digest] = []
    for candidate in candidates {
      for case .variant(let key) in candidate.choices where places[key] == nil {
        variants.append(key)
        places[key] = variants.count
      }
    }
    writer.append(list: variants) { key, writer in writer.append(key) }
    writer.append(candidates.first?.choices.count ?? 0)
    writer.append(list: candidates) { candidate, writer in
      writer.append(list: candidate.dropped.sorted { $0.isBefore($1) }) { $0.write(to: &$1) }
      for choice in candidate.choices {
        if case .variant(let key) = choice { writer.append(places[key] ?? 0) } else { writer.append(0) }
      }
    }
    return writer.bytes
  }
}

/// A piece of work: the dense model's last hidden state on a sequence, which others are compared with.
public struct TeacherStateRequest: Equatable, Sendable {
  private static let kind = "teacher-state-request"

  /// SHA-256 of `bytes`, by which an answer names its request.
  public let key: Digest
  /// Which model under which arithmetic.
  public let model: EvaluatedModel
  /// The sequence, at least 2 ids.
  public let tokenIDs: [Int32]
  /// The canonical bytes.
  public var bytes: [UInt8] { Self.bytes(model, tokenIDs) }

  /// Creates a request; its key follows from the rest.
  public init(model: EvaluatedModel, tokenIDs: [Int32]) {
    key = SHA256.digest(of: Self.bytes(model, tokenIDs))
    self.model = model
    self.tokenIDs = tokenIDs
  }

  /// Reads what `bytes` gave.
  ///
  /// - Throws: `InferenceError.invalidData` for anything else.
  public init(bytes: [UInt8]) throws {
    var reader = try ByteReader(bytes, kind: Self.kind)
    self.init(model: try EvaluatedModel(from: &reader), tokenIDs: try reader.tokenIDs())
    try reader.end()
  }

  private static func bytes(_ model: EvaluatedModel, _ tokenIDs: [Int32]) -> [UInt8] {
    var writer = ByteWriter(kind: kind)
    model.write(to: &writer)
    writer.append(tokenIDs: tokenIDs)
    return writer.bytes
  }
}

extension EvaluatedModel {
  /// - Throws: `InferenceError.refusedRequest` if another model, revision or arithmetic is wanted.
  func check(_ wanted: EvaluatedModel) throws {
    guard wanted.digest == digest else { throw InferenceError.refusedRequest(.unknownModel(wanted.digest)) }
    guard wanted.architectureRevision == architectureRevision else {
      throw InferenceError.refusedRequest(
        .otherRevision(of: "the architecture", wanted: wanted.architectureRevision, own: architectureRevision))
    }
    guard wanted.numerics == numerics else {
      throw InferenceError.refusedRequest(.otherNumerics(wanted: wanted.numerics, own: numerics))
    }
  }

  init(from reader: inout ByteReader) throws {
    self.init(
      digest: try reader.digest(), architectureRevision: try reader.integer(), numerics: try reader.digest())
  }

  func write(to writer: inout ByteWriter) {
    writer.append(digest)
    writer.append(architectureRevision)
    writer.append(numerics)
  }
}

extension Measure {
  fileprivate init(from reader: inout ByteReader) throws {
    switch (try reader.byte(), try reader.long()) {
    case (0, 0): self = .kl
    case (1, let k) where k >= 2: self = .topKKL(k: k)
    case (2, 0): self = .perplexity
    case (3, let index) where index >= 1: self = .continuation(firstToken: index)
    case (let code, let parameter): throw reader.invalid("there is no measure \(code) with \(parameter)")
    }
  }

  fileprivate func write(to writer: inout ByteWriter) {
    switch self {
    case .kl: writer.append(byte: 0, long: 0)
    case .topKKL(let k): writer.append(byte: 1, long: k)
    case .perplexity: writer.append(byte: 2, long: 0)
    case .continuation(let firstToken): writer.append(byte: 3, long: firstToken)
    }
  }
}

extension Subblock {
  fileprivate init(from reader: inout ByteReader) throws {
    self.init(blockIndex: try reader.integer(), half: try reader.flag() ? .mlp : .attention)
  }

  fileprivate func write(to writer: inout ByteWriter) {
    writer.append(blockIndex)
    writer.append(flag: half == .mlp)
  }

  fileprivate func isBefore(_ other: Subblock) -> Bool {
    (blockIndex, half == .mlp ? 1 : 0) < (other.blockIndex, other.half == .mlp ? 1 : 0)
  }
}
