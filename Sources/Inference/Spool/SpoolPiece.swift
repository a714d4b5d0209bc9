import struct Catalog.Digest
import struct Catalog.SHA256

/// A request on its way through a spool.
enum SpoolPiece: Sendable {
  case evaluation(EvaluationRequest)
  case teacherState(TeacherStateRequest)
  case pass(BlockPassRequest)
  case build(LayerBuildRequest)

  /// What a piece asks for; pieces of a kind take time in proportion to their size.
  enum Kind: Hashable {
    case evaluation, teacherState, pass, build
  }

  var kind: Kind {
    switch self {
    case .evaluation: .evaluation
    case .teacherState: .teacherState
    case .pass: .pass
    case .build: .build
    }
  }

  var key: Digest {
    switch self {
    case .evaluation(let request): request.key
    case .teacherState(let request): request.key
    case .pass(let request): request.key
    case .build(let request): request.key
    }
  }

  /// Tokens × candidates of evaluations; nothing else is a forward pass to its end.
  var tokenCount: Int {
    switch self {
    case .evaluation(let request): request.tokenIDs.count * request.candidates.count
    case .teacherState(let request): request.tokenIDs.count
    case .pass, .build: 0
    }
  }

  /// What whoever computes it needs, by content.
  var contents: [SpoolContent] {
    switch self {
    case .evaluation(let request):
      return Self.variants(request.candidates.flatMap(\.choices))
        + (request.teacherState.map { [SpoolContent(.states, $0)] } ?? [])
    case .teacherState: return []
    case .pass(let request): return Self.variants(request.choices) + [SpoolContent(.streams, request.stream)]
    case .build(let request): return request.statistic.key.map { [SpoolContent(.statistics, $0)] } ?? []
    }
  }

  private static func variants(_ choices: [WeightChoice]) -> [SpoolContent] {
    var seen: Set<Digest> = []
    return choices.compactMap {
      guard case .variant(let key) = $0, seen.insert(key).inserted else { return nil }
      return SpoolContent(.variants, key)
    }
  }

  /// The file that asks for it.
  var file: [UInt8] {
    switch self {
    case .evaluation(let request): SpoolFile.evaluation.sealed(request.bytes)
    case .teacherState(let request): SpoolFile.teacher.sealed(request.bytes)
    case .pass(let request): SpoolFile.pass.sealed(request.bytes, digest: request.key)
    case .build(let request): SpoolFile.build.sealed(request.bytes, digest: request.key)
    }
  }

  /// - Throws: `InferenceError.invalidData`, `.refusedRequest` for what this build computes in another way.
  init(_ kind: SpoolFile, _ content: [UInt8]) throws {
    switch kind {
    case .teacher: self = .teacherState(try TeacherStateRequest(bytes: content))
    case .pass: self = .pass(try BlockPassRequest(bytes: content))
    case .build: self = .build(try LayerBuildRequest(bytes: content))
    default: self = .evaluation(try EvaluationRequest(bytes: content))
    }
  }
}

/// Bytes that pieces name by their SHA-256.
struct SpoolContent: Hashable {
  /// Where they lie: `variants`, `states`, `streams` or `statistics`.
  let place: SpoolFolder.Place
  let key: Digest

  init(_ place: SpoolFolder.Place, _ key: Digest) {
    self.place = place
    self.key = key
  }

  var file: SpoolFile {
    switch place {
    case .states: .state
    case .streams: .stream
    case .statistics: .statistic
    default: .variant
    }
  }
}

/// What a worker says about a piece.
enum SpoolAnswer: Sendable {
  case sums(EvaluationAnswer)
  case teacherState(TeacherStateAnswer)
  case pass(BlockPassAnswer)
  case build(LayerBuildAnswer)
  /// Why it does not answer.
  case refusal(request: Digest, reason: String)

  /// Of its request.
  var key: Digest {
    switch self {
    case .sums(let answer): answer.request
    case .teacherState(let answer): answer.request
    case .pass(let answer): answer.request
    case .build(let answer): answer.request
    case .refusal(let request, _): request
    }
  }

  /// Tokens whose forward pass it took.
  var tokenCount: Int {
    switch self {
    case .sums(let answer): answer.work.forwardTokenCount
    case .teacherState(let answer): answer.work.forwardTokenCount
    case .pass, .build, .refusal: 0
    }
  }

  var file: [UInt8] {
    switch self {
    case .sums(let answer): return SpoolFile.sums.sealed(answer.bytes)
    case .teacherState(let answer): return SpoolFile.stateAnswer.sealed(answer.bytes)
    case .pass(let answer): return SpoolFile.passAnswer.sealed(answer.bytes)
    case .build(let answer): return SpoolFile.buildAnswer.sealed(answer.bytes)
    case .refusal(let request, let reason):
      var writer = ByteWriter(kind: "spool-refusal")
      writer.append(request)
      writer.append(text: reason)
      return SpoolFile.refusal.sealed(writer.bytes)
    }
  }

  init(_ kind: SpoolFile, _ content: [UInt8]) throws {
    switch kind {
    case .stateAnswer: self = .teacherState(try TeacherStateAnswer(bytes: content))
    case .passAnswer: self = .pass(try BlockPassAnswer(bytes: content))
    case .buildAnswer: self = .build(try LayerBuildAnswer(bytes: content))
    case .refusal:
      var reader = try ByteReader(content, kind: "spool-refusal")
      self = .refusal(request: try reader.digest(), reason: try reader.text())
      try reader.end()
    default: self = .sums(try EvaluationAnswer(bytes: content))
    }
  }
}

/// What a process computes pieces with: on the thread that asks, and several threads ask at once.
struct SpoolComputer: Sendable {
  let evaluations: any EvaluationWorker
  /// nil: pieces of calibrations and builds are refused.
  var compression: (any CompressionWorker)?

  /// Computes a piece.
  ///
  /// - Parameter onPart: is told of answers for some of a request's candidates as they come, or of the whole one.
  /// - Throws: as `EvaluationWorker` and `CompressionWorker` say; what `onPart` throws.
  func compute(_ piece: SpoolPiece, cancellation: Cancellation, onPart: @escaping (SpoolAnswer) throws -> Void) throws {
    func compressing() throws -> any CompressionWorker {
      guard let compression else {
        throw InferenceError.refusedRequest(.malformed("only evaluations are computed here"))
      }
      return compression
    }
    switch piece {
    case .evaluation(let request):
      try evaluations.answer([request], cancellation: cancellation) { try onPart(.sums($0)) }
    case .teacherState(let request):
      try evaluations.teacherStates([request], cancellation: cancellation) { try onPart(.teacherState($0)) }
    case .pass(let request):
      try cancellation.check()
      try onPart(.pass(try compressing().pass(request)))
    case .build(let request): try onPart(.build(try compressing().build(request, cancellation: cancellation)))
    }
  }

  /// Computes a piece, and answers it at once.
  ///
  /// - Throws: as `compute`.
  func answer(_ piece: SpoolPiece, cancellation: Cancellation) throws -> SpoolAnswer {
    var whole: SpoolAnswer?
    try compute(piece, cancellation: cancellation) { part in
      if case (.sums(let parts)?, .sums(let more)) = (whole, part) {
        whole = .sums(parts.joined(with: more))
      } else {
        whole = part
      }
    }
    guard let whole else { throw InferenceError.refusedRequest(.malformed("it asks for nothing")) }
    return whole
  }
}

extension EvaluationAnswer {
  /// Answers to the same request for different candidates as one.
  fileprivate func joined(with other: EvaluationAnswer) -> EvaluationAnswer {
    var whole = self
    whole.results += other.results
    whole.work += other.work
    return whole
  }
}
