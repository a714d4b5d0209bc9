import struct Catalog.Digest

/// Answers of workers: held against requests and against each other.
extension SpoolCoordinator {
  /// Takes what a worker's file says, if it fits an open request.
  ///
  /// - Throws: `InferenceError.wrongAnswer` if it does not fit its request; what the receiver throws is noted in the batch.
  func take(_ answer: SpoolAnswer, of worker: String) throws {
    // Late answers to what nobody asks any more, and to what a thread here has alone, are left.
    let place: (SpoolBatch, Int, KnownWorker, SpoolPiece)? = gate.locked {
      guard let batch, let index = batch.places[answer.key], let known = workers[worker], !known.isWrong,
        batch.pieces[index].state != .own
      else { return nil }
      return (batch, index, known, batch.pieces[index].piece)
    }
    guard let (open, index, known, piece) = place else { return }
    if case .refusal(let key, let reason) = answer { return refused(open, index, key, known, reason) }
    let contender = TrackedPiece.Contender(source: worker, bits: try open.validate(piece, answer), answer: answer)
    do {
      try settle(index, open, contender)
    } catch {
      gate.lock()
      open.failure = open.failure ?? error
      gate.broadcast()
      gate.unlock()
    }
  }

  private static let mostAttempts = 6

  private func refused(_ batch: SpoolBatch, _ index: Int, _ key: Digest, _ worker: KnownWorker, _ reason: String) {
    gate.lock()
    // Somebody may have begun or answered the piece in the meantime, or it was cut.
    guard self.batch === batch, batch.pieces[index].state != .own, batch.pieces[index].piece.key == key else {
      return gate.unlock()
    }
    worker.refusalCount += 1
    if batch.pieces[index].state != .answered {
      // What several refuse is left to this process.
      batch.pieces[index].state = batch.pieces[index].attempt < Self.mostAttempts ? .offered : .free
      batch.pieces[index].attempt += 1
      batch.pieces[index].excluded = worker.identity.id
    }
    let piece = batch.pieces[index].piece
    gate.unlock()
    noteOnce("worker \(worker.identity.name) refuses a piece: \(reason)")
    exchange.repair(piece)
  }

  /// Holds an answer against others to the same piece, and passes on what nothing speaks against.
  func settle(_ index: Int, _ batch: SpoolBatch, _ contender: TrackedPiece.Contender) throws {
    gate.lock()
    var piece = batch.pieces[index]
    // A piece that a thread here has alone is passed on by that thread; what it has passed on is not compared. A piece may have
    // been cut since its answer was read.
    guard self.batch === batch, piece.state != .own, !piece.isDelivered || !piece.contenders.isEmpty,
      contender.answer?.key == piece.piece.key
    else { return gate.unlock() }
    var ready: [(piece: TrackedPiece, answer: SpoolAnswer, origin: WorkerIdentity?)] = []
    if let first = piece.contenders.first {
      guard !piece.contenders.contains(where: { $0.source == contender.source }) else { return gate.unlock() }
      page.repeatedCount += 1
      repeatedTokenCount += contender.answer?.tokenCount ?? 0
      if contender.source.isEmpty {
        // This process decides.
        let wrong = piece.contenders.filter { $0.bits != contender.bits }.map(\.source)
        piece.contenders = [contender] + piece.contenders.filter { $0.bits == contender.bits }
        piece.awaitsSecond = false
        piece.isDisputed = false
        for kept in piece.contenders { confirm(kept.source) }
        batch.pieces[index] = piece
        for source in wrong { reject(source, batch, index) }
      } else if first.bits == contender.bits {
        var same = contender
        if piece.isDelivered { same.answer = nil }
        piece.contenders.append(same)
        if piece.awaitsSecond { confirm(first.source) }
        if first.source.isEmpty || piece.awaitsSecond { confirm(contender.source) }
        piece.awaitsSecond = false
        batch.pieces[index] = piece
      } else if first.source.isEmpty {
        batch.pieces[index] = piece
        reject(contender.source, batch, index)
      } else {
        piece.contenders.append(contender)
        piece.isDisputed = true
        batch.pieces[index] = piece
      }
    } else {
      piece.contenders = [contender]
      piece.state = .answered
      page.answeredCount += 1
      page.tokenCount += piece.piece.tokenCount
      if let worker = workers[contender.source] {
        worker.answeredCount += 1
        piece.awaitsSecond = isAudited(piece.piece, of: worker)
        if piece.awaitsSecond {
          piece.excluded = contender.source
          // The claim of the first attempt is there already.
          piece.attempt += 1
        }
      }
      batch.pieces[index] = piece
    }
    // Whatever is answered by somebody who can be trusted goes on.
    for place in batch.pieces.indices {
      let tracked = batch.pieces[place]
      guard tracked.state == .answered, !tracked.isDelivered, !tracked.isDisputed, let first = tracked.contenders.first,
        let answer = first.answer, mayPass(tracked, first.source)
      else { continue }
      batch.pieces[place].isDelivered = true
      batch.pieces[place].contenders[0].answer = nil
      workers[first.source]?.deliveredCount += 1
      ready.append((tracked, answer, workers[first.source]?.identity))
    }
    batch.passingCount += ready.count
    gate.broadcast()
    gate.unlock()
    defer {
      gate.locked {
        batch.passingCount -= ready.count
        gate.broadcast()
      }
    }
    for (piece, answer, origin) in ready { try pass(on: answer, of: piece, from: origin, in: batch) }
  }

  /// Whether an answer of a worker is computed a second time: its first one, every one of so many, and every state, on
  /// which all sums of a sequence rest. `gate` is held.
  private func isAudited(_ piece: SpoolPiece, of worker: KnownWorker) -> Bool {
    guard settings.auditInterval > 0 else { return false }
    if case .teacherState = piece { return true }
    return worker.answeredCount == 1 || worker.answeredCount % settings.auditInterval == 0
  }

  private func mayPass(_ piece: TrackedPiece, _ source: String) -> Bool {
    guard let worker = workers[source], settings.auditInterval > 0 else { return true }
    if case .teacherState = piece.piece { return !piece.awaitsSecond }
    return worker.isConfirmed
  }

  private func confirm(_ source: String) { workers[source]?.isConfirmed = true }

  /// Takes back what a worker said. `gate` is held.
  private func reject(_ source: String, _ batch: SpoolBatch, _ index: Int) {
    guard let worker = workers[source], !worker.isWrong else { return }
    worker.isWrong = true
    let detail =
      "computed other bits than somebody else on request \(batch.pieces[index].piece.key.short); "
      + "its \(worker.deliveredCount) answers are taken back"
    for place in batch.pieces.indices {
      var piece = batch.pieces[place]
      let isFirst = piece.contenders.first?.source == source
      piece.contenders.removeAll { $0.source == source }
      if piece.isDisputed, piece.contenders.count < 2 { piece.isDisputed = false }
      if case .claimed(source) = piece.state {
        piece.attempt += 1
        piece.state = .offered
      }
      if isFirst, !piece.isDelivered, piece.contenders.isEmpty {
        piece.awaitsSecond = false
        piece.attempt += 1
        piece.state = .free
      }
      batch.pieces[place] = piece
    }
    let error = InferenceError.wrongWorker(worker.identity, detail: detail)
    if worker.deliveredCount > 0 { batch.failure = batch.failure ?? error }
    tell("\(error)")
  }
}
