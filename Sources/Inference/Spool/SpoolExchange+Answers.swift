import struct Catalog.Digest

/// Answers on their way in.
extension SpoolExchange {
  /// Reads what is there already for pieces that are asked now: an earlier process may have been killed before it did.
  func takeLeftAnswers() {
    lookAtWorkersFirst()
    takeListed()
  }

  /// Before the first batch of a session is cut: who is there already.
  func lookAtWorkersFirst() {
    if isFirstBatch { visitWorkers(SpoolClock.now) }
    isFirstBatch = false
  }

  /// Has the exchange look once for answers to pieces that have just been added.
  func lookForLeftAnswers() {
    lock.locked {
      mayHaveLeftAnswers = true
      isAwake = true
      lock.broadcast()
    }
  }

  /// Whether somebody has a piece.
  var isWaiting: Bool {
    gate.locked {
      owner.batch?.pieces.contains {
        switch $0.state {
        case .offered, .claimed: true
        case .answered: $0.awaitsSecond
        case .free, .own: false
        }
      } ?? false
    }
  }

  func takeAnswers() {
    let isAsked = lock.locked {
      defer { mayHaveLeftAnswers = false }
      return mayHaveLeftAnswers
    }
    if isAsked || isWaiting { takeListed() }
  }

  func takeListed() {
    var asked: [(key: Digest, worker: String, name: String)] = []
    for name in folder.names(in: .answers) {
      guard let (key, worker) = Self.answer(named: name) else {
        owner.noteOnce("\(folder.path(.answers, name)) is no answer of a worker, and is left alone")
        continue
      }
      let isAsked = gate.locked { owner.batch?.places[key] != nil } && lock.locked { readAnswers[name] == nil }
      if isAsked { asked.append((key, worker, name)) }
    }
    if asked.count < 4 {
      for answer in asked { read(answer.key, answer.worker, answer.name) }
    } else {
      try? inParallel(asked) { self.read($0.key, $0.worker, $0.name) }
    }
  }

  static func answer(named name: String) -> (Digest, String)? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, let key = Digest(hex: String(parts[0])), WorkerIdentity.isID(parts[1]),
      key.hex == parts[0]
    else { return nil }
    return (key, String(parts[1]))
  }

  static func answerName(_ key: Digest, _ worker: String) -> String { "\(key.hex).\(worker)" }

  func read(_ key: Digest, _ worker: String, _ name: String) {
    guard lock.locked({ readAnswers[name] == nil }) else { return }
    let path = folder.path(.answers, name)
    var isWhole = false
    do {
      guard let file = try folder.read(.answers, name, as: SpoolFile.answers + [.refusal]) else { return }
      if gate.locked({ owner.workers[worker] == nil }) { visit(worker, SpoolClock.now) }
      guard gate.locked({ owner.workers[worker] != nil }) else {
        throw InferenceError.invalidData(file: path, detail: "its worker has no page")
      }
      let answer: SpoolAnswer
      do {
        answer = try SpoolAnswer(file.kind, file.content)
      } catch InferenceError.invalidData(_, let detail) {
        throw InferenceError.invalidData(file: path, detail: detail)
      }
      guard answer.key == key else {
        throw InferenceError.invalidData(file: path, detail: "it answers request \(answer.key.short)")
      }
      isWhole = true
      try owner.take(answer, of: worker)
      if case .refusal = answer {
        folder.remove(.answers, name)
        return
      }
    } catch {
      owner.noteOnce("\(path) is not taken, and is left alone: \(Self.reason(error))")
    }
    lock.locked { readAnswers[name] = isWhole }
  }

  static func reason(_ error: any Error) -> String {
    switch error as? InferenceError {
    case .invalidData(_, let detail), .wrongAnswer(let detail), .inputOutput(_, let detail),
      .notPermitted(_, let detail):
      return detail
    default: return "\(error)"
    }
  }
}
