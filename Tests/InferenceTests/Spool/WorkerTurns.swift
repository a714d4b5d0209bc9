import Foundation
import TestSupport

@testable import Inference

/// Lets workers have their share on a machine where something else takes every turn: the coordinator's own thread ends a piece
/// only when a worker has answered one, as long as there is something that a living worker may take or has.
///
/// `@unchecked Sendable`: `lock` guards the coordinator.
final class WorkerTurns: @unchecked Sendable {
  private static let longestWait = 0.25
  private let lock = NSLock()
  private let answerCount = SharedCounter()
  private weak var coordinator: SpoolCoordinator?

  /// Whose threads wait from now on.
  func watch(_ coordinator: SpoolCoordinator) { lock.withLock { self.coordinator = coordinator } }

  /// Notes an answer of a worker.
  func count() { answerCount.next() }

  /// What a thread of the coordinator does before it ends a piece.
  func waitForAWorker() {
    guard let coordinator = lock.withLock({ self.coordinator }) else { return }
    let before = answerCount.value
    let end = Date(timeIntervalSinceNow: Self.longestWait)
    while coordinator.hasWorkForOthers, answerCount.value == before, Date() < end {
      Thread.sleep(forTimeInterval: 0.002)
    }
  }
}

extension SpoolCoordinator {
  /// Whether there is a piece that a living worker may take or has.
  fileprivate var hasWorkForOthers: Bool {
    gate.locked {
      let living = Set(liveWorkers(SpoolClock.now).map(\.identity.id))
      return batch?.pieces.contains { piece in
        switch piece.state {
        case .offered: !living.subtracting([piece.excluded]).isEmpty
        case .claimed(let owner): living.contains(owner)
        case .free, .own, .answered: false
        }
      } ?? false
    }
  }
}
