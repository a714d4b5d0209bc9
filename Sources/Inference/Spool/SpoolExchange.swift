import Foundation

import struct Catalog.Digest

/// A coordinator's side of the folder: a thread that publishes pieces, takes answers, and watches workers.
///
/// `@unchecked Sendable`: `lock` guards what other threads touch: the end, the wake-up, retired pieces, what is to be discarded,
/// and names of answers; the rest belongs to its thread, before which and after which one other uses it.
final class SpoolExchange: @unchecked Sendable {
  unowned let owner: SpoolCoordinator
  let lock = NSCondition()
  private var ending: CoordinatorPage.State?
  private var hasEnded = false
  var isAwake = false
  /// Whether pieces were added to which there may be answers already.
  var mayHaveLeftAnswers = false
  /// Requests whose files this session has made.
  var published: Set<Digest> = []
  /// What else it has made.
  var contents: Set<SpoolContent> = []
  /// Pieces that a worker could not compute.
  var refused: [SpoolPiece] = []
  /// Pieces whose files are of no more use.
  var retired: [TrackedPiece] = []
  /// Contents that no later piece needs.
  var discarded: Set<SpoolFolder.Place> = []
  private(set) var lastPage = -Double.infinity
  private var shownOffers: [CoordinatorPage.Offer] = []
  private var lastVisit = -Double.infinity
  private var quietUntil = -Double.infinity
  /// Answers that were read, so that a listing does not have them read again, and whether they were whole.
  var readAnswers: [String: Bool] = [:]
  var isFirstBatch = true

  var folder: SpoolFolder { owner.folder }
  var gate: NSCondition { owner.gate }

  init(_ owner: SpoolCoordinator) { self.owner = owner }

  /// How many times longer the pause between two looks is while no thread of this process waits.
  private static let unawaitedPauseFactor = 5.0

  // MARK: Life

  /// Shows the first page, and begins to work.
  ///
  /// - Throws: `InferenceError` if nothing can be written.
  func begin() throws {
    removeOldPages()
    try writePage()
    let thread = Thread { [self] in
      while work() {}
      lock.locked {
        hasEnded = true
        lock.broadcast()
      }
    }
    thread.stackSize = 4 << 20
    thread.start()
  }

  /// Ends the session; its files go.
  func end(_ state: CoordinatorPage.State) {
    lock.lock()
    guard ending == nil else { return lock.unlock() }
    ending = state
    lock.broadcast()
    while !hasEnded { lock.wait() }
    lock.unlock()
    gate.locked {
      owner.page.state = state
      owner.page.offers = []
    }
    removeFiles()
    try? writePage()
  }

  func wake() {
    lock.locked {
      isAwake = true
      lock.broadcast()
    }
  }

  /// Removes contents that no later piece needs.
  func discard(_ place: SpoolFolder.Place) {
    lock.locked { _ = discarded.insert(place) }
    wake()
  }

  /// The pieces of an answered batch need no files any more.
  func retire(_ batch: SpoolBatch) {
    let pieces = gate.locked { batch.pieces }
    lock.locked { retired += pieces }
    wake()
  }

  /// One look at everything.
  ///
  /// - Returns: whether the session goes on.
  private func work() -> Bool {
    let now = SpoolClock.now
    var isBusy = false
    do {
      if now >= quietUntil {
        takeAnswers()
        if now - lastVisit > (isWaiting ? 0.25 : 0.05) {
          lastVisit = now
          visitWorkers(now)
        }
        readClaimed()
        repairRefused()
        reoffer(now)
        try publish(now)
        if now - lastPage > owner.settings.beatSeconds || offersChanged { try writePage() }
        // Workers do not wait for what is only tidy.
        removeRetired()
        removeDiscarded()
        isBusy = isWaiting
      }
    } catch {
      // The work goes on without helpers, and tries again.
      quietUntil = now + 5
      owner.noteOnce("\(error); going on without workers until it can be used again")
      gate.locked { isBusy = owner.batch != nil }
    }
    // Every look takes a turn from a thread that computes. As long as all of them have something to do, an answer may wait in the
    // folder.
    let isAwaited = gate.locked { owner.waitingCount > 0 }
    let pause = isBusy ? owner.settings.pollSeconds * (isAwaited ? 1 : Self.unawaitedPauseFactor) : 0.1
    lock.lock()
    defer { lock.unlock() }
    guard ending == nil else { return false }
    if !isAwake { _ = lock.wait(until: Date(timeIntervalSinceNow: pause)) }
    isAwake = false
    return ending == nil
  }

  // MARK: The page

  private var currentOffers: [CoordinatorPage.Offer] {
    gate.locked {
      guard let batch = owner.batch else { return [] }
      return batch.pieces.compactMap { piece in
        switch piece.state {
        case .offered, .claimed: published.contains(piece.piece.key) ? owner.offer(piece) : nil
        case .answered: piece.awaitsSecond && published.contains(piece.piece.key) ? owner.offer(piece) : nil
        case .free, .own: nil
        }
      }
    }
  }

  private var offersChanged: Bool { currentOffers != shownOffers }

  func writePage() throws {
    let offers = currentOffers
    let page = gate.locked {
      owner.page.beat += 1
      owner.page.offers = offers
      return owner.page
    }
    try folder.write(
      SpoolFile.coordinator.sealed(page.bytes), .coordinators, page.session, durable: page.state != .open)
    shownOffers = offers
    lastPage = SpoolClock.now
  }

  /// Pages of earlier sessions on the same catalog, which has one writer at a time, are over.
  private func removeOldPages() {
    let own = gate.locked { owner.page }
    for name in folder.names(in: .coordinators) where WorkerIdentity.isID(name) && name != own.session {
      guard let file = try? folder.read(.coordinators, name, as: .coordinator),
        let page = try? CoordinatorPage(bytes: file.content), page.catalog == own.catalog, page.session == name
      else { continue }
      folder.remove(.coordinators, name)
      for claim in folder.names(in: .claims) where claim.hasPrefix(name) { folder.remove(.claims, claim) }
    }
  }
}
