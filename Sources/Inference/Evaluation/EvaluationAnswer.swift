import struct Catalog.Digest
import struct Catalog.SHA256

/// Counts of computed forward passes.
public struct EvaluationWork: Equatable, Sendable {
  /// Tokens whose forward pass was computed to its end.
  public var forwardTokenCount = 0
  /// Tokens × transformer blocks computed.
  public var forwardBlockTokenCount = 0

  /// No work.
  public init() {}

  /// Creates counts.
  public init(forwardTokenCount: Int, forwardBlockTokenCount: Int) {
    self.forwardTokenCount = forwardTokenCount
    self.forwardBlockTokenCount = forwardBlockTokenCount
  }

  /// Adds work.
  public static func += (work: inout EvaluationWork, more: EvaluationWork) {
    work.forwardTokenCount += more.forwardTokenCount
    work.forwardBlockTokenCount += more.forwardBlockTokenCount
  }
}

/// A worker's answer to an `EvaluationRequest`, or for some of its candidates.
public struct EvaluationAnswer: Equatable, Sendable {
  /// The sums of one candidate.
  public struct Result: Equatable, Sendable {
    /// Index in the request's candidates.
    public var candidate: Int
    /// By measure, in nats; nil: not finite.
    public var sums: [Double?]

    /// Creates the result of a candidate.
    public init(candidate: Int, sums: [Double?]) {
      self.candidate = candidate
      self.sums = sums
    }
  }

  private static let kind = "evaluation-answer"

  /// The request's key.
  public var request: Digest
  /// Digest of the arithmetic that computed it.
  public var numerics: Digest
  /// How many predictions are summed up, by measure.
  public var predictionCounts: [Int]
  /// At most one for each candidate.
  public var results: [Result]
  /// The forward passes that it took.
  public var work: EvaluationWork
  /// Whose answer it is, as far as whoever brings it knows; nil: this process's. It is no part of the bytes.
  public var origin: WorkerIdentity?

  /// Creates an answer.
  public init(
    request: Digest, numerics: Digest, predictionCounts: [Int], results: [Result], work: EvaluationWork
  ) {
    self.request = request
    self.numerics = numerics
    self.predictionCounts = predictionCounts
    self.results = results
    self.work = work
  }

  /// The bytes, with their SHA-256 behind them.
  public var bytes: [UInt8] {
    var writer = ByteWriter(kind: Self.kind)
    writer.append(request)
    writer.append(numerics)
    writer.append(work)
    writer.append(list: predictionCounts) { $1.append($0) }
    writer.append(list: results) { result, writer in
      writer.append(result.candidate)
      for sum in result.sums {
        writer.append(flag: sum != nil)
        writer.append(bits: sum?.bitPattern ?? 0)
      }
    }
    return writer.sealed
  }

  /// Reads what `bytes` gave.
  ///
  /// - Throws: `InferenceError.invalidData` for anything else, such as damaged bytes.
  public init(bytes: [UInt8]) throws {
    var reader = try ByteReader(sealed: bytes, kind: Self.kind)
    request = try reader.digest()
    numerics = try reader.digest()
    work = try reader.work()
    let counts = try reader.list(elementSize: 4) { try $0.integer() }
    predictionCounts = counts
    results = try reader.list(elementSize: 4 + 9 * counts.count) { reader in
      Result(
        candidate: try reader.integer(),
        sums: try counts.map { _ in
          let isFinite = try reader.flag()
          let bits = try reader.bits()
          guard isFinite || bits == 0 else { throw reader.invalid("a sum that diverged has a value") }
          return isFinite ? Double(bitPattern: bits) : nil
        })
    }
    try reader.end()
  }
}

/// A worker's answer to a `TeacherStateRequest`.
public struct TeacherStateAnswer: Sendable {
  private static let kind = "teacher-state-answer"

  /// The request's key.
  public var request: Digest
  /// Digest of the arithmetic that computed it.
  public var numerics: Digest
  /// The last hidden state [tokens, hidden], after the final norm.
  public var state: Matrix
  /// The forward passes that it took.
  public var work: EvaluationWork
  /// Whose answer it is; nil: this process's. It is no part of the bytes.
  public var origin: WorkerIdentity?

  /// Creates an answer.
  public init(request: Digest, numerics: Digest, state: Matrix, work: EvaluationWork) {
    self.request = request
    self.numerics = numerics
    self.state = state
    self.work = work
  }

  /// The bytes, with their SHA-256 behind them.
  public var bytes: [UInt8] {
    var writer = ByteWriter(kind: Self.kind)
    writer.append(request)
    writer.append(numerics)
    writer.append(work)
    writer.append(state.rows)
    writer.append(state.columns)
    writer.append(state.littleEndianBytes)
    return writer.sealed
  }

  /// Reads what `bytes` gave.
  ///
  /// - Throws: `InferenceError.invalidData` for anything else, such as damaged bytes.
  public init(bytes: [UInt8]) throws {
    var reader = try ByteReader(sealed: bytes, kind: Self.kind)
    request = try reader.digest()
    numerics = try reader.digest()
    work = try reader.work()
    let (rows, columns) = (try reader.integer(), try reader.integer())
    let (count, overflows) = rows.multipliedReportingOverflow(by: 4 * columns)
    guard !overflows, rows > 0, columns > 0,
      let state = Matrix(rows: rows, columns: columns, littleEndianBytes: Array(try reader.take(count)))
    else { throw reader.invalid("\(rows) × \(columns) is no size of a state") }
    self.state = state
    try reader.end()
  }
}
