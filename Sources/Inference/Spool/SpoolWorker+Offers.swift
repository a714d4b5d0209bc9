import Foundation

/// What there is to do.
extension SpoolWorker {
  /// An offer that this worker has not tried, if there is one; the pages are read again for it.
  func nextOffer() -> (CoordinatorPage, CoordinatorPage.Offer)? {
    if let offer = gate.locked({ untried() }) { return offer }
    let mayLook = gate.locked {
      let now = SpoolClock.now
      guard now - lastLook >= pause else { return false }
      lastLook = now
      return true
    }
    guard mayLook else { return nil }
    let start = SpoolClock.now
    readCoordinators()
    let seconds = SpoolClock.now - start
    gate.locked { lookSeconds = 0.8 * lookSeconds + 0.2 * seconds }
    return gate.locked { untried() }
  }

  /// `gate` is held. Workers begin at different places, or all would claim the same piece.
  func untried() -> (CoordinatorPage, CoordinatorPage.Offer)? {
    let own = page.identity.id
    // Those first for which the model is open: another use of it takes another plan of the memory.
    func isOther(_ page: CoordinatorPage) -> Bool {
      openedFor.map { $0.model != page.model || $0.purpose != page.purpose } ?? false
    }
    let order = coordinators.sorted {
      (isOther($0.value.page) ? 1 : 0, $0.key) < (isOther($1.value.page) ? 1 : 0, $1.key)
    }
    for (session, known) in order where isServed(known) {
      let offers = known.page.offers.filter { isUntried($0, session) }
      guard !offers.isEmpty else { continue }
      // Two are offered for each thread, and the first ones are the largest.
      let place = (own.utf8.reduce(0) { $0 &* 31 &+ Int($1) } & 0xffff) % max(offers.count / 2, 1)
      tried.insert(offers[place].claimName(session))
      return (known.page, offers[place])
    }
    return nil
  }

  /// Whether a piece may be had here. `gate` is held.
  private func isUntried(_ offer: CoordinatorPage.Offer, _ session: String) -> Bool {
    !offer.isClaimed && offer.excluded != page.identity.id && !tried.contains(offer.claimName(session))
  }

  /// Whether a session lives and can be computed here. `gate` is held.
  func isServed(_ known: KnownCoordinator) -> Bool {
    known.page.state == .open && known.hasMoved && unusable[known.page.session] == nil
      && SpoolClock.now - known.lastSign < settings.silenceSeconds
  }

  func readCoordinators() {
    guard let folder else { return }
    let now = SpoolClock.now
    if !folder.isThere { noteOnce("\(folder.path) is gone; waiting for it") }
    let listed = folder.names(in: .coordinators).filter { name in
      if WorkerIdentity.isID(name) { return true }
      noteOnce("\(folder.path(.coordinators, name)) is no page of a coordinator, and is left alone")
      return false
    }
    let names = gate.locked {
      if earlier == nil { earlier = Set(listed) }
      return Set(coordinators.keys).union(listed)
    }
    for name in names.sorted() {
      do {
        guard let file = try folder.read(.coordinators, name, as: .coordinator) else {
          gate.locked { coordinators[name] = nil }
          continue
        }
        let coordinator: CoordinatorPage
        do {
          coordinator = try CoordinatorPage(bytes: file.content)
        } catch InferenceError.invalidData(_, let detail) {
          throw InferenceError.invalidData(file: folder.path(.coordinators, name), detail: detail)
        }
        guard coordinator.session == name else {
          throw InferenceError.invalidData(
            file: folder.path(.coordinators, name), detail: "it is the page of another session")
        }
        gate.locked {
          var known =
            coordinators[name]
            ?? KnownCoordinator(page: coordinator, lastSign: now, hasMoved: earlier?.contains(name) == false)
          if known.page.beat != coordinator.beat {
            known.lastSign = now
            known.hasMoved = true
            if coordinator.state == .open { lastUse = now }
          }
          if coordinator.offers.contains(where: { isUntried($0, name) }) { pause = 0 }
          known.page = coordinator
          coordinators[name] = known
        }
      } catch {
        noteOnce("\(error); it is left alone")
      }
    }
  }
}
