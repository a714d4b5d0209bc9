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
    // Two calls are done before it pays to wait for somebody.
    guard count > 1, let stack = TaskStack.current, count > 2 || stack.hasWaitingThreads else {
      for index in 0..<count { try body(index) }
      return
    }
    try SharedLoop(count, body).run(on: stack)
  }
}

/// A loop in which threads may join.
private protocol JoinableLoop: AnyObject {
  /// Whether there is an iteration that nobody has taken.
  var hasMore: Bool { get }
  /// Takes iterations until there are none.
  func join()
}

/// The iterations of a loop, taken one by one by the thread that runs it and by those that join.
///
/// `@unchecked Sendable`: `condition` guards all state.
private final class SharedLoop<Failure: Error>: JoinableLoop, @unchecked Sendable {
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

  /// The one whose task this thread runs.
  @TaskLocal static var current: TaskStack?

  private let condition = NSCondition()
  private var tasks: [Task] = []
  private var runningCount = 0
  private var waitingCount = 0
  private var loops: [any JoinableLoop] = []
  private var failure: (any Error)?

  /// Adds tasks; the first of them is taken first.
  func push(_ added: [Task]) {
    condition.withLock {
      tasks.append(contentsOf: added.reversed())
      condition.broadcast()
    }
  }

  fileprivate var hasWaitingThreads: Bool { condition.withLock { waitingCount > 0 } }

  /// Lets threads that find no task join a loop.
  ///
  /// - Parameter count: how many of those that wait now are called.
  fileprivate func open(_ loop: any JoinableLoop, joining count: Int) {
    condition.withLock {
      loops.append(loop)
      for _ in 0..<min(count, waitingCount) { condition.signal() }
    }
  }

  fileprivate func close(_ loop: any JoinableLoop) {
    condition.withLock { loops.removeAll { $0 === loop } }
  }

  /// Runs all tasks, and those they add, on `threadCount` threads.
  ///
  /// - Throws: the first error of a task; tasks that have not begun are then left out.
  func run(threadCount: Int) throws {
    func workHere() { Self.$current.withValue(self) { work() } }
    let workers = (1..<max(threadCount, 1)).map { _ in
      let thread = WorkerThread(body: workHere)
      thread.start()
      return thread
    }
    workHere()
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

  /// The newest task, or else the rest of a loop; waits while others run that may still add some; nil when all is done.
  private func next() -> Task? {
    condition.withLock {
      while true {
        if failure != nil { tasks.removeAll() }
        if let task = tasks.popLast() {
          runningCount += 1
          return task
        }
        if let loop = loops.first(where: { $0.hasMore }) {
          runningCount += 1
          return { loop.join() }
        }
        if runningCount == 0 { return nil }
        waitingCount += 1
        condition.wait()
        waitingCount -= 1
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
