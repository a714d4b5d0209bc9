import Foundation
import Testing

@testable import evodb

@Suite struct InterruptionTests {
  /// Counts from any thread.
  private final class Counter: @unchecked Sendable {
    // @unchecked: `lock` guards `count`.
    private let lock = NSLock()
    private var count = 0
    var value: Int { lock.withLock { count } }
    func add() { lock.withLock { count += 1 } }
  }

  @Test func theFirstRequestAsksAndTheSecondLeaves() {
    let asked = Counter()
    let left = Counter()
    let interruption = Interruption(exitNow: { left.add() })
    interruption.onRequest { asked.add() }
    #expect(!interruption.isRequested)
    interruption.request()
    #expect(interruption.isRequested)
    #expect((asked.value, left.value) == (1, 0))
    interruption.request()
    #expect((asked.value, left.value) == (1, 1))
  }

  @Test func signalsArriveWhateverThreadsAreBusy() async throws {
    let left = Counter()
    let interruption = Interruption(exitNow: { left.add() })
    // Not one of the signals that the test runner itself may get.
    interruption.watch([SIGUSR2])
    let work = Counter()
    defer { work.add() }
    for _ in 0..<4 { Thread.detachNewThread { while work.value == 0 {} } }
    try await Task.sleep(for: .milliseconds(200))
    for expectedExits in [0, 1] {
      kill(getpid(), SIGUSR2)
      for _ in 0..<400 where !(interruption.isRequested && left.value == expectedExits) {
        try await Task.sleep(for: .milliseconds(5))
      }
      #expect(interruption.isRequested)
      #expect(left.value == expectedExits)
    }
  }

  @Test func aLateHandlerIsStillCalled() async throws {
    let interruption = Interruption(exitNow: {})
    interruption.request()
    await withCheckedContinuation { continuation in interruption.onRequest { continuation.resume() } }
    #expect(interruption.isRequested)
  }
}
