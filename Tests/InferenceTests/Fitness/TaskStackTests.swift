import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct TaskStackTests {
  /// `@unchecked Sendable`: `lock` guards the list.
  private final class Notes: @unchecked Sendable {
    private let lock = NSLock()
    private var list: [Int] = []
    func add(_ number: Int) { lock.withLock { list.append(number) } }
    var all: [Int] { lock.withLock { list } }
  }

  private struct Failure: Error, Equatable { var number: Int }

  @Test func oneThreadGoesDepthFirst() throws {
    let stack = TaskStack()
    let notes = Notes()
    stack.push([
      {
        notes.add(1)
        stack.push([{ notes.add(2) }, { notes.add(3) }])
      }, { notes.add(4) },
    ])
    try stack.run(threadCount: 1)
    #expect(notes.all == [1, 2, 3, 4])
  }

  @Test(arguments: [1, 2, 3, 8]) func tasksThatAddTasksAllRun(_ threadCount: Int) throws {
    let stack = TaskStack()
    let notes = Notes()
    func grow(_ depth: Int, _ number: Int) {
      notes.add(number)
      guard depth > 0 else { return }
      stack.push((0..<3).map { child in { grow(depth - 1, number * 3 + child) } })
    }
    stack.push([{ grow(5, 1) }])
    try stack.run(threadCount: threadCount)
    #expect(notes.all.count == (0...5).reduce(0) { sum, depth in sum + (0..<depth).reduce(1) { n, _ in n * 3 } })
    #expect(Set(notes.all).count == notes.all.count)
  }

  @Test(arguments: [1, 2, 3]) func theFirstErrorIsThrownAndTheRestLeftOut(_ threadCount: Int) {
    let notes = Notes()
    #expect(throws: Failure(number: 5)) {
      try Parallel.forEach(1000, threadCount: threadCount, cancellation: Cancellation()) { index in
        if index == 5 { throw Failure(number: index) }
        notes.add(index)
      }
    }
    #expect(notes.all.count < 1000)
    #expect(!notes.all.contains(5))
  }

  @Test func nothingToDoEnds() throws {
    try TaskStack().run(threadCount: 3)
    try Parallel.forEach(0, threadCount: 3, cancellation: Cancellation()) { _ in }
  }
}
