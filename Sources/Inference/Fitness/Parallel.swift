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

/// Runs tasks that may add tasks, on several threads, newest first: depth first, so that few intermediate results live.
///
/// `@unchecked Sendable`: `condition` guards all state.
final class TaskStack: @unchecked Sendable {
  typealias Task = () throws -> Void

  private let condition = NSCondition()
  private var tasks: [Task] = []
  private var runningCount = 0
  private var failure: (any Error)?

  /// Adds tasks; the first of them is taken first.
  func push(_ added: [Task]) {
    condition.withLock {
      tasks.append(contentsOf: added.reversed())
      condition.broadcast()
    }
  }

  /// Runs all tasks, and those they add, on `threadCount` threads.
  ///
  /// - Throws: the first error of a task; tasks that have not begun are then left out.
  func run(threadCount: Int) throws {
    let workers = (1..<max(threadCount, 1)).map { _ in
      let thread = WorkerThread(body: work)
      thread.start()
      return thread
    }
    work()
    workers.forEach { $0.join() }
    if let failure { throw failure }
  }

  private func work() {
    while let task = next() {
      do {
        try task()
      } catch {
        condition.withLock { failure = failure ?? error }
      }
      condition.withLock {
        runningCount -= 1
        condition.broadcast()
      }
    }
  }

  /// The newest task; waits while others run that may still add some; nil when all is done.
  private func next() -> Task? {
    condition.withLock {
      while true {
        if failure != nil { tasks.removeAll() }
        if let task = tasks.popLast() {
          runningCount += 1
          return task
        }
        if runningCount == 0 { return nil }
        condition.wait()
      }
    }
  }
}

extension NSCondition {
  fileprivate func withLock<T>(_ body: () -> T) -> T {
    lock()
    defer { unlock() }
    return body()
  }
}

/// A thread that can be waited for. Foundation's own threads have no join, and Dispatch may give fewer threads than asked.
private final class WorkerThread: @unchecked Sendable {
  private let done = DispatchSemaphore(value: 0)
  private let thread: Thread

  init(body: @escaping () -> Void) {
    let done = self.done
    nonisolated(unsafe) let body = body
    thread = Thread {
      body()
      done.signal()
    }
    // Deep recursion never happens here; BLAS keeps buffers on the stack.
    thread.stackSize = 4 << 20
  }

  func start() { thread.start() }
  func join() { done.wait() }
}
