import Foundation

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

  /// Whether a thread has nothing to do.
  var hasWaitingThreads: Bool { condition.withLock { waitingCount > 0 } }

  /// Lets threads that find no task join a loop.
  ///
  /// - Parameter count: how many of those that wait now are called.
  func open(_ loop: any JoinableLoop, joining count: Int) {
    condition.withLock {
      loops.append(loop)
      for _ in 0..<min(count, waitingCount) { condition.signal() }
    }
  }

  /// The loop is over.
  func close(_ loop: any JoinableLoop) {
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
  func withLock<T>(_ body: () -> T) -> T {
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
