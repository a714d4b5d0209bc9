import Foundation

/// The threads of this process, which take what workers leave.
extension SpoolCoordinator {
  private enum Task {
    /// A piece that nobody else may have: its answers are passed on as they come.
    case exclusive(Int)
    /// A piece that is to be claimed first.
    case claim(Int, name: String)
    /// A piece that somebody has or has answered: a second answer.
    case second(Int)
  }

  /// What a thread of this process does until a batch is done.
  func hand(_ batch: SpoolBatch) {
    while let task = nextTask(batch) {
      do {
        switch task {
        case .exclusive(let index):
          try compute(batch, index, passesOn: true)
        case .claim(let index, let name):
          let isOurs = (try? folder.claim(name, claimBytes)) ?? true
          gate.lock()
          if !isOurs {
            batch.pieces[index].ownCount -= 1
            if batch.pieces[index].state != .answered { batch.pieces[index].state = .claimed("") }
          }
          gate.unlock()
          if isOurs { try compute(batch, index, passesOn: false) }
        case .second(let index):
          try compute(batch, index, passesOn: false)
        }
      } catch {
        gate.lock()
        batch.failure = batch.failure ?? error
        gate.broadcast()
        gate.unlock()
      }
    }
  }

  private var claimBytes: [UInt8] { SpoolFile.claim.sealed(Array(id.utf8)) }

  /// The next piece for a thread of this process; waits while others may still leave some; nil when all is done.
  private func nextTask(_ batch: SpoolBatch) -> Task? {
    gate.lock()
    defer { gate.unlock() }
    while true {
      if batch.failure == nil, batch.cancellation.isRequested { batch.failure = InferenceError.interrupted }
      if batch.failure != nil { return nil }
      if let task = choose(batch, SpoolClock.now) { return task }
      if batch.isDone { return nil }
      waitingCount += 1
      if waitingCount == 1 { exchange.wake() }
      _ = gate.wait(until: Date(timeIntervalSinceNow: 0.02))
      waitingCount -= 1
    }
  }

  private func choose(_ batch: SpoolBatch, _ now: Double) -> Task? {
    func begin(_ index: Int) { batch.pieces[index].ownCount += 1 }
    if let index = batch.pieces.firstIndex(where: { $0.isDisputed && $0.ownCount == 0 }) {
      begin(index)
      return .second(index)
    }
    // Whoever is the only worker cannot be checked by another one, and waits for it at the end.
    if let index = batch.pieces.firstIndex(where: { $0.awaitsSecond && $0.ownCount == 0 }), liveWorkers(now).count < 2 {
      begin(index)
      return .second(index)
    }
    // Free states first, for which something may wait; then the largest: what is begun last ends last. Of equals, those that need
    // no claim.
    let free = batch.pieces.firstIndex { $0.state == .free && $0.ownCount == 0 }
    let offered = batch.pieces.firstIndex { $0.state == .offered && $0.ownCount == 0 }
    if let index = free,
      batch.pieces[index].piece.kind == .teacherState
        || offered.map({ batch.pieces[$0].size < 1.25 * batch.pieces[index].size }) ?? true
    {
      batch.pieces[index].state = .own
      begin(index)
      return .exclusive(index)
    }
    if let index = offered {
      batch.pieces[index].state = .claimed(id)
      batch.pieces[index].since = now
      begin(index)
      return .claim(index, name: offer(batch.pieces[index]).claimName(page.session))
    }
    // Nothing is left but what others have. What they should have answered by now, and what is to be checked, is done here.
    if let index = batch.pieces.firstIndex(where: { $0.awaitsSecond && $0.ownCount == 0 }) {
      begin(index)
      return .second(index)
    }
    let index = batch.pieces.firstIndex { piece in
      guard case .claimed(let owner) = piece.state, piece.ownCount == 0, owner != id else {
        return false
      }
      let usual = max(4 * (pace[piece.piece.kind] ?? 0) * piece.size, 0.25)
      if let worker = workers[owner], !worker.isLeaving, now - worker.lastSign < 2.5 * settings.beatSeconds {
        return now - piece.since > usual
      }
      return now - piece.since > min(usual, 1)
    }
    if let index {
      begin(index)
      return .second(index)
    }
    return nil
  }

  private func compute(_ batch: SpoolBatch, _ index: Int, passesOn: Bool) throws {
    let tracked = gate.locked { batch.pieces[index] }
    let start = SpoolClock.now
    if passesOn {
      try computer.compute(tracked.piece, cancellation: batch.cancellation) {
        try self.pass(on: $0, of: tracked, from: nil, in: batch)
      }
    } else {
      let answer = try computer.answer(tracked.piece, cancellation: batch.cancellation)
      try settle(
        index, batch,
        TrackedPiece.Contender(source: "", bits: try batch.validate(tracked.piece, answer), answer: answer))
    }
    let seconds = (SpoolClock.now - start) / max(tracked.size, 1)
    gate.lock()
    pace[tracked.piece.kind] = pace[tracked.piece.kind].map { 0.8 * $0 + 0.2 * seconds } ?? seconds
    batch.pieces[index].ownCount -= 1
    if passesOn {
      batch.pieces[index].state = .answered
      batch.pieces[index].isDelivered = true
      page.answeredCount += 1
      page.tokenCount += tracked.piece.tokenCount
    }
    gate.broadcast()
    gate.unlock()
  }

  /// Passes an answer on. `gate` is not held: the receiver writes to the catalog.
  func pass(on answer: SpoolAnswer, of piece: TrackedPiece, from origin: WorkerIdentity?, in batch: SpoolBatch)
    throws
  {
    try delivering.withLock {
      if let failure = gate.locked({ batch.failure }) { throw failure }
      try batch.cancellation.check()
      do {
        try batch.deliver(piece, answer, origin)
      } catch {
        // Before the next one has its turn: a receiver that failed is not called again.
        gate.locked { batch.failure = batch.failure ?? error }
        throw error
      }
    }
  }
}
