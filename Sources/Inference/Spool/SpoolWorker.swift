import Foundation

/// A process that computes pieces out of a spool, and never opens a catalog.
///
/// Every thread claims a piece, computes it, and writes its answer; it may be killed at any moment.
///
/// `@unchecked Sendable`: `gate` guards all state.
public final class SpoolWorker: @unchecked Sendable {
  /// Why a worker has nothing more to do.
  public enum Outcome: Equatable, Sendable {
    /// What it worked for is done.
    case done
    /// There was nothing to do for as long as it was told to wait.
    case idle
  }

  /// What a worker is to do.
  public struct Plan: Sendable {
    /// The spool.
    public var path: String
    /// The folder under which copies are kept; nil: none are.
    public var scratch: String?
    /// Seconds without anything to do after which it ends.
    public var idleSeconds = 600.0
    /// Whether it waits so long for further work when what it worked for is done.
    public var staysAfterEnd = false

    /// A worker of a spool.
    public init(path: String) { self.path = path }
  }

  /// Opens what a session computes with; several threads ask it at once.
  typealias Opening = @Sendable (CoordinatorPage, SpoolFolder, _ scratch: String?) throws -> SpoolComputer

  let plan: Plan
  let settings: SpoolSettings
  let cancellation: Cancellation
  let note: @Sendable (String) -> Void
  let open: Opening
  var folder: SpoolFolder?
  var scratch: String?

  /// Held while the page is written.
  private let pageWriting = NSLock()
  let gate = NSCondition()
  var page: WorkerPage
  var pageChanged = true
  var isEnding = false
  var liveHands = 0
  var noted: Set<String> = []
  var failure: (any Error)?

  struct KnownCoordinator {
    var page: CoordinatorPage
    var lastSign: Double
    /// Whether it has moved since this worker came.
    var hasMoved = false
  }
  var coordinators: [String: KnownCoordinator] = [:]
  /// Sessions that were here before this worker, and may be over; nil: it has not looked yet.
  var earlier: Set<String>?
  var lastLook = -Double.infinity
  var pause = 0.0
  /// What a look at the pages takes.
  var lookSeconds = 0.0
  var lastUse = SpoolClock.now
  var tried: Set<String> = []
  var unusable: [String: any Error] = [:]
  /// What the model is open for.
  var openedFor: (model: EvaluatedModel, purpose: CoordinatorPage.Purpose)?
  let opening = NSLock()
  var opened: (model: EvaluatedModel, purpose: CoordinatorPage.Purpose, longest: Int, computer: SpoolComputer)?

  init(
    _ plan: Plan, identity: WorkerIdentity, settings: SpoolSettings, cancellation: Cancellation,
    note: @escaping @Sendable (String) -> Void, open: @escaping Opening
  ) {
    self.plan = plan
    self.settings = settings
    self.cancellation = cancellation
    self.note = note
    self.open = open
    page = WorkerPage(identity)
  }

  /// Works until there is nothing more to do.
  ///
  /// - Throws: `InferenceError.interrupted`; `.notPermitted` for a folder that cannot be used; what keeps it from computing
  ///   what every session here asks for.
  public func run() throws -> Outcome {
    guard let folder = try awaitFolder() else { return .idle }
    self.folder = folder
    if let parent = plan.scratch {
      do {
        scratch = try SpoolContents.prepareScratch(below: parent)
      } catch {
        noteOnce("\(error); everything is read from \(folder.path)")
      }
    }
    liveHands = page.identity.threadCount
    // Before its first answer: answers of a worker without a page are not taken.
    writePage()
    start { [self] in while awaitsPage() { writePage() } }
    for _ in 0..<page.identity.threadCount { start { [self] in hand() } }
    defer { leave() }
    while true {
      if cancellation.isRequested { throw InferenceError.interrupted }
      let now = SpoolClock.now
      let end: Outcome? = try gate.locked {
        if let failure { throw failure }
        if liveHands == 0 { throw InferenceError.interrupted }
        if page.pieces.isEmpty, !plan.staysAfterEnd, hasEnded { return .done }
        guard now - lastUse > plan.idleSeconds else { return nil }
        if let error = unusable.values.first { throw error }
        return !coordinators.isEmpty && coordinators.values.allSatisfy { $0.page.state == .ended } ? .done : .idle
      }
      if let end {
        leave()
        // Nobody waits for an answer of this worker.
        folder.remove(.workers, gate.locked { page.identity.id })
        return end
      }
      Thread.sleep(forTimeInterval: 0.02)
    }
  }

  /// Whether a session that was open when or after this worker came is over, and no other is open. `gate` is held.
  var hasEnded: Bool {
    coordinators.values.contains { $0.hasMoved && $0.page.state == .ended }
      && !coordinators.values.contains {
        $0.page.state != .ended && SpoolClock.now - $0.lastSign < settings.silenceSeconds
      }
  }

  func start(_ body: @escaping @Sendable () -> Void) {
    let thread = Thread(block: body)
    thread.stackSize = 4 << 20
    thread.start()
  }

  /// The folder, as soon as a coordinator has made it.
  func awaitFolder() throws -> SpoolFolder? {
    let start = SpoolClock.now
    while true {
      try cancellation.check()
      do {
        let folder = try SpoolFolder(plan.path, creating: false)
        if folder.isThere {
          try folder.requireWritable()
          return folder
        }
        earlier = []
        noteOnce("\(plan.path) is no spool yet; waiting for a coordinator")
      } catch InferenceError.missingInput {
        earlier = []
        noteOnce("\(plan.path) is not there yet; waiting for a coordinator to make it")
      } catch InferenceError.inputOutput(let path, let detail) {
        noteOnce("\(path): \(detail); trying again")
      }
      if SpoolClock.now - start > plan.idleSeconds { return nil }
      Thread.sleep(forTimeInterval: 0.1)
    }
  }

  func noteOnce(_ text: String) {
    let isNew = gate.locked { noted.count < 200 && noted.insert(text).inserted }
    if isNew { note(text) }
  }

  // MARK: The page

  /// Waits until the page is to be shown: it changed, or a sign of life is due.
  ///
  /// - Returns: false when this worker ends.
  func awaitsPage() -> Bool {
    gate.lock()
    defer { gate.unlock() }
    let end = Date(timeIntervalSinceNow: settings.beatSeconds)
    while !pageChanged, !isEnding, gate.wait(until: end) {}
    if isEnding { return false }
    gate.unlock()
    // Answers that come close together are shown together.
    Thread.sleep(forTimeInterval: 0.02)
    gate.lock()
    return !isEnding
  }

  /// Shows the page, one after the other: none follows the last one.
  func writePage() {
    guard let folder else { return }
    pageWriting.lock()
    defer { pageWriting.unlock() }
    let shown: WorkerPage? = gate.locked {
      guard self.page.state != .leaving else { return nil }
      self.page.beat += 1
      self.page.state = isEnding ? .leaving : self.page.pieces.isEmpty ? .waiting : .working
      pageChanged = false
      return self.page
    }
    guard let page = shown else { return }
    do {
      try folder.write(SpoolFile.worker.sealed(page.bytes), .workers, page.identity.id, durable: false)
    } catch {
      noteOnce("\(error); trying again")
    }
  }

  /// Tells the coordinator that the pieces in hand will not be answered.
  func leave() {
    let isFirst = gate.locked {
      defer { isEnding = true }
      gate.broadcast()
      return !isEnding
    }
    guard isFirst else { return }
    writePage()
    // A piece may take minutes: whoever asked for the end does not wait for it. Nothing but that piece is lost.
    let end = Date(timeIntervalSinceNow: 0.3)
    gate.locked { while liveHands > 0, gate.wait(until: end) {} }
  }
}
