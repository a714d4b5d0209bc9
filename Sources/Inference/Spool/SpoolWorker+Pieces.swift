import Foundation

/// Pieces from their claims to their answers.
extension SpoolWorker {
  func hand() {
    while !gate.locked({ isEnding || failure != nil }), !cancellation.isRequested {
      if let (known, offer) = nextOffer() {
        do {
          try serve(known, offer)
        } catch {
          noteOnce("\(error)")
        }
      } else {
        // A model is opened before its first piece is there.
        if let coordinator = gate.locked({ coordinators.values.first { isServed($0) }?.page }) {
          _ = opened(coordinator)
        }
        // Longer and longer, up to a quarter of a second, or to fifty times what a look takes: what waits is a barrier of the search,
        // and it may last.
        let seconds = gate.locked {
          pause = max(min(pause * 1.3, 50 * lookSeconds, 0.25), settings.pollSeconds)
          return pause
        }
        Thread.sleep(forTimeInterval: seconds)
      }
    }
    gate.locked {
      liveHands -= 1
      gate.broadcast()
    }
  }

  func serve(_ coordinator: CoordinatorPage, _ offer: CoordinatorPage.Offer) throws {
    guard let folder else { return }
    // Before a claim: opening a model takes a while, and somebody else may be ready.
    guard let computer = opened(coordinator) else { return }
    let id = gate.locked { page.identity.id }
    guard try folder.claim(offer.claimName(coordinator.session), SpoolFile.claim.sealed(Array(id.utf8))) else { return }
    let held = WorkerPage.Piece(session: coordinator.session, number: offer.number, attempt: offer.attempt)
    gate.locked {
      page.pieces.append(held)
      pageChanged = true
      lastUse = SpoolClock.now
      gate.broadcast()
    }
    defer {
      gate.locked {
        page.pieces.removeAll { $0 == held }
        pageChanged = true
        lastUse = SpoolClock.now
        pause = 0
        gate.broadcast()
      }
    }
    // None: it was answered in the meantime.
    guard let file = try folder.read(.requests, offer.key.hex, as: SpoolFile.requests) else { return }
    let start = SpoolClock.now
    let answer: SpoolAnswer
    do {
      guard file.key == offer.key else {
        throw InferenceError.invalidData(
          file: folder.path(.requests, offer.key.hex), detail: "holds request \(file.key.short)")
      }
      answer = try computer.answer(SpoolPiece(file.kind, file.content), cancellation: cancellation)
    } catch InferenceError.interrupted {
      return
    } catch {
      noteOnce("\(error)")
      answer = .refusal(request: offer.key, reason: "\(error)")
    }
    let seconds = SpoolClock.now - start
    try write(answer, to: folder, id)
    gate.locked {
      if case .refusal = answer { return }
      page.answered.append(offer.key)
      page.answered = page.answered.suffix(WorkerPage.announcedCount)
      page.answeredCount += 1
      page.tokenCount += answer.tokenCount
      page.busyMilliseconds += Int(seconds * 1000)
    }
  }

  /// Writes an answer; on a full disk or a lost server again and again, for what was computed shall not be lost.
  func write(_ answer: SpoolAnswer, to folder: SpoolFolder, _ id: String) throws {
    let start = SpoolClock.now
    while true {
      do {
        return try folder.write(answer.file, .answers, SpoolExchange.answerName(answer.key, id))
      } catch {
        guard !cancellation.isRequested, SpoolClock.now - start < plan.idleSeconds, folder.isThere else { throw error }
        noteOnce("\(error); trying again")
        Thread.sleep(forTimeInterval: 0.5)
      }
    }
  }

  /// What a session computes with; nil if it cannot be computed here.
  func opened(_ coordinator: CoordinatorPage) -> SpoolComputer? {
    opening.withLock {
      if let opened, opened.model == coordinator.model, opened.purpose == coordinator.purpose,
        opened.longest >= coordinator.longestSequence
      {
        return opened.computer
      }
      if gate.locked({ unusable[coordinator.session] != nil }) { return nil }
      guard let folder else { return nil }
      do {
        // One model at a time: memory is planned for it alone.
        opened = nil
        let computer = try open(coordinator, folder, scratch)
        opened = (coordinator.model, coordinator.purpose, coordinator.longestSequence, computer)
        gate.locked { openedFor = (coordinator.model, coordinator.purpose) }
        return computer
      } catch {
        guard !cancellation.isRequested else { return nil }
        let isEnd = gate.locked {
          unusable[coordinator.session] = error
          let others = coordinators.contains { $0.value.page.state == .open && unusable[$0.key] == nil }
          if !others, !plan.staysAfterEnd { failure = error }
          return failure != nil
        }
        if !isEnd { noteOnce("\(error)") }
        return nil
      }
    }
  }
}
