import struct Catalog.Digest

/// A worker as its coordinator knows it.
final class KnownWorker {
  let identity: WorkerIdentity
  /// When its page was last seen to change.
  var lastSign: Double
  var beat = -1
  var isLeaving = false
  /// Whether somebody else computed the same bits as it did.
  var isConfirmed = false
  /// Whether its bits were wrong.
  var isWrong = false
  var answeredCount = 0
  /// Answers that were passed on.
  var deliveredCount = 0
  var refusalCount = 0

  init(_ identity: WorkerIdentity, now: Double) {
    self.identity = identity
    lastSign = now
  }
}

/// A piece as its coordinator knows it.
struct TrackedPiece {
  enum State: Equatable {
    /// Nobody has it, and it was not offered.
    case free
    /// It is to be had.
    case offered
    /// Somebody has it; empty: it is not known who.
    case claimed(String)
    /// A thread of this process has it, and nobody else may.
    case own
    case answered
  }

  /// A whole answer, kept until it is passed on.
  struct Contender {
    /// Worker's id; empty: this process.
    var source: String
    var bits: [[UInt64?]]
    var answer: SpoolAnswer?
  }

  let piece: SpoolPiece
  /// Index in what was asked.
  let request: Int
  /// By part of the piece, a candidate or a variant: its index in the request.
  let parts: [Int]
  /// Its work, in a measure of its kind.
  let size: Double
  let number: Int
  /// For how many threads anywhere it was cut; more of them have it cut again.
  var takerCount = Int.max
  var attempt = 0
  var state = State.free
  /// Since when somebody has had it.
  var since = 0.0
  /// Threads of this process at work on it.
  var ownCount = 0
  /// Different answers, the first one first.
  var contenders: [Contender] = []
  /// Whether a second answer is waited for.
  var awaitsSecond = false
  /// Whether its answer was passed on.
  var isDelivered = false
  /// The worker that shall not have it.
  var excluded = ""
  /// Whether only this process may settle it: two workers disagree.
  var isDisputed = false
}

/// Bytes that a coordinator puts into a spool.
protocol SpoolSource: Sendable {
  /// The packed weights of a variant, or a state, stream or statistic: float32, little-endian.
  ///
  /// - Throws: `InferenceError.refusedRequest` if they are not there.
  func bytes(of content: SpoolContent) throws -> [UInt8]
}

/// What one call asks for, until it is answered.
///
/// Not safe for use by several threads at once: its coordinator guards it.
final class SpoolBatch {
  private(set) var places: [Digest: Int] = [:]
  var pieces: [TrackedPiece] = []
  let deliver: (_ piece: TrackedPiece, SpoolAnswer, WorkerIdentity?) throws -> Void
  let validate: (SpoolPiece, SpoolAnswer) throws -> [[UInt64?]]
  let cancellation: Cancellation
  var failure: (any Error)?
  /// Answers that are being passed on.
  var passingCount = 0

  init(
    _ pieces: [TrackedPiece], cancellation: Cancellation,
    validate: @escaping (SpoolPiece, SpoolAnswer) throws -> [[UInt64?]],
    deliver: @escaping (TrackedPiece, SpoolAnswer, WorkerIdentity?) throws -> Void
  ) {
    self.cancellation = cancellation
    self.validate = validate
    self.deliver = deliver
    append(pieces)
  }

  /// Asks for more. The batch must not be done: only who passes an answer on, or cuts a piece, may call this.
  func append(_ more: [TrackedPiece]) {
    for piece in more {
      // Of equal pieces the first one is offered.
      if places[piece.piece.key] == nil { places[piece.piece.key] = pieces.count }
      pieces.append(piece)
    }
  }

  /// Puts several pieces in the place of one that was never offered or begun.
  func split(_ index: Int, _ parts: [TrackedPiece]) {
    let old = pieces[index].piece.key
    if places[old] == index { places[old] = nil }
    pieces[index] = parts[0]
    if places[parts[0].piece.key] == nil { places[parts[0].piece.key] = index }
    append(Array(parts.dropFirst()))
  }

  /// Whether everything was answered, checked and passed on.
  var isDone: Bool {
    passingCount == 0
      && pieces.allSatisfy { $0.state == .answered && $0.isDelivered && !$0.awaitsSecond && !$0.isDisputed }
  }

  static let otherKind = InferenceError.wrongAnswer(detail: "it answers another kind of request")

  /// The bits of an answer that is compared as a whole.
  static func bits(of digest: Digest) -> [[UInt64?]] {
    let bytes = digest.bytes
    return [stride(from: 0, to: 32, by: 8).map { bytes[$0..<$0 + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }]
  }
}
