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

  /// Calls of a loop that wait for each other can only end if a thread that had nothing to do takes one of them.
  @Test(arguments: [2, 3, 8]) func waitingThreadsTakePartInALoop(_ threadCount: Int) throws {
    let meeting = NSCondition()
    var present = 0
    var metInTime = true
    let stack = TaskStack()
    stack.push([
      {
        Parallel.share(threadCount + 1) { _ in
          meeting.lock()
          defer { meeting.unlock() }
          present += 1
          meeting.broadcast()
          let latest = Date() + 60
          while present < threadCount { if !meeting.wait(until: latest) { metInTime = false; break } }
        }
      }
    ])
    try stack.run(threadCount: threadCount)
    #expect(metInTime && present == threadCount + 1)
  }

  @Test(arguments: [1, 2, 3, 8]) func everyCallOfNestedLoopsIsMadeOnce(_ threadCount: Int) throws {
    let notes = SharedList<Int>()
    func loops(_ base: Int) {
      Parallel.share(7) { outer in
        Parallel.share(5) { inner in notes.append(base + outer * 5 + inner) }
      }
    }
    let stack = TaskStack()
    stack.push((0..<3).map { task in { loops(task * 35) } })
    try stack.run(threadCount: threadCount)
    #expect(notes.all.sorted() == Array(0..<105))
    loops(105)
    #expect(notes.all.suffix(35) == Array(105..<140), "in order without other threads")
  }

  @Test(arguments: [1, 2, 8]) func anErrorInALoopIsThrown(_ threadCount: Int) {
    let notes = SharedList<Int>()
    #expect(throws: Failure(number: 5)) {
      try Parallel.forEach(1, threadCount: threadCount, cancellation: Cancellation()) { _ in
        try Parallel.share(1000) { index in
          if index == 5 { throw Failure(number: index) }
          notes.append(index)
        }
      }
    }
    #expect(notes.all.count < 1000)
  }
}
