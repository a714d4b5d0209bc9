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
    try stack.run(threadCount: min(threadCount, max(count, 1)))
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
