import struct Catalog.Digest

/// Who lives, and who has which piece.
extension SpoolExchange {
  func visitWorkers(_ now: Double) {
    let known = gate.locked { Set(owner.workers.keys) }
    let listed = folder.names(in: .workers).filter { name in
      if WorkerIdentity.isID(name) { return true }
      owner.noteOnce("\(folder.path(.workers, name)) is no page of a worker, and is left alone")
      return false
    }
    let all = known.union(listed).sorted()
    if all.count < 16 {
      for worker in all { visit(worker, now) }
    } else {
      try? inParallel(all) { self.visit($0, now) }
    }
  }

  func visit(_ worker: String, _ now: Double) {
    let path = folder.path(.workers, worker)
    do {
      guard let file = try folder.read(.workers, worker, as: .worker) else { return }
      let page: WorkerPage
      do {
        page = try WorkerPage(bytes: file.content)
      } catch InferenceError.invalidData(_, let detail) {
        throw InferenceError.invalidData(file: path, detail: detail)
      }
      guard page.identity.id == worker else {
        throw InferenceError.invalidData(file: path, detail: "it is the page of another worker")
      }
      let asked: [Digest] = gate.locked {
        let isNew = owner.workers[worker] == nil
        let known = owner.workers[worker] ?? KnownWorker(page.identity, now: now)
        if page.beat != known.beat {
          // A page that is there when this session begins may be of a worker that is gone: it must move first.
          known.lastSign = isNew ? now - owner.settings.silenceSeconds + 3 * owner.settings.beatSeconds : now
          known.beat = page.beat
        }
        known.isLeaving = page.state == .leaving
        owner.workers[worker] = known
        noteHeld(page, now)
        return page.answered.filter { owner.batch?.places[$0] != nil }
      }
      for key in asked { read(key, worker, Self.answerName(key, worker)) }
    } catch {
      owner.noteOnce("\(path) is not taken, and is left alone: \(Self.reason(error))")
    }
  }

  /// What a page says that its worker has: listings of claims may be older. `gate` is held.
  func noteHeld(_ page: WorkerPage, _ now: Double) {
    guard let batch = owner.batch, let first = batch.pieces.first?.number else { return }
    for held in page.pieces where held.session == owner.page.session {
      let index = held.number - first
      guard batch.pieces.indices.contains(index), batch.pieces[index].number == held.number,
        batch.pieces[index].attempt == held.attempt
      else { continue }
      switch batch.pieces[index].state {
      case .offered, .claimed(""):
        if batch.pieces[index].state == .offered { batch.pieces[index].since = now }
        batch.pieces[index].state = .claimed(page.identity.id)
      case .claimed, .free, .own, .answered: break
      }
    }
  }

  /// Notes who has claimed what.
  func readClaimed() {
    let session = gate.locked { owner.page.session }
    let open: [String: Int] = gate.locked {
      guard let batch = owner.batch else { return [:] }
      return Dictionary(
        batch.pieces.enumerated().compactMap { index, piece in
          piece.state == .offered || piece.state == .claimed("")
            ? (owner.offer(piece).claimName(session), index) : nil
        }, uniquingKeysWith: { first, _ in first })
    }
    guard !open.isEmpty else { return }
    for name in folder.names(in: .claims) {
      guard let index = open[name] else {
        if !Self.isClaim(name) { owner.noteOnce("\(folder.path(.claims, name)) is no claim, and is left alone") }
        continue
      }
      var holder = ""
      do {
        let content = try folder.read(.claims, name, as: .claim)?.content ?? []
        let text = String(decoding: content, as: UTF8.self)
        if WorkerIdentity.isID(text) { holder = text }
      } catch {
        owner.noteOnce(
          "\(folder.path(.claims, name)): \(Self.reason(error)); whoever has made it keeps the piece for a while")
      }
      gate.locked {
        guard let batch = owner.batch, batch.pieces.indices.contains(index),
          owner.offer(batch.pieces[index]).claimName(session) == name,
          batch.pieces[index].state == .offered || batch.pieces[index].state == .claimed("")
        else { return }
        if batch.pieces[index].state == .offered { batch.pieces[index].since = SpoolClock.now }
        batch.pieces[index].state = .claimed(holder)
      }
    }
  }

  static func isClaim(_ name: String) -> Bool {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 3 && WorkerIdentity.isID(parts[0]) && Int(parts[1]) != nil && Int(parts[2]) != nil
  }

  /// Offers again what silent and leaving workers have.
  func reoffer(_ now: Double) {
    gate.locked {
      guard let batch = owner.batch else { return }
      for index in batch.pieces.indices {
        guard case .claimed(let holder) = batch.pieces[index].state, batch.pieces[index].ownCount == 0 else { continue }
        let silence: Double
        if let worker = owner.workers[holder] {
          silence = worker.isLeaving ? .infinity : now - worker.lastSign
        } else {
          silence = now - batch.pieces[index].since
        }
        guard silence > owner.settings.silenceSeconds else { continue }
        batch.pieces[index].attempt += 1
        batch.pieces[index].state = .offered
      }
    }
  }
}
