import struct Catalog.Digest

/// Files that are of no more use.
extension SpoolExchange {
  func removeRetired() {
    let pieces = lock.locked {
      defer { retired = [] }
      return retired
    }
    guard !pieces.isEmpty else { return }
    let session = gate.locked { owner.page.session }
    // What is asked again is still of use.
    let asked = gate.locked { Set(owner.batch?.pieces.map(\.piece.key) ?? []) }
    let keys = Set(pieces.map(\.piece.key).filter { published.contains($0) && !asked.contains($0) })
    for key in keys { folder.remove(.requests, key.hex) }
    for piece in pieces where keys.contains(piece.piece.key) {
      for attempt in 0...piece.attempt {
        folder.remove(.claims, "\(session).\(piece.number).\(attempt)")
      }
    }
    published.subtract(keys)
    for name in folder.names(in: .answers) {
      guard let (key, _) = Self.answer(named: name), keys.contains(key) else { continue }
      // What was not whole is not ours to remove.
      if lock.locked({ readAnswers.removeValue(forKey: name) }) == true { folder.remove(.answers, name) }
    }
  }

  /// Only what is whole goes: foreign files stay for whoever looks after them.
  private func removeLate(_ name: String) {
    if let file = try? folder.read(.answers, name, as: SpoolFile.answers),
      (try? SpoolAnswer(file.kind, file.content)) != nil
    {
      folder.remove(.answers, name)
    }
  }

  /// Streams are as large as the calibration data, and there are new ones for every block.
  func removeDiscarded() {
    let places = lock.locked {
      defer { discarded = [] }
      return discarded
    }
    guard !places.isEmpty else { return }
    let needed = gate.locked { Set(owner.batch?.pieces.flatMap(\.piece.contents) ?? []) }
    for content in contents where places.contains(content.place) && !needed.contains(content) {
      folder.remove(content.place, content.key.hex)
      contents.remove(content)
    }
  }

  func removeFiles() {
    removeRetired()
    discarded = [.streams, .statistics]
    removeDiscarded()
    // Workers that wait for another session stay, and remove their pages themselves.
    let gone = gate.locked {
      owner.workers.values.filter {
        $0.isLeaving || SpoolClock.now - $0.lastSign > owner.settings.silenceSeconds
      }.map(\.identity.id)
    }
    for worker in gone { folder.remove(.workers, worker) }
    let session = gate.locked { owner.page.session }
    for name in folder.names(in: .claims) where name.hasPrefix(session) { folder.remove(.claims, name) }
    // What killed coordinators have left, unless another one is at work, whose it may be.
    let others = folder.names(in: .coordinators).filter { $0 != session }
    let isAlone = others.allSatisfy { name in
      guard let file = try? folder.read(.coordinators, name, as: .coordinator) else { return true }
      return (try? CoordinatorPage(bytes: file.content))?.state != .open
    }
    if isAlone {
      for name in folder.names(in: .requests) {
        if let file = try? folder.read(.requests, name, as: SpoolFile.requests), file.key.hex == name {
          folder.remove(.requests, name)
        }
      }
      for (place, kind) in [(SpoolFolder.Place.streams, SpoolFile.stream), (.statistics, .statistic)] {
        for name in folder.names(in: place)
        where Digest(hex: name) != nil && (try? folder.length(place, name, kind: kind)) != nil {
          folder.remove(place, name)
        }
      }
    }
    for name in folder.names(in: .answers) {
      // Late ones, which nobody asks for any more.
      guard let (key, _) = Self.answer(named: name), (try? folder.length(.requests, key.hex, kind: nil)) == nil
      else { continue }
      removeLate(name)
    }
  }
}
