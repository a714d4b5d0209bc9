import Foundation

/// Independent pieces of work on several threads.
enum Parallel {
  /// Calls `body` with 0..<count, in order of start, on `threadCount` threads.
  ///
  /// - Throws: the first error; pieces that have not begun are then left out.
  static func forEach(
    _ count: Int, threadCount: Int, cancellation: Cancellation, _ body: @escaping (Int) throws -> Void
  ) throws {
    let stack = TaskStack()
    stack.push(
      (0..<count).map { index in
        {
          try cancellation.check()
          try body(index)
        }
      })
    // More threads than pieces: they join the loops in them.
    try stack.run(threadCount: threadCount)
  }

  /// Calls `body` with 0..<count on this thread, and on those of the running `TaskStack` that wait for work: so that the last
  /// pieces of work do not keep one thread busy and the others waiting.
  ///
  /// - Parameter body: called in any order, by several threads at once.
  /// - Throws: the first error; calls that have not begun are then left out.
  static func share<Failure: Error>(
    _ count: Int, _ body: @escaping (Int) throws(Failure) -> Void
  ) throws(Failure) {
    // A loop of two calls is over before a thread that begins to wait later could join it.
    guard count > 1, let stack = TaskStack.current, count > 2 || stack.hasWaitingThreads else {
      for index in 0..<count { try body(index) }
      return
    }
    try SharedLoop(count, body).run(on: stack)
  }
}

/// Results of parallel pieces in the pieces' order.
///
/// `@unchecked Sendable`: `lock` guards the list.
final class ResultList<Element>: @unchecked Sendable {
  private let lock = NSLock()
  private var elements: [Element?]

  init(count: Int) { elements = Array(repeating: nil, count: count) }

  func set(_ index: Int, _ element: Element) { lock.withLock { elements[index] = element } }

  /// All elements that were set, in order.
  var values: [Element] { lock.withLock { elements.compactMap { $0 } } }
}
