import Foundation

/// Computes on threads of this process, and has workers that see the same folder compute as well.
///
/// Whoever computes a piece, its bits are the same. With no worker all work is done here; a worker that is killed, hangs or
/// leaves costs the piece it had; one whose bits are wrong is found by having pieces computed twice
/// (docs/decisions/0027).
///
/// `@unchecked Sendable`: `gate` guards all state; files are read and written outside of it, by one thread.
public final class SpoolCoordinator: @unchecked Sendable {
  let folder: SpoolFolder
  let settings: SpoolSettings
  let computer: SpoolComputer
  let source: any SpoolSource
  let network: any LanguageModel
  let threadCount: Int
  private let note: @Sendable (String) -> Void
  let gate = NSCondition()
  /// This process's id, under which it claims.
  let id: String
  /// One answer is passed on at a time.
  let delivering = NSLock()
  var page: CoordinatorPage
  var batch: SpoolBatch?
  var workers: [String: KnownWorker] = [:]
  private var noted: Set<String> = []
  private var pieceNumber = 0
  /// Seconds that a piece of size 1 takes a thread of this process; missing: not known yet.
  var pace: [SpoolPiece.Kind: Double] = [:]
  /// Seconds that the file of a request takes until it has its name; missing: not known yet.
  var writeSeconds: Double?
  let cost: PassCost
  var repeatedTokenCount = 0
  /// Threads of this process that have nothing to do until others answer.
  var waitingCount = 0
  private(set) lazy var exchange = SpoolExchange(self)

  /// Opens a session, and tells workers of it.
  ///
  /// - Parameters:
  ///   - page: what is computed with; its session is new.
  ///   - computer: computes on one thread; several ask it at once.
  ///   - note: is told, once each, of what is wrong in the folder and who came.
  /// - Throws: `InferenceError` if the folder cannot be used.
  init(
    _ folder: SpoolFolder, page: CoordinatorPage, computer: SpoolComputer, source: any SpoolSource,
    network: any LanguageModel, threadCount: Int, settings: SpoolSettings = SpoolSettings(),
    note: @escaping @Sendable (String) -> Void
  ) throws {
    self.folder = folder
    self.page = page
    id = page.coordinator.id
    self.computer = computer
    self.source = source
    self.network = network
    cost = PassCost(network)
    self.threadCount = threadCount
    self.settings = settings
    self.note = note
    folder.sweep()
    try exchange.begin()
  }

  /// What the session has done so far.
  public struct Summary: Sendable {
    /// Workers whose answers were taken.
    public var workerCount = 0
    /// Pieces answered by workers.
    public var remoteCount = 0
    /// Pieces computed more than once.
    public var repeatedCount = 0
    /// Tokens of forward passes that were computed again.
    public var repeatedTokenCount = 0
  }

  /// What the session has done so far.
  public var summary: Summary {
    gate.lock()
    defer { gate.unlock() }
    let helpers = workers.values.filter { $0.deliveredCount > 0 }
    return Summary(
      workerCount: helpers.count, remoteCount: helpers.reduce(0) { $0 + $1.deliveredCount },
      repeatedCount: page.repeatedCount, repeatedTokenCount: repeatedTokenCount)
  }

  /// Ends the session, and tells workers whether the work is done or somebody may go on with it.
  public func close(isDone: Bool) { exchange.end(isDone ? .ended : .paused) }

  /// Removes streams or statistics that no later piece needs.
  func discard(_ place: SpoolFolder.Place) { exchange.discard(place) }

  // MARK: Batches

  /// A piece of what is asked now.
  ///
  /// - Parameters:
  ///   - request: index in what is asked.
  ///   - parts: which candidates or variants of the request it has.
  func tracked(_ piece: SpoolPiece, _ request: Int, _ parts: [Int], size: Double) -> TrackedPiece {
    pieceNumber += 1
    return TrackedPiece(piece: piece, request: request, parts: parts, size: size, number: pieceNumber)
  }

  /// Adds pieces to the batch under way. Only what passes an answer on may call this: the batch cannot end before it returns.
  func extend(_ pieces: () -> [TrackedPiece]) {
    gate.locked {
      batch?.append(pieces())
      gate.broadcast()
    }
    exchange.lookForLeftAnswers()
  }

  /// Threads anywhere. `gate` is held.
  var takerCount: Int { threadCount + liveWorkers(SpoolClock.now).reduce(0) { $0 + $1.identity.threadCount } }

  /// How long a piece should be at least, in the measure of its kind; 0: not known yet. `gate` is held.
  func shortestPiece(_ kind: SpoolPiece.Kind) -> Double {
    guard let pace = pace[kind], pace > 0 else { return 0 }
    return Self.shortestPieceSeconds(writeSeconds: writeSeconds ?? 0) / pace
  }

  /// How many seconds the last pieces of a batch take, which are the shortest. On a disk that is free that is a hundred times what
  /// passing one on takes. Where files are slow it is twenty times what one takes: longer ones would cost more, by
  /// takers that wait for the last of them, than is gained by their number.
  package static func shortestPieceSeconds(writeSeconds: Double) -> Double { max(20 * writeSeconds, 0.03) }

  /// How many pieces there should be: two for each thread anywhere, but none too short.
  ///
  /// - Parameter size: of all requests together, in the measure of their kind.
  func pieceCount(_ kind: SpoolPiece.Kind, size: Double, requestCount: Int) -> Int {
    gate.lock()
    defer { gate.unlock() }
    let takers = takerCount
    guard takers > threadCount || requestCount < threadCount else { return 1 }
    let shortest = shortestPiece(kind)
    let most = shortest > 0 ? max(Int(min(size / shortest, 1e6)), 1) : .max
    return min(2 * takers, max(most, threadCount))
  }

  /// Workers that have given a sign of life lately. `gate` is held.
  func liveWorkers(_ now: Double) -> [KnownWorker] {
    workers.values.filter { !$0.isLeaving && !$0.isWrong && now - $0.lastSign < settings.silenceSeconds }
  }

  /// Has all pieces of a batch computed.
  func run(_ batch: SpoolBatch) throws {
    guard !batch.pieces.isEmpty else { return try batch.cancellation.check() }
    try batch.cancellation.check()
    gate.lock()
    self.batch = batch
    gate.unlock()
    exchange.takeLeftAnswers()
    exchange.wake()
    defer {
      gate.locked { self.batch = nil }
      exchange.retire(batch)
    }
    // A hand notes its failure in the batch, so that the others end as well.
    try Parallel.forEach(threadCount, threadCount: threadCount, cancellation: Cancellation()) { _ in self.hand(batch) }
    let failure = gate.locked {
      // The exchange may be in the midst of passing one on.
      while batch.passingCount > 0 { gate.wait() }
      // A worker that is found wrong from now on would not be told of: nothing more is taken.
      self.batch = nil
      return batch.failure
    }
    if let failure { throw failure }
  }

  func tell(_ text: String) { note(text) }

  /// Tells of something, once.
  func noteOnce(_ text: String) {
    gate.lock()
    let isNew = noted.count < 200 && noted.insert(text).inserted
    gate.unlock()
    if isNew { note(text) }
  }

  /// The offer of a piece.
  func offer(_ piece: TrackedPiece) -> CoordinatorPage.Offer {
    var isClaimed = false
    if case .claimed = piece.state { isClaimed = true }
    return CoordinatorPage.Offer(
      number: piece.number, attempt: piece.attempt, key: piece.piece.key, isClaimed: isClaimed,
      excluded: piece.excluded)
  }
}

extension NSCondition {
  /// What `body` returns while the lock is held.
  func locked<T>(_ body: () throws -> T) rethrows -> T {
    lock()
    defer { unlock() }
    return try body()
  }
}

/// Seconds of a clock of this process that never goes back.
enum SpoolClock {
  static var now: Double { ProcessInfo.processInfo.systemUptime }
}
