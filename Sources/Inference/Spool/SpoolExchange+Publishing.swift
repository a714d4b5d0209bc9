/// Pieces on their way out.
extension SpoolExchange {
  /// Offers as many free pieces as the workers that are there will soon want.
  func publish(_ now: Double) throws {
    let wanted: [TrackedPiece] = gate.locked {
      guard let batch = owner.batch, batch.failure == nil else { return [] }
      let workers = owner.liveWorkers(now)
      let hands = workers.reduce(0) { $0 + $1.identity.threadCount }
      guard hands > 0 else { return [] }
      owner.cutForNewcomers(batch)
      // A state is computed by two: with one worker this process computes all of them in any case.
      let mayOfferStates = workers.count > 1
      let room = max(2 * hands - batch.pieces.count { $0.state == .offered }, 0)
      // Equal pieces share a key, and only the first of them can be offered.
      let free =
        room == 0
        ? []
        : batch.pieces.indices.filter {
          batch.pieces[$0].state == .free && batch.places[batch.pieces[$0].piece.key] == $0
            && (mayOfferStates || batch.pieces[$0].piece.kind != .teacherState)
        }
      // The first answer of a worker is computed a second time: where all are new they begin with what is short.
      let isNew = owner.settings.auditInterval > 0 && workers.allSatisfy { $0.answeredCount == 0 }
      let found = (isNew ? free.suffix(room) : free.prefix(room)).map { index in
        batch.pieces[index].state = .offered
        return batch.pieces[index]
      }
      // Taken back, claimed in vain, or to be checked: they are published if they were not.
      return found
        + batch.pieces.filter { ($0.state == .offered || $0.awaitsSecond) && !published.contains($0.piece.key) }
    }
    // A few at a time, so that the first ones can be taken while the others are written.
    var left = wanted.filter { !published.contains($0.piece.key) }.map(\.piece)[...]
    while !left.isEmpty, gate.locked({ owner.batch != nil }) {
      let some = Array(left.prefix(Self.writerCount))
      left = left.dropFirst(some.count)
      try publish(some)
      if SpoolClock.now - lastPage > 0.05 { try writePage() }
    }
  }

  /// Files that are written at once: a server that answers slowly answers many slowly at the same time.
  static let writerCount = 8

  private func publish(_ pieces: [SpoolPiece]) throws {
    var wanted: [SpoolContent] = []
    for content in pieces.flatMap(\.contents) where contents.insert(content).inserted { wanted.append(content) }
    let (folder, source) = (folder, owner.source)
    do {
      try inParallel(wanted) { content in
        guard (try? folder.length(content.place, content.key.hex, kind: content.file)) == nil else { return }
        do {
          let bytes = try source.bytes(of: content)
          try folder.write(content.file.sealed(bytes, digest: content.key), content.place, content.key.hex)
        } catch InferenceError.refusedRequest {
          // Nobody can compute with it; a thread of this process will say so.
        }
      }
      let start = SpoolClock.now
      try inParallel(pieces) { try folder.write($0.file, .requests, $0.key.hex) }
      let seconds = SpoolClock.now - start
      gate.locked { owner.writeSeconds = owner.writeSeconds.map { 0.8 * $0 + 0.2 * seconds } ?? seconds }
    } catch {
      contents.subtract(wanted)
      throw error
    }
    for piece in pieces { published.insert(piece.key) }
  }

  func inParallel<Element>(_ elements: [Element], _ body: @escaping (Element) throws -> Void) throws {
    try Parallel.forEach(elements.count, threadCount: Self.writerCount, cancellation: Cancellation()) {
      try body(elements[$0])
    }
  }

  /// Has the files of what a worker could not use looked at.
  func repair(_ piece: SpoolPiece) { lock.locked { refused.append(piece) } }

  func repairRefused() {
    let pieces = lock.locked {
      defer { refused = [] }
      return refused
    }
    pieces.forEach(mend)
  }

  /// Looks at all bytes of a piece's files; what is damaged is made again.
  private func mend(_ piece: SpoolPiece) {
    for content in piece.contents {
      let found = try? folder.read(content.place, content.key.hex, as: content.file)
      if found?.key == content.key { continue }
      contents.remove(content)
      folder.remove(content.place, content.key.hex)
    }
    published.remove(piece.key)
  }
}
