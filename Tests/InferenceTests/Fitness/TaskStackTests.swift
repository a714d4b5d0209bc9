import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct TaskStackTests {
  private struct Failure: Error, Equatable { var number: Int }

  @Test func oneThreadGoesDepthFirst() throws {
    let stack = TaskStack()
    let notes = SharedList<Int>()
    stack.push([
      {
        notes.append(1)
        stack.push([{ notes.append(2) }, { notes.append(3) }])
      }, { notes.append(4) },
    ])
    try stack.run(threadCount: 1)
    #expect(notes.all == [1, 2, 3, 4])
  }

  @Test(arguments: [1, 2, 3, 8]) func tasksThatAddTasksAllRun(_ threadCount: Int) throws {
    let stack = TaskStack()
    let notes = SharedList<Int>()
    func grow(_ depth: Int, _ number: Int) {
      notes.append(number)
      guard depth > 0 else { return }
      stack.push((0..<3).map { child in { grow(depth - 1, number * 3 + child) } })
    }
    stack.push([{ grow(5, 1) }])
    try stack.run(threadCount: threadCount)
    #expect(notes.all.count == (0...5).reduce(0) { sum, depth in sum + (0..<depth).reduce(1) { n, _ in n * 3 } })
    #expect(Set(notes.all).count == notes.all.count)
  }

  @Test(arguments: [1, 2, 3]) func theFirstErrorIsThrownAndTheRestLeftOut(_ threadCount: Int) {
    let notes = SharedList<Int>()
    #expect(throws: Failure(number: 5)) {
      try Parallel.forEach(1000, threadCount: threadCount, cancellation: Cancellation()) { index in
        if index == 5 { throw Failure(number: index) }
        notes.append(index)
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
