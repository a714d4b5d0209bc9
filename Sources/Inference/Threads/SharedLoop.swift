import Foundation

/// A loop in which threads may join.
protocol JoinableLoop: AnyObject {
  /// Whether there is an iteration that nobody has taken.
  var hasMore: Bool { get }
  /// Takes iterations until there are none.
  func join()
}

/// The iterations of a loop, taken one by one by the thread that runs it and by those that join.
///
/// `@unchecked Sendable`: `condition` guards all state.
final class SharedLoop<Failure: Error>: JoinableLoop, @unchecked Sendable {
  private let condition = NSCondition()
  private let count: Int
  private let body: (Int) throws(Failure) -> Void
  private var taken = 0
  private var runningCount = 0
  private var failure: Failure?

  init(_ count: Int, _ body: @escaping (Int) throws(Failure) -> Void) {
    self.count = count
    self.body = body
  }

  func run(on stack: TaskStack) throws(Failure) {
    stack.open(self, joining: count - 1)
    join()
    condition.withLock {
      while runningCount > 0 { condition.wait() }
    }
    stack.close(self)
    if let failure { throw failure }
  }

  var hasMore: Bool { condition.withLock { taken < count && failure == nil } }

  func join() {
    while let index = take() {
      do throws(Failure) {
        try body(index)
      } catch {
        condition.withLock { failure = failure ?? error }
      }
      condition.withLock {
        runningCount -= 1
        condition.broadcast()
      }
    }
  }

  private func take() -> Int? {
    condition.withLock {
      guard taken < count, failure == nil else { return nil }
      defer { taken += 1 }
      runningCount += 1
      return taken
    }
  }
}
